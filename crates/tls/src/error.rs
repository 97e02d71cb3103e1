//! The error of a TLS configuration: one line with the directive, the file, the reason and the remedy.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};

/// Why a configuration cannot be used. `Display` is one line: `directive file: reason; remedy`.
///
/// It never holds a passphrase or key material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError {
    /// The directive at fault, such as `tls-cert-file`.
    pub directive: &'static str,
    /// The file that the directive names, where one is at fault.
    pub file: Option<PathBuf>,
    /// What is wrong.
    pub reason: Cow<'static, str>,
    /// What to do about it.
    pub remedy: Cow<'static, str>,
}

impl TlsError {
    /// An error of a directive's value rather than of a file.
    pub(crate) fn of_value(
        directive: &'static str,
        reason: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            directive,
            file: None,
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    /// An error of the file that a directive names.
    pub(crate) fn of_file(
        directive: &'static str,
        file: &Path,
        reason: impl Into<Cow<'static, str>>,
        remedy: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            file: Some(file.to_path_buf()),
            ..Self::of_value(directive, reason, remedy)
        }
    }

    /// The file could not be read or listed.
    pub(crate) fn unreadable(directive: &'static str, file: &Path, error: &std::io::Error) -> Self {
        Self::of_file(
            directive,
            file,
            format!("cannot be read: {error}"),
            "check the path and that the server's user may read it",
        )
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.directive)?;
        if let Some(file) = &self.file {
            write!(f, " {}", file.display())?;
        }
        write!(f, ": {}; {}", self.reason, self.remedy)
    }
}

impl std::error::Error for TlsError {}
