//! What a server is started with, and why it may not start.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use config::{Config, ConfigError};

use crate::clock::Clock;
use crate::log::Log;
use crate::net::listen::Kind;
use crate::persistence::disk::Disk;
use crate::process::Supervision;

/// What a server is started with.
#[derive(Debug)]
pub struct Launch {
    /// The configuration.
    pub config: Config,
    /// The file it came from.
    pub config_file: Option<PathBuf>,
    /// The program's path.
    pub executable: PathBuf,
    /// The log of the process, if it is the server's own.
    pub log: Option<Arc<Log>>,
    /// Who watches over the process.
    pub supervision: Supervision,
    /// Where to write the process id.
    pub pid_file: Option<PathBuf>,
    /// The time.
    pub clock: Arc<Clock>,
    /// What the dataset is written to.
    pub disk: Arc<dyn Disk>,
    /// Sockets that listen already, beside those of the configuration.
    pub sockets: Vec<(Kind, std::net::TcpListener)>,
    /// Whether SIGTERM, SIGINT and SIGHUP are this server's.
    pub signals: Signals,
}

/// Whose the process' signals are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signals {
    /// The server's.
    Own,
    /// Somebody else's: several servers live in one process.
    Leave,
}

/// Why a server does not start. All but the first has been logged as well.
#[derive(Debug)]
pub enum StartError {
    /// The system lacks something.
    System(io::Error),
    /// The configuration asks for something that does not exist.
    Config(ConfigError),
    /// The TLS configuration cannot be used.
    Tls(tls::TlsError),
    /// A port cannot be listened on, or there is none to listen on.
    Listen(String),
    /// The dataset cannot be loaded.
    Load(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => write!(f, "{error}"),
            Self::Config(error) => write!(f, "{error}"),
            Self::Tls(error) => write!(f, "{error}"),
            Self::Listen(text) | Self::Load(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for StartError {}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}
