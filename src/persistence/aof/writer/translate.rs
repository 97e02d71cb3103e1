//! What of the log goes into the file, command by command.

use bytes::{Buf, BytesMut};
use resp::{Limits, Parse, Parser, Trust};
use tracing::warn;

/// The log on its way into the file.
#[derive(Debug)]
pub(super) struct Translation {
    input: BytesMut,
    parser: Parser,
    /// The offset of the log at which `input` begins.
    at: u64,
    /// The database that the log has selected.
    db: Option<u16>,
    /// Nothing was written into the file yet, so that it has to say the database first.
    is_new: bool,
    /// Whether it is within a transaction.
    in_transaction: bool,
    /// The last time written, in Unix seconds.
    stamped_s: i64,
}

/// What a command is to the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// It changes something.
    Change,
    Multi,
    Exec,
    Select(Option<u16>),
    /// It is for replicas alone.
    Talk,
}

/// What the log contains is Redis' protocol, of whatever length.
const LIMITS: Limits = Limits {
    bulk_max: u64::MAX,
    trust: Trust::Primary,
};
/// Room for input that is kept.
const INPUT_KEPT: usize = 64 << 10;

impl Translation {
    /// Of what follows this offset, where the log has selected a database if it does not say so itself.
    pub(super) fn new(at: u64, db: Option<u16>) -> Self {
        Self {
            input: BytesMut::new(),
            parser: Parser::default(),
            at,
            db,
            is_new: true,
            in_transaction: false,
            stamped_s: 0,
        }
    }

    /// Another file begins here.
    pub(super) fn restart(&mut self, db: Option<u16>) {
        self.db = db.or(self.db);
        self.is_new = true;
        self.stamped_s = 0;
    }

    /// Takes what comes next in the log.
    pub(super) fn feed(&mut self, piece: &[u8]) {
        self.input.extend_from_slice(piece);
    }

    /// The offset of the log up to which everything has been translated.
    pub(super) fn taken(&self) -> u64 {
        self.at
    }

    /// Translates whole commands, up to the cut if there is one; `now_s` when times are wanted.
    pub(super) fn translate(&mut self, cut: Option<u64>, now_s: Option<i64>, out: &mut Vec<u8>) {
        let mut done = 0;
        loop {
            let rest = self.input.get(done..).unwrap_or_default();
            if cut.is_some_and(|cut| self.at >= cut) {
                break;
            }
            let length = match self.parser.parse(rest, &LIMITS) {
                Ok(Parse::Frame(length)) => length,
                Ok(Parse::Skip(length)) => {
                    // An empty line of a primary that wants to be heard of.
                    done += length;
                    self.at += length as u64;
                    continue;
                }
                Ok(Parse::Incomplete { .. }) => break,
                Err(violation) => {
                    warn!("The log cannot be read for the append-only file: {violation}");
                    break;
                }
            };
            let request = self.parser.request(rest);
            let kind = kind_of(request.get(0).unwrap_or_default(), request.get(1));
            let bytes = rest.get(..length).unwrap_or_default();
            if kind != Kind::Talk {
                let db = self
                    .db
                    .filter(|_| self.is_new && !matches!(kind, Kind::Select(_)));
                if let Some(now_s) =
                    now_s.filter(|now_s| *now_s > self.stamped_s && !self.in_transaction)
                {
                    self.stamped_s = now_s;
                    out.extend_from_slice(format!("#TS:{now_s}\r\n").as_bytes());
                }
                if let Some(db) = db {
                    let db = db.to_string();
                    let select = format!("*2\r\n$6\r\nSELECT\r\n${}\r\n{db}\r\n", db.len());
                    out.extend_from_slice(select.as_bytes());
                }
                self.is_new = false;
                out.extend_from_slice(bytes);
            }
            match kind {
                Kind::Multi => self.in_transaction = true,
                Kind::Exec => self.in_transaction = false,
                Kind::Select(db) => self.db = db,
                Kind::Change | Kind::Talk => {}
            }
            done += length;
            self.at += length as u64;
        }
        self.input.advance(done);
        self.parser.restart();
        if self.input.is_empty() && self.input.capacity() > INPUT_KEPT {
            self.input = BytesMut::new();
        }
    }
}

fn kind_of(name: &[u8], argument: Option<&[u8]>) -> Kind {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    match name.len() {
        4 if is("PING") => Kind::Talk,
        4 if is("EXEC") => Kind::Exec,
        5 if is("MULTI") => Kind::Multi,
        6 if is("SELECT") => {
            let db = argument.and_then(|db| str::from_utf8(db).ok());
            Kind::Select(db.and_then(|db| db.parse().ok()))
        }
        7 if is("PUBLISH") => Kind::Talk,
        8 if is("REPLCONF") || is("SPUBLISH") => Kind::Talk,
        _ => Kind::Change,
    }
}

#[cfg(test)]
mod tests {
    use super::Translation;

    fn command(words: &str) -> String {
        let words: Vec<_> = words.split(' ').collect();
        let spelled = words
            .iter()
            .map(|word| format!("${}\r\n{word}\r\n", word.len()));
        format!("*{}\r\n{}", words.len(), spelled.collect::<String>())
    }

    fn log(commands: &[&str]) -> String {
        commands.iter().map(|words| command(words)).collect()
    }

    #[test]
    fn what_is_for_replicas_alone_is_left_out_at_any_division() {
        let input = log(&[
            "SELECT 3",
            "SET a b",
            "PING",
            "PUBLISH c m",
            "REPLCONF GETACK *",
            "DEL a",
        ]);
        let wanted = log(&["SELECT 3", "SET a b", "DEL a"]);
        for at in 0..input.len() {
            let (mut translation, mut out) = (Translation::new(100, None), Vec::new());
            translation.feed(&input.as_bytes()[..at]);
            translation.translate(None, None, &mut out);
            translation.feed(&input.as_bytes()[at..]);
            translation.translate(None, None, &mut out);
            assert_eq!(String::from_utf8_lossy(&out), wanted);
            assert_eq!(translation.taken(), 100 + input.len() as u64);
        }
    }

    #[test]
    fn a_new_file_says_the_database_that_the_log_has_selected() {
        let (first, second) = (log(&["SELECT 2", "SET a b"]), log(&["SET c d"]));
        let (mut translation, mut out) = (Translation::new(0, None), Vec::new());
        translation.feed(first.as_bytes());
        translation.feed(second.as_bytes());
        translation.translate(Some(first.len() as u64), None, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), first);
        out.clear();
        translation.restart(None);
        translation.translate(None, None, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), log(&["SELECT 2", "SET c d"]));
    }

    #[test]
    fn times_stand_between_commands_and_not_within_transactions() {
        let input = log(&["MULTI", "SET a b", "EXEC", "SET c d"]);
        let multi = command("MULTI").len() as u64;
        let (mut translation, mut out) = (Translation::new(0, None), Vec::new());
        translation.feed(input.as_bytes());
        translation.translate(Some(multi), Some(7), &mut out);
        translation.translate(
            Some(multi + command("SET a b").len() as u64),
            Some(8),
            &mut out,
        );
        translation.translate(None, Some(9), &mut out);
        let text = String::from_utf8_lossy(&out).into_owned();
        let wanted = format!(
            "#TS:7\r\n{}#TS:9\r\n{}",
            log(&["MULTI", "SET a b", "EXEC"]),
            log(&["SET c d"])
        );
        assert_eq!(text, wanted);
    }
}
