//! Where configuration files come from: the one place of this crate that touches the file system.

use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, glob_with};

/// What loading a configuration asks of the file system.
pub trait Files {
    /// The whole file.
    ///
    /// # Errors
    /// What the system says.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// The files that match a pattern, sorted; none is no error.
    fn matching(&self, pattern: &Path) -> Vec<PathBuf>;

    /// Looks whether the process could work in this directory.
    ///
    /// # Errors
    /// What the system says.
    fn check_directory(&self, path: &Path) -> io::Result<()>;

    /// Looks whether the log file can be opened; makes it if it is not there.
    ///
    /// # Errors
    /// What the system says.
    fn check_log(&self, path: &Path) -> io::Result<()>;
}

/// The real file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct FileSystem;

impl Files for FileSystem {
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn matching(&self, pattern: &Path) -> Vec<PathBuf> {
        let options = MatchOptions {
            require_literal_separator: true,
            require_literal_leading_dot: true,
            ..MatchOptions::default()
        };
        let paths = pattern
            .to_str()
            .and_then(|pattern| glob_with(pattern, options).ok());
        paths.into_iter().flatten().filter_map(Result::ok).collect()
    }

    fn check_directory(&self, path: &Path) -> io::Result<()> {
        // A name below it: a file that is no directory is refused, and so is a directory that may not be entered.
        fs::metadata(path.join(".")).map(drop)
    }

    fn check_log(&self, path: &Path) -> io::Result<()> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .map(drop)
    }
}

/// Whether a path of an `include` is a pattern.
pub(crate) fn is_pattern(path: &Path) -> bool {
    let bytes = path.as_os_str().as_bytes();
    bytes.iter().any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// An error in the system's words alone, as C's `strerror` has them.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error ") {
        Some(end) => text.get(..end).unwrap_or_default().to_owned(),
        None => text,
    }
}

/// Bytes as a path.
pub(crate) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}
