//! The manifest: which files an append-only file consists of, and in which order they are loaded.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b     the dataset as it was
//! file appendonly.aof.1.incr.aof seq 1 type h     history: to be removed
//! file appendonly.aof.2.incr.aof seq 2 type i     what happened since, in order
//! ```
//!
//! It is replaced as a whole by a rename, so that after a crash it names files that belong together.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use config::grammar;
use tracing::warn;

use crate::persistence::disk::Disk;
use crate::process::words;

/// The files of an append-only file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The dataset as it was.
    pub(crate) base: Option<Part>,
    /// Files that are of no use any more.
    pub(crate) history: Vec<Part>,
    /// What happened since, in order.
    pub(crate) increments: Vec<Part>,
    /// The highest numbers that were given.
    base_seq: i64,
    increment_seq: i64,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Its name within the directory.
    pub(crate) name: Vec<u8>,
    seq: i64,
}

/// How a base is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BaseFormat {
    /// As an RDB file.
    Rdb,
    /// As commands.
    Commands,
}

/// What is wrong with a manifest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ManifestError {
    /// Where: the number of the line, the first being 1, and its text.
    pub(crate) line: Option<(usize, Vec<u8>)>,
    pub(crate) what: &'static str,
}

/// Why a manifest is not stored. The log has said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unstored {
    /// The old one is in force.
    Refused,
    /// It is in the place of the old one, but either may be there after a power cut.
    Unsettled,
}

/// Bytes of a line at most, its end included (MANIFEST_MAX_LINE, Redis 7.2).
const LINE_MAX: usize = 1024;

impl Part {
    /// Its path.
    pub(crate) fn path(&self, directory: &Path) -> std::path::PathBuf {
        directory.join(OsStr::from_bytes(&self.name))
    }

    /// Its name as the log shows it.
    pub(crate) fn shown(&self) -> impl fmt::Display + '_ {
        OsStr::from_bytes(&self.name).display()
    }
}

impl Manifest {
    /// Reads the manifest `text`.
    ///
    /// # Errors
    /// The first thing that is wrong with it, in the words of Redis 7.2.
    pub(crate) fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let whole = |what| ManifestError { line: None, what };
        if text.is_empty() {
            return Err(whole("Found an empty AOF manifest"));
        }
        let mut manifest = Self::default();
        for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if line.first() == Some(&b'#') {
                continue;
            }
            if line.len() > LINE_MAX || line.last() != Some(&b'\n') {
                return Err(whole("The AOF manifest file contains too long line"));
            }
            let line = line.trim_ascii();
            manifest.add(line).map_err(|what| ManifestError {
                line: Some((at + 1, line.to_vec())),
                what,
            })?;
        }
        Ok(manifest)
    }

    fn add(&mut self, line: &[u8]) -> Result<(), &'static str> {
        const FORMAT: &str = "Invalid AOF manifest file format";
        let words = grammar::words(line).map_err(|_| FORMAT)?;
        // More pairs than these three may come: of a later version.
        let (pairs, []) = words.as_chunks() else {
            return Err(FORMAT);
        };
        if pairs.len() < 3 {
            return Err(FORMAT);
        }
        let (mut name, mut seq, mut kind) = (None, 0, None);
        for [key, value] in pairs {
            if key.eq_ignore_ascii_case(b"file") {
                if value.contains(&b'/') || value.contains(&b'\\') {
                    return Err("File can't be a path, just a filename");
                }
                name = Some(value.clone());
            } else if key.eq_ignore_ascii_case(b"seq") {
                let text = str::from_utf8(value).unwrap_or_default();
                seq = text.parse().unwrap_or(0);
            } else if key.eq_ignore_ascii_case(b"type") {
                kind = value.first().copied();
            }
        }
        let (Some(name), Some(kind)) = (name, kind) else {
            return Err(FORMAT);
        };
        if seq == 0 {
            return Err(FORMAT);
        }
        self.file(Part { name, seq }, kind)
    }

    fn file(&mut self, part: Part, kind: u8) -> Result<(), &'static str> {
        match kind {
            b'b' if self.base.is_some() => Err("Found duplicate base file information"),
            b'b' => {
                self.base_seq = part.seq;
                self.base = Some(part);
                Ok(())
            }
            b'h' => {
                self.history.push(part);
                Ok(())
            }
            b'i' if part.seq <= self.increment_seq => Err("Found a non-monotonic sequence number"),
            b'i' => {
                self.increment_seq = part.seq;
                self.increments.push(part);
                Ok(())
            }
            _ => Err("Unknown AOF file type"),
        }
    }

    /// Whether there is nothing to load.
    pub(crate) fn is_empty(&self) -> bool {
        self.base.is_none() && self.increments.is_empty()
    }

    /// The files to be loaded, in order.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }

    /// Makes a file of the old style, which consists of one part, the base.
    pub(crate) fn adopt(&mut self, name: &[u8]) {
        self.base_seq = 1;
        self.base = Some(Part {
            name: name.to_vec(),
            seq: 1,
        });
    }

    /// Names a new base; the old one, if there is one, becomes history.
    pub(crate) fn next_base(&mut self, basename: &[u8], format: BaseFormat) -> Part {
        if let Some(base) = self.base.take() {
            self.history.insert(0, base);
        }
        self.base_seq += 1;
        let suffix = match format {
            BaseFormat::Rdb => "base.rdb",
            BaseFormat::Commands => "base.aof",
        };
        let part = Part::new(basename, self.base_seq, suffix);
        self.base = Some(part.clone());
        part
    }

    /// Names a new increment.
    pub(crate) fn next_increment(&mut self, basename: &[u8]) -> Part {
        self.increment_seq += 1;
        let part = Part::new(basename, self.increment_seq, "incr.aof");
        self.increments.push(part.clone());
        part
    }

    /// Makes history of the increments but for the last `kept`.
    pub(crate) fn retire_increments(&mut self, kept: usize) {
        let retired = self.increments.len().saturating_sub(kept);
        for part in self.increments.drain(..retired).rev().collect::<Vec<_>>() {
            self.history.insert(0, part);
        }
    }

    /// The text, as Redis 7.2 writes it.
    pub(crate) fn to_text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        let kinds = [
            (b'b', self.base.as_slice()),
            (b'h', &self.history),
            (b'i', &self.increments),
        ];
        for (kind, parts) in kinds {
            for Part { name, seq } in parts {
                let plain = |byte: &u8| {
                    matches!(byte, b' '..=b'~') && !matches!(byte, b' ' | b'\\' | b'"' | b'\'')
                };
                let name = if !name.is_empty() && name.iter().all(plain) {
                    name.clone()
                } else {
                    grammar::quote(name)
                };
                text.extend_from_slice(b"file ");
                text.extend_from_slice(&name);
                text.extend_from_slice(format!(" seq {seq} type ").as_bytes());
                text.extend_from_slice(&[kind, b'\n']);
            }
        }
        text
    }

    /// Puts it in the place of the old one on disk. The log says what fails.
    ///
    /// # Errors
    /// [`Unstored`]
    pub(crate) fn store(
        &self,
        disk: &dyn Disk,
        directory: &Path,
        basename: &[u8],
    ) -> Result<(), Unstored> {
        let name = manifest_name(basename);
        let temporary = [b"temp-", name.as_slice()].concat();
        let (shown, shown_temporary) = (
            OsStr::from_bytes(&name).display(),
            OsStr::from_bytes(&temporary).display(),
        );
        let path = directory.join(OsStr::from_bytes(&name));
        let temporary_path = directory.join(OsStr::from_bytes(&temporary));
        let prepared = disk.create(&temporary_path).inspect_err(|error| {
            warn!(
                "Can't open the AOF manifest file {shown_temporary}: {}",
                words(error)
            );
        });
        let prepared = prepared.and_then(|file| {
            file.append_all(&self.to_text()).inspect_err(|error| {
                warn!(
                    "Error trying to write the temporary AOF manifest file {shown_temporary}: {}",
                    words(error)
                );
            })?;
            file.sync().inspect_err(|error| {
                warn!(
                    "Fail to fsync the temp AOF file {shown_temporary}: {}.",
                    words(error)
                );
            })
        });
        // The files that it names are there before it is, and it is there before anything is done that relies on it.
        let sync_names = || {
            disk.sync_directory(directory).inspect_err(|error| {
                warn!(
                    "Fail to fsync AOF directory {}: {}.",
                    path.display(),
                    words(error)
                );
            })
        };
        let renamed = prepared.and_then(|()| sync_names()).and_then(|()| {
            disk.rename(&temporary_path, &path).inspect_err(|error| {
                warn!(
                    "Error trying to rename the temporary AOF manifest file {shown_temporary} into {shown}: {}",
                    words(error)
                );
            })
        });
        renamed.map_err(|_| Unstored::Refused)?;
        sync_names().map_err(|_| Unstored::Unsettled)
    }
}

impl Part {
    fn new(basename: &[u8], seq: i64, suffix: &str) -> Self {
        let tail = format!(".{seq}.{suffix}");
        Self {
            name: [basename, tail.as_bytes()].concat(),
            seq,
        }
    }
}

/// The name of the manifest.
pub(crate) fn manifest_name(basename: &[u8]) -> Vec<u8> {
    [basename, b".manifest"].concat()
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((number, text)) = &self.line {
            writeln!(f, "Reading the manifest file, at line {number}")?;
            writeln!(f, ">>> '{}'", String::from_utf8_lossy(text))?;
        }
        f.write_str(self.what)
    }
}

#[cfg(test)]
mod tests {
    use super::{BaseFormat, Manifest};

    #[track_caller]
    fn refuses(text: &str, what: &str, line: Option<usize>) {
        let error = Manifest::parse(text.as_bytes()).expect_err("it is refused");
        assert_eq!(error.what, what);
        assert_eq!(error.line.map(|(number, _)| number), line);
    }

    #[test]
    fn a_manifest_is_written_as_it_was_read() {
        let text = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\n\
                    file a.2.incr.aof seq 2 type i\nfile \"a b.3.incr.aof\" seq 3 type i\n";
        let manifest = Manifest::parse(text.as_bytes()).expect("it is one");
        assert_eq!(manifest.to_text(), text.as_bytes());
        let names = manifest.parts().map(|part| part.name.clone());
        let names: Vec<_> = names.collect();
        assert_eq!(
            names,
            [&b"a.2.base.rdb"[..], b"a.2.incr.aof", b"a b.3.incr.aof"]
        );
    }

    #[test]
    fn comments_and_unknown_pairs_are_passed_over() {
        let text = "# a comment\nfile a seq 1 type i more x\n";
        let manifest = Manifest::parse(text.as_bytes()).expect("it is one");
        assert_eq!(manifest.to_text(), b"file a seq 1 type i\n");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let format = "Invalid AOF manifest file format";
        refuses("", "Found an empty AOF manifest", None);
        refuses("\n", format, Some(1));
        refuses("file a seq 1 type\n", format, Some(1));
        refuses(
            "file a seq 1 type b\nfile a seq 0 type i\n",
            format,
            Some(2),
        );
        refuses(
            "file a seq 1 type b",
            "The AOF manifest file contains too long line",
            None,
        );
        refuses(
            "file /a seq 1 type b\n",
            "File can't be a path, just a filename",
            Some(1),
        );
        refuses("file a seq 1 type z\n", "Unknown AOF file type", Some(1));
        let twice = "file a seq 1 type b\nfile a seq 2 type b\n";
        refuses(twice, "Found duplicate base file information", Some(2));
        let back = "file a seq 2 type i\nfile b seq 2 type i\n";
        refuses(back, "Found a non-monotonic sequence number", Some(2));
    }

    #[test]
    fn a_rewrite_makes_history_of_what_it_replaces() {
        let text = "file a.1.base.aof seq 1 type b\nfile a.1.incr.aof seq 1 type i\n";
        let mut manifest = Manifest::parse(text.as_bytes()).expect("it is one");
        assert_eq!(manifest.next_increment(b"a").name, b"a.2.incr.aof");
        assert_eq!(
            manifest.next_base(b"a", BaseFormat::Rdb).name,
            b"a.2.base.rdb"
        );
        manifest.retire_increments(1);
        let wanted = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\n\
                      file a.1.base.aof seq 1 type h\nfile a.2.incr.aof seq 2 type i\n";
        assert_eq!(manifest.to_text(), wanted.as_bytes());
    }
}
