//! What is logged, how and where.

use crate::choices::{LogFormat, LogLevel, LogTimestampFormat, SyslogFacility};
use crate::directive::{boolean, choice, text};
use crate::typed::Text;

theme! {
    "Logging" after super::threads::END;

    /// How much is logged: debug, verbose, notice, warning or nothing.
    LOGLEVEL: LogLevel = choice("loglevel", "notice");
    /// The log file; empty logs to standard output.
    LOGFILE: Text = text("logfile", "").immutable();
    /// The layout of a line: legacy or logfmt.
    LOG_FORMAT: LogFormat = choice("log-format", "legacy");
    /// The time in a line: legacy, iso8601 or milliseconds.
    LOG_TIMESTAMP_FORMAT: LogTimestampFormat = choice("log-timestamp-format", "legacy");
    /// Keep keys and arguments out of the log.
    HIDE_USER_DATA_FROM_LOG: bool = boolean("hide-user-data-from-log", "yes");
    /// Log to syslog.
    SYSLOG_ENABLED: bool = boolean("syslog-enabled", "no").immutable();
    /// The name to log under.
    SYSLOG_IDENT: Text = text("syslog-ident", "redis").immutable();
    /// The facility: user, or local0 to local7.
    SYSLOG_FACILITY: SyslogFacility = choice("syslog-facility", "local0").immutable();
    /// Log a report when the process crashes.
    CRASH_LOG_ENABLED: bool = boolean("crash-log-enabled", "yes");
    /// Test the memory while doing so.
    CRASH_MEMCHECK_ENABLED: bool = boolean("crash-memcheck-enabled", "yes");
}
