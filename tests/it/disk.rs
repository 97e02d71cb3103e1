//! A disk that remembers in which order it was changed, so that what a power cut leaves of it can be laid out anew; and that
//! has no room, fails or stalls when it is told to.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use commands::Rng;
use cuirass::persistence::disk::{Disk, DiskFile, SystemDisk};
use parking_lot::{Condvar, Mutex};
use tempfile::TempDir;

/// How long it stalls at most.
const STALL: Duration = Duration::from_secs(30);

/// A directory of the system's, and everything that was done to it.
#[derive(Debug)]
pub(crate) struct RecordedDisk {
    root: PathBuf,
    tape: Mutex<Tape>,
    faults: Mutex<Faults>,
    unstalled: Condvar,
}

#[derive(Debug, Default)]
struct Tape {
    changes: Vec<Change>,
    /// The files by their present names.
    names: HashMap<PathBuf, usize>,
    files: usize,
}

/// What was done. Paths are below the root; files are numbered, whatever their names.
#[derive(Clone, Debug)]
enum Change {
    Directory(PathBuf),
    Name(PathBuf, usize),
    Rename {
        from: PathBuf,
        to: PathBuf,
        file: usize,
    },
    Remove(PathBuf),
    Append(usize, Vec<u8>),
    Truncate(usize, u64),
    /// What was done to the file before this place of the tape is on disk.
    Sync(usize, usize),
    /// And so are the names in this directory.
    SyncDirectory(PathBuf, usize),
}

/// What the disk refuses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    /// Bytes that can be appended until it is full.
    pub(crate) room: Option<u64>,
    /// Whether a file cannot be brought to it.
    pub(crate) sync: bool,
    /// How often names can be brought to it until they cannot.
    pub(crate) directory_syncs: Option<u64>,
    /// Whether bringing an increment of an append-only file to it does not come to an end.
    pub(crate) stalled: bool,
}

/// What becomes of changes that no sync has brought to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// They are there: the process was killed, and the system lives.
    Kept,
    /// They are not.
    Lost,
    /// Of each file there is the beginning of what was appended, torn anywhere; each name is the new one or the old one.
    Torn,
}

impl RecordedDisk {
    /// The disk of this directory. What is there already outlasts everything.
    pub(crate) fn new(root: &Path) -> Arc<Self> {
        let mut tape = Tape::default();
        tape.take_stock(root, Path::new(""));
        Arc::new(Self {
            root: root.to_path_buf(),
            tape: Mutex::new(tape),
            faults: Mutex::default(),
            unstalled: Condvar::new(),
        })
    }

    /// How much has been done so far.
    pub(crate) fn position(&self) -> usize {
        self.tape.lock().changes.len()
    }

    /// Places where names were changed.
    pub(crate) fn turning_points(&self) -> Vec<usize> {
        let tape = self.tape.lock();
        let numbered = tape.changes.iter().enumerate();
        let named = numbered.filter(|(_, change)| {
            !matches!(
                change,
                Change::Append(..) | Change::Truncate(..) | Change::Sync(..)
            )
        });
        named.map(|(at, _)| at).collect()
    }

    /// Whether everything that was appended before this place is on disk.
    pub(crate) fn has_settled(&self, before: usize) -> bool {
        let tape = self.tape.lock();
        let settled = Settled::of(&tape.changes);
        let numbered = tape.changes[..before].iter().enumerate();
        let is_settled = |(at, change): (usize, &Change)| match change {
            Change::Append(file, _) => settled.files.get(file).is_some_and(|until| at < *until),
            _ => true,
        };
        numbered.into_iter().all(is_settled)
    }

    /// Lets it refuse something, or nothing any more.
    pub(crate) fn set_faults(&self, faults: Faults) {
        *self.faults.lock() = faults;
        self.unstalled.notify_all();
    }

    /// Lays out what a power cut leaves after so many changes.
    pub(crate) fn image(&self, at: usize, fate: Fate, rng: &mut Rng) -> TempDir {
        let tape = self.tape.lock();
        let changes = &tape.changes[..at];
        let settled = Settled::of(changes);
        let names = settled.names(changes, fate, rng);
        let contents = settled.contents(changes, fate, rng);
        let dir = TempDir::new().unwrap();
        // In the order of their names, so that directories come before what is in them.
        for (name, file) in names {
            let path = dir.path().join(name);
            // A directory that is not there takes with it what is in it.
            match file {
                None => drop(fs::create_dir(path)),
                Some(file) => {
                    drop(fs::write(
                        path,
                        contents.get(&file).map_or(&[][..], |bytes| bytes),
                    ));
                }
            }
        }
        dir
    }

    fn within(&self, path: &Path) -> PathBuf {
        path.strip_prefix(&self.root).unwrap().to_path_buf()
    }

    fn opened(
        self: &Arc<Self>,
        path: &Path,
        inner: Box<dyn DiskFile>,
        file: usize,
    ) -> Box<dyn DiskFile> {
        Box::new(RecordedFile {
            disk: Arc::clone(self),
            inner,
            file,
            is_increment: path.to_string_lossy().ends_with(".incr.aof"),
        })
    }

    /// Appends as many of the bytes as there is room for.
    fn admit(&self, bytes: usize) -> io::Result<usize> {
        let mut faults = self.faults.lock();
        let Some(room) = &mut faults.room else {
            return Ok(bytes);
        };
        let admitted = bytes.min(usize::try_from(*room).unwrap());
        *room -= admitted as u64;
        if admitted == 0 {
            return Err(nix::Error::ENOSPC.into());
        }
        Ok(admitted)
    }
}

impl Tape {
    /// Enters what is in a directory, all of it on disk.
    fn take_stock(&mut self, root: &Path, directory: &Path) {
        for entry in fs::read_dir(root.join(directory)).unwrap() {
            let entry = entry.unwrap();
            let path = directory.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                self.changes.push(Change::Directory(path.clone()));
                self.take_stock(root, &path);
            } else {
                let file = self.name(&path);
                let bytes = fs::read(entry.path()).unwrap();
                self.changes.push(Change::Append(file, bytes));
                self.changes.push(Change::Sync(file, self.changes.len()));
            }
        }
        let directory = directory.to_path_buf();
        let synced = Change::SyncDirectory(directory, self.changes.len());
        self.changes.push(synced);
    }

    /// The file of this name, which is a new one if there is none.
    fn name(&mut self, path: &Path) -> usize {
        if let Some(file) = self.names.get(path) {
            return *file;
        }
        let file = self.files;
        self.files += 1;
        self.names.insert(path.to_path_buf(), file);
        self.changes.push(Change::Name(path.to_path_buf(), file));
        file
    }
}

/// Up to which place of the tape what was done to files, and to the names in directories, is on disk.
struct Settled<'t> {
    files: HashMap<usize, usize>,
    directories: HashMap<&'t Path, usize>,
}

impl<'t> Settled<'t> {
    fn of(changes: &'t [Change]) -> Self {
        let (mut files, mut directories) = (HashMap::new(), HashMap::<&Path, usize>::new());
        for change in changes {
            match change {
                Change::Sync(file, before) => {
                    let settled = files.entry(*file).or_insert(0);
                    *settled = (*before).max(*settled);
                }
                Change::SyncDirectory(path, before) => {
                    let settled = directories.entry(path).or_insert(0);
                    *settled = (*before).max(*settled);
                }
                _ => {}
            }
        }
        Self { files, directories }
    }

    /// Whether a change of this name, at this place of the tape, is there.
    fn is_named(&self, path: &Path, at: usize, fate: Fate, rng: &mut Rng) -> bool {
        let directory = path.parent().unwrap();
        let settled = self.directories.get(directory);
        settled.is_some_and(|settled| at < *settled)
            || match fate {
                Fate::Kept => true,
                Fate::Lost => false,
                Fate::Torn => rng.below(2) == 0,
            }
    }

    /// What there is: directories, and the files by their names.
    fn names(
        &self,
        changes: &[Change],
        fate: Fate,
        rng: &mut Rng,
    ) -> BTreeMap<PathBuf, Option<usize>> {
        let mut names = BTreeMap::new();
        for (at, change) in changes.iter().enumerate() {
            let (Change::Directory(path)
            | Change::Name(path, _)
            | Change::Remove(path)
            | Change::Rename { to: path, .. }) = change
            else {
                continue;
            };
            if !self.is_named(path, at, fate, rng) {
                continue;
            }
            match change {
                Change::Directory(_) => drop(names.insert(path.clone(), None)),
                Change::Name(_, file) => drop(names.insert(path.clone(), Some(*file))),
                Change::Rename { from, file, .. } => {
                    if names.get(from) == Some(&Some(*file)) {
                        names.remove(from);
                    }
                    names.insert(path.clone(), Some(*file));
                }
                _ => drop(names.remove(path)),
            }
        }
        names
    }

    /// What is in the files.
    fn contents(&self, changes: &[Change], fate: Fate, rng: &mut Rng) -> HashMap<usize, Vec<u8>> {
        let mut contents = HashMap::<usize, Vec<u8>>::new();
        let mut unsettled = BTreeMap::<usize, Vec<&Change>>::new();
        for (at, change) in changes.iter().enumerate() {
            let (Change::Append(file, _) | Change::Truncate(file, _)) = change else {
                continue;
            };
            let settled = self.files.get(file);
            if fate == Fate::Kept || settled.is_some_and(|settled| at < *settled) {
                change.apply(contents.entry(*file).or_default(), usize::MAX);
            } else {
                unsettled.entry(*file).or_default().push(change);
            }
        }
        if fate == Fate::Torn {
            for (file, changes) in unsettled {
                let bytes = contents.entry(file).or_default();
                let whole = rng.below(changes.len() as u64 + 1) as usize;
                for change in &changes[..whole] {
                    change.apply(bytes, usize::MAX);
                }
                if let Some(torn @ Change::Append(..)) = changes.get(whole) {
                    torn.apply(bytes, torn.cut(rng));
                }
            }
        }
        contents
    }
}

impl Change {
    /// How many bytes of it are there when it is torn.
    fn cut(&self, rng: &mut Rng) -> usize {
        match self {
            Self::Append(_, bytes) => rng.below(bytes.len() as u64) as usize,
            _ => 0,
        }
    }

    /// Changes what is in a file: of what is appended, so many bytes at most.
    fn apply(&self, bytes: &mut Vec<u8>, appended_max: usize) {
        match self {
            Self::Append(_, more) => bytes.extend(more.iter().take(appended_max)),
            Self::Truncate(_, length) => bytes.truncate(usize::try_from(*length).unwrap()),
            _ => {}
        }
    }
}

/// The disk as a server has it.
#[derive(Clone, Debug)]
pub(crate) struct Recorded(pub(crate) Arc<RecordedDisk>);

impl Disk for Recorded {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inner = SystemDisk.create(path)?;
        let mut tape = self.0.tape.lock();
        let file = tape.name(&self.0.within(path));
        tape.changes.push(Change::Truncate(file, 0));
        Ok(self.0.opened(path, inner, file))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inner = SystemDisk.open(path)?;
        let file = self.0.tape.lock().name(&self.0.within(path));
        Ok(self.0.opened(path, inner, file))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        SystemDisk.rename(from, to)?;
        let (from, to) = (self.0.within(from), self.0.within(to));
        let mut tape = self.0.tape.lock();
        let file = tape.names.remove(&from).unwrap();
        tape.names.insert(to.clone(), file);
        tape.changes.push(Change::Rename { from, to, file });
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        SystemDisk.remove(path)?;
        let path = self.0.within(path);
        let mut tape = self.0.tape.lock();
        tape.names.remove(&path);
        tape.changes.push(Change::Remove(path));
        Ok(())
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        SystemDisk.create_directory(path)?;
        let made = Change::Directory(self.0.within(path));
        self.0.tape.lock().changes.push(made);
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        if let Some(left) = &mut self.0.faults.lock().directory_syncs {
            *left = left.checked_sub(1).ok_or(nix::Error::EIO)?;
        }
        let path = self.0.within(path);
        let mut tape = self.0.tape.lock();
        let before = tape.changes.len();
        tape.changes.push(Change::SyncDirectory(path, before));
        Ok(())
    }
}

#[derive(Debug)]
struct RecordedFile {
    disk: Arc<RecordedDisk>,
    inner: Box<dyn DiskFile>,
    file: usize,
    is_increment: bool,
}

impl DiskFile for RecordedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let admitted = self.disk.admit(bytes.len())?;
        let mut tape = self.disk.tape.lock();
        self.inner.append_all(&bytes[..admitted])?;
        let appended = Change::Append(self.file, bytes[..admitted].to_vec());
        tape.changes.push(appended);
        Ok(admitted)
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        let mut tape = self.disk.tape.lock();
        self.inner.truncate(length)?;
        tape.changes.push(Change::Truncate(self.file, length));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let before = self.disk.position();
        let mut faults = self.disk.faults.lock();
        while faults.stalled && self.is_increment {
            // A server of a test that has failed is to end some time.
            if self.disk.unstalled.wait_for(&mut faults, STALL).timed_out() {
                break;
            }
        }
        if faults.sync {
            return Err(nix::Error::EIO.into());
        }
        drop(faults);
        // Nobody cuts the power here, so that the system need not be troubled.
        let synced = Change::Sync(self.file, before);
        self.disk.tape.lock().changes.push(synced);
        Ok(())
    }
}
