//! The disk as persistence changes it: what is written, named and brought to it, in one place, so that a test can tell what
//! would be there after a power cut, or have the disk fail. Reading takes the shorter way, through the standard library.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Changes to files and directories. A change is sure to outlast a power cut when it was followed by a `sync`: of the file for
/// what is in it, of its directory for its name.
///
/// Errors are the system's.
#[expect(clippy::missing_errors_doc, reason = "said above for all of them")]
pub trait Disk: Debug + Send + Sync {
    /// An empty file of this name, in the place of the one that has it.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The file of this name, made if there is none.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in the place of the file that has it.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes a directory.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Brings the names in a directory to the disk.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
}

/// A file that grows at its end.
#[expect(clippy::missing_errors_doc, reason = "they are the system's")]
pub trait DiskFile: Debug + Send + Sync {
    /// Appends some of these bytes, and says how many.
    fn append(&self, bytes: &[u8]) -> io::Result<usize>;

    /// Appends all of these bytes, or some of them before an error.
    fn append_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.append(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Its bytes.
    fn length(&self) -> io::Result<u64>;

    /// Cuts it off behind so many bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Brings what is in it to the disk.
    fn sync(&self) -> io::Result<()>;
}

/// The operating system's.
#[derive(Clone, Copy, Debug)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        // What is written goes to the end, wherever that is after a write that was taken back.
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .custom_flags(nix::libc::O_APPEND)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Box::new(file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl DiskFile for File {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        io::Write::write(&mut &*self, bytes)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
