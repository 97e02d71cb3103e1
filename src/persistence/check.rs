//! What `redis-check-rdb` does: reads a snapshot file to its end and tells what it finds, or what is wrong and where.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use persist::{Checksums, RdbItem, RdbReader, Sanitize, Verified};
use store::item::Spelling;
use store::{Item, Tuning};

use crate::process::words;

/// What was read before the end, or before something wrong.
#[derive(Debug, Default)]
struct Findings {
    keys: u64,
    volatile: u64,
    expired: u64,
    empty: u64,
    functions: u64,
    /// The last key that was read whole, and its database.
    last: Option<(u64, Vec<u8>)>,
}

/// Reads a snapshot file at this Unix time in milliseconds and writes what it finds to `out`; whether the file is sound.
///
/// # Errors
/// `out` cannot be written to.
pub fn check_file(path: &Path, now_ms: i64, out: &mut impl Write) -> io::Result<bool> {
    writeln!(out, "[offset 0] Checking RDB file {}", path.display())?;
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) => {
            writeln!(
                out,
                "Cannot open file {}: {}",
                path.display(),
                words(&error)
            )?;
            return Ok(false);
        }
    };
    let tuning = Tuning::default();
    let mut rdb = RdbReader::new(file, &tuning, Sanitize::Deep, Checksums::Verify);
    let mut findings = Findings::default();
    loop {
        let offset = rdb.offset();
        match rdb.next_item() {
            Ok(Some(item)) => findings.take(&item, offset, now_ms, out)?,
            Ok(None) => break,
            Err(error) => {
                writeln!(out, "--- RDB ERROR DETECTED ---")?;
                writeln!(out, "[offset {}] {}", error.offset, error.reason)?;
                findings.tell_where(out)?;
                findings.tell(out)?;
                return Ok(false);
            }
        }
    }
    let offset = rdb.offset();
    match rdb.verified() {
        Some(Verified::Right) => writeln!(out, "[offset {offset}] Checksum OK")?,
        _ => writeln!(
            out,
            "[offset {offset}] RDB file was saved with checksum disabled: no check performed."
        )?,
    }
    writeln!(out, "[offset {offset}] \\o/ RDB looks OK! \\o/")?;
    findings.tell(out)?;
    Ok(true)
}

impl Findings {
    fn take(
        &mut self,
        item: &RdbItem<'_>,
        offset: u64,
        now_ms: i64,
        out: &mut impl Write,
    ) -> io::Result<()> {
        match item {
            RdbItem::Aux { name, value } => writeln!(
                out,
                "[offset {offset}] AUX FIELD {} = '{}'",
                name.escape_ascii(),
                shown(value)
            ),
            RdbItem::SelectDb(number) => {
                writeln!(out, "[offset {offset}] Selecting DB ID {number}")
            }
            RdbItem::Resize { .. } => Ok(()),
            RdbItem::Function(_) => {
                self.functions += 1;
                Ok(())
            }
            RdbItem::EmptyKey(_) => {
                self.empty += 1;
                Ok(())
            }
            RdbItem::Record(record) => {
                self.keys += 1;
                self.volatile += u64::from(record.expiry.is_some());
                let expired = record.expiry.is_some_and(|deadline| deadline < now_ms);
                self.expired += u64::from(expired);
                self.last = Some((record.db, record.key.to_vec()));
                Ok(())
            }
        }
    }

    /// Where the file is damaged: behind which key.
    fn tell_where(&self, out: &mut impl Write) -> io::Result<()> {
        match &self.last {
            None => writeln!(out, "[additional info] No key could be read before this"),
            Some((db, key)) => writeln!(
                out,
                "[additional info] The last key that was read is '{}' in DB {db}",
                key.escape_ascii()
            ),
        }
    }

    fn tell(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "[info] {} keys read", self.keys)?;
        writeln!(out, "[info] {} expires", self.volatile)?;
        writeln!(out, "[info] {} already expired", self.expired)?;
        if self.empty > 0 {
            writeln!(out, "[info] {} keys without elements", self.empty)?;
        }
        if self.functions > 0 {
            writeln!(out, "[info] {} function libraries", self.functions)?;
        }
        Ok(())
    }
}

fn shown(item: &Item<'_>) -> String {
    let mut spelling = Spelling::default();
    item.as_bytes(&mut spelling).escape_ascii().to_string()
}
