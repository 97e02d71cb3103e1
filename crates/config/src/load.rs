//! Loading a configuration: files, standard input and the command line, and the lines that are no directives.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::args::Run;
use crate::config::Config;
use crate::directive::{self, Id};
use crate::grammar::{self, Line};
use crate::reason::Reason;
use crate::source::{self, Files};
use crate::value::Occasion;

/// Where a text of configuration comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// The command line.
    Arguments,
}

/// A line of a configuration and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The text that the line belongs to.
    pub origin: Origin,
    /// Its number in there, from 1.
    pub line: usize,
    /// The line without the blanks around it.
    pub text: Vec<u8>,
}

/// Why a server does not start. Its `Display` is what Redis prints, and the name of the file besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// A line is wrong.
    Line(Box<Place>, Reason),
    /// The lines do not go together.
    Whole(Reason),
    /// A file cannot be read.
    File(PathBuf, String),
}

/// Something that the user should know but that keeps no server from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    /// Cluster mode has fewer databases: so many were asked for, so many there are.
    Databases(i64, i64),
    /// `oom-score-adj-values` fall, which takes privileges.
    OomScoresFall,
}

/// A line that is no directive of the table, for the server to act on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declaration {
    /// The words behind the first.
    pub words: Vec<Vec<u8>>,
    /// Where it stands.
    pub place: Place,
}

/// What a configuration says beside its directives, each in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Declarations {
    /// `user <name> [rule ...]`.
    pub users: Vec<Declaration>,
    /// `rename-command <name> <name or nothing>`.
    pub renames: Vec<Declaration>,
    /// `loadmodule <path> [argument ...]`.
    pub modules: Vec<Declaration>,
    /// `<module>.<directive> <value ...>`; the first word is the directive.
    pub module_settings: Vec<Declaration>,
}

impl Config {
    /// Loads all that a command line names, in Redis' order: the file, standard input, the arguments.
    ///
    /// # Errors
    /// The first [`ConfigError`]; the values are then those up to it.
    pub fn load_all(
        &mut self,
        run: &Run,
        stdin: &[u8],
        files: &dyn Files,
    ) -> Result<Vec<Warning>, ConfigError> {
        if let Some(file) = &run.file {
            self.include(file, files, 0)?;
        }
        if run.stdin {
            self.load(stdin, &Origin::Stdin, files)?;
        }
        self.load(&run.overrides, &Origin::Arguments, files)?;
        self.check(files)
    }

    /// Loads one text. [`Config::check`] has the last word when there are no more.
    ///
    /// # Errors
    /// The first [`ConfigError`]; the values are then those up to it.
    pub fn load(
        &mut self,
        text: &[u8],
        origin: &Origin,
        files: &dyn Files,
    ) -> Result<(), ConfigError> {
        self.load_nested(text, origin, files, 0)
    }

    /// Looks whether the values go together once everything is loaded.
    ///
    /// # Errors
    /// [`ConfigError::Whole`].
    pub fn check(&mut self, files: &dyn Files) -> Result<Vec<Warning>, ConfigError> {
        let mut warnings = Vec::new();
        let log = self.read(directive::LOGFILE);
        if !log.is_empty() {
            let path = self.read(directive::DIR).join(source::path(log));
            files.check_log(&path).map_err(|error| {
                let words = source::words(&error);
                ConfigError::Whole(Reason::Found(format!("Can't open the log file: {words}")))
            })?;
        }
        if self.read(directive::CLUSTER_ENABLED) {
            if self.read(directive::REPLICAOF).is_some() {
                let words = "replicaof directive not allowed in cluster mode";
                return Err(ConfigError::Whole(Reason::Rule(words)));
            }
            let (asked, allowed) = (
                self.read(directive::DATABASES),
                self.read(directive::CLUSTER_DATABASES),
            );
            if asked > allowed {
                self.assume(directive::DATABASES, allowed);
                warnings.push(Warning::Databases(asked, allowed));
            }
        }
        if !self.read(directive::OOM_SCORE_ADJ_VALUES).rise() {
            warnings.push(Warning::OomScoresFall);
        }
        Ok(warnings)
    }

    /// The lines that are no directives.
    pub fn declarations(&self) -> &Declarations {
        &self.declarations
    }

    fn load_nested(
        &mut self,
        text: &[u8],
        origin: &Origin,
        files: &dyn Files,
        depth: usize,
    ) -> Result<(), ConfigError> {
        for line in grammar::lines(text) {
            let place = Place {
                origin: origin.clone(),
                line: line.number,
                text: line.text.to_vec(),
            };
            self.load_line(&line, &place, files, depth)?;
        }
        Ok(())
    }

    fn load_line(
        &mut self,
        line: &Line<'_>,
        place: &Place,
        files: &dyn Files,
        depth: usize,
    ) -> Result<(), ConfigError> {
        let words = line
            .words
            .as_ref()
            .map_err(|_| place.refuse(Reason::Unbalanced))?;
        let Some((name, words)) = words.split_first() else {
            return Ok(());
        };
        if let Some(spelling) = directive::find(name) {
            return self
                .load_directive(spelling.id, words, files)
                .map_err(|reason| place.refuse(reason));
        }
        let name = name.to_ascii_lowercase();
        if let (b"include", [pattern]) = (name.as_slice(), words) {
            if depth == INCLUDES_MAX {
                return Err(place.refuse(Reason::Rule("Too many nested include directives")));
            }
            return self.include(&source::path(pattern), files, depth + 1);
        }
        self.declare(name, words, place)
            .map_err(|reason| place.refuse(reason))
    }

    fn load_directive(
        &mut self,
        id: Id,
        words: &[Vec<u8>],
        files: &dyn Files,
    ) -> Result<(), Reason> {
        let row = id.row();
        let split;
        let words = match words {
            [word] if row.kind.takes_many() && !word.is_empty() => {
                split = grammar::words(word).unwrap_or_default();
                &split
            }
            words => words,
        };
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let occasion = if self.is_given(id) {
            Occasion::FurtherLine
        } else {
            Occasion::FirstLine
        };
        let value = self.value(id).next(row, &words, occasion)?;
        self.put(id, value);
        self.mark_given(id);
        if id == directive::DIR.id() {
            let entered = files.check_directory(self.read(directive::DIR));
            entered.map_err(|error| Reason::Found(source::words(&error)))?;
        }
        Ok(())
    }

    /// Loads the file, or the files that match a pattern, as seen from the directory so far.
    fn include(&mut self, path: &Path, files: &dyn Files, depth: usize) -> Result<(), ConfigError> {
        let path = self.read(directive::DIR).join(path);
        let paths = if source::is_pattern(&path) {
            files.matching(&path)
        } else {
            vec![path]
        };
        for path in paths {
            let text = files
                .read(&path)
                .map_err(|error| ConfigError::File(path.clone(), source::words(&error)))?;
            self.load_nested(&text, &Origin::File(path), files, depth)?;
        }
        Ok(())
    }

    fn declare(&mut self, name: Vec<u8>, words: &[Vec<u8>], place: &Place) -> Result<(), Reason> {
        let mut declaration = Declaration {
            words: words.to_vec(),
            place: place.clone(),
        };
        match (name.as_slice(), words) {
            (
                b"list-max-ziplist-entries" | b"list-max-ziplist-value" | b"lua-replicate-commands",
                [_],
            )
            | (b"sentinel", []) => {}
            (b"rename-command", [_, _]) => self.declarations.renames.push(declaration),
            (b"user", [_, ..]) => self.declarations.users.push(declaration),
            (b"loadmodule", [_, ..]) => self.declarations.modules.push(declaration),
            (b"sentinel", _) => {
                return Err(Reason::Rule(
                    "sentinel directive while not in sentinel mode",
                ));
            }
            (other, []) if other.contains(&b'.') => {
                return Err(Reason::Rule("Module config specified without value"));
            }
            (other, _) if other.contains(&b'.') => {
                declaration.words.insert(0, name);
                self.declarations.module_settings.push(declaration);
            }
            _ => return Err(Reason::BadDirective),
        }
        Ok(())
    }
}

impl Place {
    /// The error that this line is wrong.
    pub fn refuse(&self, reason: Reason) -> ConfigError {
        ConfigError::Line(Box::new(self.clone()), reason)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
            Self::Arguments => f.write_str("the command line"),
        }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const VERSION: &str = crate::REDIS_VERSION;
        match self {
            Self::Line(place, reason) => {
                let Place { origin, line, text } = place.as_ref();
                let text = String::from_utf8_lossy(text);
                write!(
                    f,
                    "\n*** FATAL CONFIG FILE ERROR (Redis {VERSION}) ***\n\
                     Reading the configuration file, at line {line} of {origin}\n>>> '{text}'\n{reason}"
                )
            }
            Self::Whole(reason) => {
                write!(
                    f,
                    "\n*** FATAL CONFIG FILE ERROR (Redis {VERSION}) ***\n{reason}"
                )
            }
            Self::File(path, words) => {
                let path = path.display();
                write!(f, "Fatal error, can't open config file '{path}': {words}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Databases(asked, allowed) => write!(
                f,
                "WARNING: Changing databases number from {asked} to {allowed} since we are in cluster mode"
            ),
            Self::OomScoresFall => f.write_str(
                "The oom-score-adj-values configuration may not work for non-privileged processes! \
                 Please consult the documentation.",
            ),
        }
    }
}

/// How deep files may include each other.
const INCLUDES_MAX: usize = 16;
