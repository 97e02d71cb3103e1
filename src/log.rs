//! The log: tracing events as lines of Redis' format, to standard output or a file, and to syslog.

use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};

use config::choices::{LogFormat, LogLevel, LogTimestampFormat, SyslogFacility};
use config::typed::path;
use config::{Config, directive};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use parking_lot::RwLock;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber, error};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::clock;

/// Where lines go and how they look. One a process; a server keeps it to follow CONFIG SET.
///
/// Levels: `warning` is tracing's WARN, `notice` INFO, `verbose` DEBUG, `debug` TRACE.
#[derive(Debug)]
pub struct Log {
    /// Least level that is logged: 0 debug, 1 verbose, 2 notice, 3 warning, 4 nothing.
    level: AtomicU8,
    is_replica: AtomicBool,
    style: RwLock<Style>,
    /// The file; standard output without one.
    file: Option<PathBuf>,
    syslog: Option<Syslog>,
    zone: TimeZone,
}

/// The layout of a line.
#[derive(Clone, Copy, Debug)]
struct Style {
    format: LogFormat,
    stamp: LogTimestampFormat,
}

/// The local syslog daemon.
#[derive(Debug)]
struct Syslog {
    socket: UnixDatagram,
    ident: String,
    facility: u8,
}

impl Log {
    /// A log as the configuration wants it.
    #[must_use]
    pub fn new(config: &Config) -> Arc<Self> {
        let name = config.read(directive::LOGFILE);
        let log = Self {
            level: AtomicU8::new(0),
            is_replica: AtomicBool::new(false),
            style: RwLock::new(Style {
                format: LogFormat::Legacy,
                stamp: LogTimestampFormat::Legacy,
            }),
            file: (!name.is_empty()).then(|| config.read(directive::DIR).join(path(name))),
            syslog: config
                .read(directive::SYSLOG_ENABLED)
                .then(|| Syslog::open(config))
                .flatten(),
            zone: TimeZone::system(),
        };
        log.update(config);
        Arc::new(log)
    }

    /// Makes it the log of the process, for panics too. Only the first call has an effect.
    pub fn install(self: &Arc<Self>) {
        std::panic::set_hook(Box::new(|panic| {
            let backtrace = std::backtrace::Backtrace::force_capture();
            error!("=== BUG: please report this === {panic}\n{backtrace}");
        }));
        let subscriber = tracing_subscriber::registry().with(Lines(Arc::clone(self)));
        let _already_set = tracing::subscriber::set_global_default(subscriber);
    }

    /// Follows what CONFIG SET may change: level, format and time stamps.
    pub fn update(&self, config: &Config) {
        let level = match config.read(directive::LOGLEVEL) {
            LogLevel::Debug => 0,
            LogLevel::Verbose => 1,
            LogLevel::Notice => 2,
            LogLevel::Warning => 3,
            LogLevel::Nothing => 4,
        };
        self.level.store(level, Relaxed);
        *self.style.write() = Style {
            format: config.read(directive::LOG_FORMAT),
            stamp: config.read(directive::LOG_TIMESTAMP_FORMAT),
        };
        tracing::callsite::rebuild_interest_cache();
    }

    /// Says whether the server follows a primary, which a line shows.
    pub fn set_replica(&self, is_replica: bool) {
        self.is_replica.store(is_replica, Relaxed);
    }

    /// Writes text as it is, without the head of a line.
    pub fn raw(&self, text: &str) {
        if self.level.load(Relaxed) <= 2 {
            self.emit(text.as_bytes());
        }
    }

    fn line(&self, severity: usize, message: &str) {
        let (format, stamp) = {
            let style = self.style.read();
            (style.format, style.stamp)
        };
        let pid = std::process::id();
        let stamp = self.stamp(stamp);
        let is_replica = self.is_replica.load(Relaxed);
        let line = match format {
            LogFormat::Legacy => {
                let role = if is_replica { 'S' } else { 'M' };
                let mark = SEVERITIES[severity].1;
                format!("{pid}:{role} {stamp} {mark} {message}\n")
            }
            LogFormat::Logfmt => {
                let role = if is_replica { "replica" } else { "primary" };
                let level = SEVERITIES[severity].0;
                let message = message.replace('"', "'").replace(['\n', '\r'], " ");
                format!(
                    "pid={pid} role={role} timestamp=\"{stamp}\" level={level} message=\"{message}\"\n"
                )
            }
        };
        self.emit(line.as_bytes());
        if let Some(syslog) = &self.syslog {
            syslog.send(severity, message);
        }
    }

    fn stamp(&self, format: LogTimestampFormat) -> String {
        let unix_us = clock::unix_us();
        let now = Timestamp::from_microsecond(unix_us).unwrap_or_default();
        let local = now.to_zoned(self.zone.clone());
        match format {
            LogTimestampFormat::Legacy => local.strftime("%d %b %Y %H:%M:%S.%3f").to_string(),
            LogTimestampFormat::Iso8601 => local.strftime("%Y-%m-%dT%H:%M:%S.%3f%:z").to_string(),
            LogTimestampFormat::Milliseconds => (unix_us / 1000).to_string(),
        }
    }

    /// Writes a whole line at once. The file is opened for each, so that it can be rotated by renaming it, as with Redis.
    fn emit(&self, line: &[u8]) {
        // Whoever cannot log has nowhere to say so.
        let _ = match &self.file {
            Some(file) => OpenOptions::new()
                .append(true)
                .create(true)
                .open(file)
                .and_then(|mut file| file.write_all(line)),
            None => {
                let mut out = io::stdout().lock();
                out.write_all(line).and_then(|()| out.flush())
            }
        };
    }
}

/// The severities' names in logfmt, their marks in a line of Redis, and their numbers in syslog.
const SEVERITIES: [(&str, char, u8); 4] = [
    ("debug", '.', 7),
    ("info", '-', 6),
    ("notice", '*', 5),
    ("warning", '#', 4),
];

impl Syslog {
    /// Connects to the daemon; `None` where there is none.
    fn open(config: &Config) -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        socket.connect("/dev/log").ok()?;
        // A daemon that does not read must not hold the server up.
        socket.set_nonblocking(true).ok()?;
        let facility = match config.read(directive::SYSLOG_FACILITY) {
            SyslogFacility::User => 1,
            SyslogFacility::Local0 => 16,
            SyslogFacility::Local1 => 17,
            SyslogFacility::Local2 => 18,
            SyslogFacility::Local3 => 19,
            SyslogFacility::Local4 => 20,
            SyslogFacility::Local5 => 21,
            SyslogFacility::Local6 => 22,
            SyslogFacility::Local7 => 23,
        };
        let ident = config.read(directive::SYSLOG_IDENT);
        Some(Self {
            socket,
            ident: String::from_utf8_lossy(ident).into_owned(),
            facility,
        })
    }

    fn send(&self, severity: usize, message: &str) {
        let priority = self.facility * 8 + SEVERITIES[severity].2;
        let pid = std::process::id();
        let line = format!("<{priority}>{}[{pid}]: {message}", self.ident);
        let _lost_when_the_daemon_is_behind = self.socket.send(line.as_bytes());
    }
}

/// The subscriber's layer.
struct Lines(Arc<Log>);

impl<S: Subscriber> Layer<S> for Lines {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        severity_of(*metadata.level()) >= usize::from(self.0.level.load(Relaxed))
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut message = Message::default();
        event.record(&mut message);
        self.0
            .line(severity_of(*event.metadata().level()), &message.0);
    }
}

fn severity_of(level: Level) -> usize {
    match level {
        Level::TRACE => 0,
        Level::DEBUG => 1,
        Level::INFO => 2,
        Level::WARN | Level::ERROR => 3,
    }
}

/// The text of an event: its message, then its fields.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
    }
}
