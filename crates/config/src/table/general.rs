//! The process and its place in the system.

use super::INT_MAX;
use crate::choices::{OomScoreAdj, ShutdownFlags, Supervised};
use crate::composite::OomScores;
use crate::directive::{
    boolean, choice, hint, integer, oom_scores, optional, shutdown_flags, text,
};
use crate::rules;
use crate::typed::{OptionalText, Text};

theme! {
    "General" after super::tls::END;

    /// Run in the background.
    DAEMONIZE: bool = boolean("daemonize", "no").immutable();
    /// Report to a supervisor: upstart, systemd, auto or no.
    SUPERVISED: Supervised = choice("supervised", "no").immutable();
    /// Where to write the process id.
    PIDFILE: OptionalText = optional("pidfile").immutable();
    /// The number of databases; SELECT takes numbers below it.
    DATABASES: i64 = integer("databases", 1, INT_MAX, "16").immutable();
    /// Show the logo at the start even if the log is not a terminal.
    ALWAYS_SHOW_LOGO: bool = boolean("always-show-logo", "no").immutable();
    /// Change the name that process lists show.
    SET_PROC_TITLE: bool = boolean("set-proc-title", "yes").immutable();
    /// That name, of {title}, {listen-addr}, {server-mode}, {port}, {tls-port}, {unixsocket} and {config-file}.
    PROC_TITLE_TEMPLATE: Text = text("proc-title-template", "{title} {listen-addr} {server-mode}")
        .check(rules::title_template);
    /// The locale by which SORT ALPHA compares; empty takes the environment's.
    LOCALE_COLLATE: Text = text("locale-collate", "");
    /// How often a second background tasks run, between 1 and 500.
    HZ: i64 = hint("hz", 1, 500, "10");
    /// Raise that rate while many clients are connected.
    DYNAMIC_HZ: bool = boolean("dynamic-hz", "yes");
    /// What SIGINT asks of SHUTDOWN: default, or some of save, nosave, now, force, safe and failover.
    SHUTDOWN_ON_SIGINT: ShutdownFlags = shutdown_flags("shutdown-on-sigint").check(rules::shutdown_flags);
    /// What SIGTERM asks of SHUTDOWN.
    SHUTDOWN_ON_SIGTERM: ShutdownFlags = shutdown_flags("shutdown-on-sigterm").check(rules::shutdown_flags);
    /// Seconds that a shutdown waits for replicas to catch up, 0 for not at all.
    SHUTDOWN_TIMEOUT: i64 = integer("shutdown-timeout", 0, INT_MAX, "10");
    /// Let the kernel prefer this process when memory runs out: no, yes, relative or absolute.
    OOM_SCORE_ADJ: OomScoreAdj = choice("oom-score-adj", "no");
    /// The scores of a primary, of a replica and of background work, each -2000 to 2000.
    OOM_SCORE_ADJ_VALUES: OomScores = oom_scores("oom-score-adj-values", "0 200 800");
    /// Switch transparent huge pages off for the process.
    DISABLE_THP: bool = boolean("disable-thp", "yes").immutable();
    /// Warnings of the start to leave out, such as ARM64-COW-BUG.
    IGNORE_WARNINGS: Text = text("ignore-warnings", "");
    /// Answer as Redis itself where the server would name itself otherwise.
    EXTENDED_REDIS_COMPATIBILITY: bool = boolean("extended-redis-compatibility", "no");
    /// The availability zone to report to clients.
    AVAILABILITY_ZONE: Text = text("availability-zone", "");
    /// Accept a stream of keys from elsewhere: keys that are past their time stay until it ends.
    IMPORT_MODE: bool = boolean("import-mode", "no");
}
