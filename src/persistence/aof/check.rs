//! What `redis-check-aof` does: reads append-only files to their end, tells what is wrong and where, and cuts it off on demand.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use persist::{AofItem, AofReader, AofReason, Checksums, RdbReader, Sanitize};
use store::Tuning;

use super::manifest::{Manifest, Part};
use crate::process::words;

/// What is to be done.
#[derive(Debug)]
struct Task {
    /// The manifest, or a file of the old style.
    file: PathBuf,
    end: End,
}

/// What becomes of the end of the last file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// It is looked at.
    Check,
    /// What is wrong with it is cut off (`--fix`).
    Fix,
    /// What came after this Unix time in seconds is cut off (`--truncate-to-timestamp`).
    CutAfter(i64),
}

/// What became of one file.
enum Verdict {
    Valid,
    Empty,
    Truncated,
    TruncatedToTime(i64),
}

/// The check ends here; the text has been, or is to be, written.
enum Stop {
    Text(String),
    Io(io::Error),
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Stop {
    fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// Runs the tool with these arguments, its name first: questions are answered from `input`, and all is told to `out`.
/// Whether everything is in order.
///
/// # Errors
/// `out` cannot be written to.
pub fn check(
    args: &[OsString],
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> io::Result<bool> {
    let done = parse(args).and_then(|task| run(&task, input, out));
    match done {
        Ok(()) => Ok(true),
        Err(Stop::Text(text)) => {
            writeln!(out, "{text}")?;
            Ok(false)
        }
        Err(Stop::Io(error)) => Err(error),
    }
}

fn parse(args: &[OsString]) -> Result<Task, Stop> {
    let (name, rest) = match args {
        [name, rest @ ..] => (name.to_string_lossy(), rest),
        [] => ("redis-check-aof".into(), args),
    };
    let task = |file: &OsString, end| Task {
        file: PathBuf::from(file),
        end,
    };
    match rest {
        [file] => Ok(task(file, End::Check)),
        [option, file] if option == "--fix" => Ok(task(file, End::Fix)),
        [option, time, file] if option == "--truncate-to-timestamp" => {
            let time = time.to_str().and_then(|time| time.parse().ok());
            let time = time.ok_or_else(|| Stop::text("Invalid timestamp, aborting..."))?;
            Ok(task(file, End::CutAfter(time)))
        }
        _ => Err(Stop::Text(format!(
            "Usage: {name} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>"
        ))),
    }
}

fn run(task: &Task, input: &mut impl BufRead, out: &mut impl Write) -> Result<(), Stop> {
    let Task { file, end } = task;
    let mut check = Check {
        end: *end,
        input,
        out,
    };
    if is_manifest(file)? {
        return check.parts(file);
    }
    writeln!(check.out, "Start checking Old-Style AOF")?;
    let name = file.display().to_string();
    let preamble = is_rdb(file)?;
    let verdict = check.file(&name, file, Last::Yes, preamble)?;
    check.tell("AOF", &name, &verdict)?;
    Ok(())
}

fn open(file: &Path) -> Result<File, Stop> {
    File::open(file).map_err(|error| {
        Stop::Text(format!(
            "Cannot open file {}: {}",
            file.display(),
            words(&error)
        ))
    })
}

/// Whether a file is a manifest: its first line that is no comment says so.
fn is_manifest(file: &Path) -> Result<bool, Stop> {
    let mut reader = BufReader::new(open(file)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = (&mut reader).take(LINE_MAX).read_until(b'\n', &mut line);
        read.map_err(|_| Stop::Text(format!("Cannot read file: {}", file.display())))?;
        match line.first() {
            Some(b'#') => {}
            _ => return Ok(line.starts_with(b"file")),
        }
    }
}

/// Bytes of a line of a manifest at most.
const LINE_MAX: u64 = 1024;

fn is_rdb(file: &Path) -> Result<bool, Stop> {
    let mut signature = [0; 8];
    let read = open(file)?.read_exact(&mut signature);
    Ok(read.is_ok() && signature.starts_with(b"REDIS"))
}

/// Whether a file is the last one, the only one that may be cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Yes,
    No,
}

/// A check under way.
struct Check<'a, I, O> {
    end: End,
    input: &'a mut I,
    out: &'a mut O,
}

/// What reading a file came to.
struct Findings {
    /// Up to where it is in order, and what is wrong there.
    valid_up_to: u64,
    line: u64,
    error: Option<String>,
    /// Where the first annotation of a later time begins.
    later: Option<u64>,
}

impl<I: BufRead, O: Write> Check<'_, I, O> {
    /// Checks the files of a manifest.
    fn parts(&mut self, manifest: &Path) -> Result<(), Stop> {
        writeln!(self.out, "Start checking Multi Part AOF")?;
        let text = fs::read(manifest).map_err(|error| {
            Stop::Text(format!(
                "Fatal error: can't open the AOF manifest file {} for reading: {}",
                manifest.display(),
                words(&error)
            ))
        })?;
        let files = Manifest::parse(&text).map_err(|error| {
            Stop::Text(format!("\n*** FATAL AOF MANIFEST FILE ERROR ***\n{error}"))
        })?;
        let directory = manifest.parent().unwrap_or_else(|| Path::new(""));
        let count = files.parts().count();
        if let Some(base) = &files.base {
            let preamble = is_rdb(&base.path(directory))?;
            let format = if preamble { "RDB" } else { "RESP" };
            writeln!(self.out, "Start to check BASE AOF ({format} format).")?;
            self.part("BASE AOF", directory, base, last(count == 1), preamble)?;
        }
        if !files.increments.is_empty() {
            writeln!(self.out, "Start to check INCR files.")?;
        }
        for (at, part) in files.increments.iter().enumerate() {
            let is_last = last(at + 1 == files.increments.len());
            self.part("INCR AOF", directory, part, is_last, false)?;
        }
        writeln!(self.out, "All AOF files and manifest are valid")?;
        Ok(())
    }

    fn part(
        &mut self,
        kind: &str,
        directory: &Path,
        part: &Part,
        is_last: Last,
        preamble: bool,
    ) -> Result<(), Stop> {
        let name = part.shown().to_string();
        let verdict = self.file(&name, &part.path(directory), is_last, preamble)?;
        self.tell(kind, &name, &verdict)?;
        Ok(())
    }

    fn tell(&mut self, kind: &str, name: &str, verdict: &Verdict) -> io::Result<()> {
        match verdict {
            Verdict::Valid => writeln!(self.out, "{kind} {name} is valid"),
            Verdict::Empty => writeln!(self.out, "{kind} {name} is empty"),
            Verdict::Truncated => writeln!(self.out, "Successfully truncated AOF {name}"),
            Verdict::TruncatedToTime(time) => {
                writeln!(
                    self.out,
                    "Successfully truncated AOF {name} to timestamp {time}"
                )
            }
        }
    }

    fn file(
        &mut self,
        name: &str,
        path: &Path,
        is_last: Last,
        preamble: bool,
    ) -> Result<Verdict, Stop> {
        let opened = OpenOptions::new().read(true).write(true).open(path);
        let mut file = opened.map_err(|error| {
            Stop::Text(format!(
                "Cannot open file {}: {}, aborting...",
                path.display(),
                words(&error)
            ))
        })?;
        let size = file.metadata()?.len();
        if size == 0 {
            return Ok(Verdict::Empty);
        }
        let start = if preamble {
            self.preamble(&mut file)?
        } else {
            0
        };
        file.seek(SeekFrom::Start(start))?;
        let findings = self.read(name, &file, start)?;
        if let (Some(offset), End::CutAfter(time)) = (findings.later, self.end) {
            return cut_to_time(path, &file, offset, time, is_last);
        }
        if let Some(error) = &findings.error {
            writeln!(self.out, "{error}")?;
        }
        let surplus = size - findings.valid_up_to;
        if let (0, End::CutAfter(time)) = (surplus, self.end) {
            writeln!(
                self.out,
                "Truncate nothing in AOF {name} to timestamp {time}"
            )?;
            return Ok(Verdict::Valid);
        }
        writeln!(
            self.out,
            "AOF analyzed: filename={name}, size={size}, ok_up_to={}, ok_up_to_line={}, diff={surplus}",
            findings.valid_up_to, findings.line
        )?;
        match (surplus, self.end) {
            (0, _) => Ok(Verdict::Valid),
            (_, End::Fix) => self.fix(name, &file, size, findings.valid_up_to, is_last),
            _ => Err(Stop::Text(format!(
                "AOF {name} is not valid. Use the --fix option to try fixing it."
            ))),
        }
    }

    /// Checks the snapshot that a file begins with; where the commands begin.
    fn preamble(&mut self, file: &mut File) -> Result<u64, Stop> {
        let tuning = Tuning::default();
        let mut rdb = RdbReader::new(file, &tuning, Sanitize::Deep, Checksums::Verify);
        loop {
            match rdb.next_item() {
                Ok(Some(_)) => {}
                Ok(None) => break,
                Err(error) => {
                    writeln!(self.out, "--- RDB ERROR DETECTED ---")?;
                    writeln!(self.out, "[offset {}] {}", error.offset, error.reason)?;
                    return Err(Stop::text(
                        "RDB preamble of AOF file is not sane, aborting.",
                    ));
                }
            }
        }
        writeln!(self.out, "RDB preamble is OK, proceeding with AOF tail...")?;
        Ok(rdb.offset())
    }

    /// Reads the commands of a file from `start` on.
    fn read(&mut self, name: &str, file: &File, start: u64) -> Result<Findings, Stop> {
        let mut reader = AofReader::new(BufReader::new(file), start);
        let mut in_transaction = false;
        let mut findings = Findings {
            valid_up_to: start,
            line: 1,
            error: None,
            later: None,
        };
        loop {
            if !in_transaction {
                findings.valid_up_to = reader.offset();
            }
            let offset = reader.offset();
            let item = reader.next_item();
            match item {
                Ok(None) => break,
                Ok(Some(AofItem::Annotation(line))) => {
                    if self.is_later(line, offset, name)? {
                        findings.later = Some(offset);
                        return Ok(findings);
                    }
                }
                Ok(Some(AofItem::Command(words))) => {
                    let named = |other: &str| words.name().eq_ignore_ascii_case(other.as_bytes());
                    let (begins, ends) = (named("multi"), named("exec"));
                    if begins && in_transaction || ends && !in_transaction {
                        let which = if begins { "MULTI" } else { "EXEC" };
                        findings.error =
                            Some(at(offset, &format!("Unexpected {which} in AOF {name}")));
                        break;
                    }
                    in_transaction = (in_transaction || begins) && !ends;
                }
                Err(error) => {
                    findings.error = match error.reason {
                        AofReason::CutOffLine => None,
                        AofReason::Prefix { expected: b'*', .. } => {
                            writeln!(self.out, "AOF {name} format error")?;
                            Some(at(error.offset, &error.reason.to_string()))
                        }
                        reason => Some(at(error.offset, &reason.to_string())),
                    };
                    break;
                }
            }
        }
        findings.line = reader.line();
        if in_transaction && findings.error.is_none() {
            let text = "Reached EOF before reading EXEC for MULTI";
            findings.error = Some(at(reader.offset(), text));
        }
        Ok(findings)
    }

    /// Whether an annotation tells of a time after which everything is to be cut off.
    fn is_later(&self, line: &[u8], offset: u64, name: &str) -> Result<bool, Stop> {
        let (End::CutAfter(wanted), Some(time)) = (self.end, line.strip_prefix(b"#TS:")) else {
            return Ok(false);
        };
        let time = str::from_utf8(time).ok().and_then(|time| time.parse().ok());
        let time: i64 = time.ok_or_else(|| Stop::text("Invalid timestamp annotation"))?;
        if time > wanted && offset == 0 {
            return Err(Stop::Text(format!(
                "AOF {name} has nothing before timestamp {wanted}, aborting..."
            )));
        }
        Ok(time > wanted)
    }

    fn fix(
        &mut self,
        name: &str,
        file: &File,
        size: u64,
        valid_up_to: u64,
        is_last: Last,
    ) -> Result<Verdict, Stop> {
        if is_last == Last::No {
            return Err(Stop::Text(format!(
                "Failed to truncate AOF {name} because it is not the last file"
            )));
        }
        let surplus = size - valid_up_to;
        writeln!(
            self.out,
            "This will shrink the AOF {name} from {size} bytes, with {surplus} bytes, to {valid_up_to} bytes"
        )?;
        write!(self.out, "Continue? [y/N]: ")?;
        self.out.flush()?;
        let mut answer = String::new();
        self.input.read_line(&mut answer)?;
        if !answer.starts_with(['y', 'Y']) {
            return Err(Stop::text("Aborting..."));
        }
        match file.set_len(valid_up_to) {
            Ok(()) => Ok(Verdict::Truncated),
            Err(_) => Err(Stop::Text(format!("Failed to truncate AOF {name}"))),
        }
    }
}

fn last(is_last: bool) -> Last {
    if is_last { Last::Yes } else { Last::No }
}

fn at(offset: u64, text: &str) -> String {
    format!("0x{offset:16x}: {text}")
}

fn cut_to_time(
    path: &Path,
    file: &File,
    offset: u64,
    time: i64,
    is_last: Last,
) -> Result<Verdict, Stop> {
    let shown = path.display();
    if is_last == Last::No {
        return Err(Stop::Text(format!(
            "Failed to truncate AOF {shown} to timestamp {time} to offset {offset} because it is not the last file.\n\
             If you insist, please delete all files after this file according to the manifest file and delete the \
             corresponding records in manifest file manually. Then re-run redis-check-aof."
        )));
    }
    match file.set_len(offset) {
        Ok(()) => Ok(Verdict::TruncatedToTime(time)),
        Err(_) => Err(Stop::Text(format!(
            "Failed to truncate AOF {shown} to timestamp {time}"
        ))),
    }
}
