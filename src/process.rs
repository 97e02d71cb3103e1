//! The process: background, supervisor, pid file, descriptors, and what the kernel may do when memory runs out.

use std::fs;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use config::choices::{OomScoreAdj, Supervised};
use config::typed::path;
use config::{Config, directive};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::{debug, info, warn};

/// Who watches over the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Supervision {
    /// Nobody.
    #[default]
    None,
    /// upstart, which the process has told that it is ready by stopping.
    Upstart,
    /// systemd, told over this socket.
    Systemd(PathBuf),
}

/// What the environment says of a supervisor. Read once, at the start.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `UPSTART_JOB` is set.
    pub upstart_job: bool,
    /// `NOTIFY_SOCKET`.
    pub notify_socket: Option<PathBuf>,
}

impl Environment {
    /// Reads the process' environment.
    #[must_use]
    pub fn read() -> Self {
        Self {
            upstart_job: std::env::var_os("UPSTART_JOB").is_some(),
            notify_socket: std::env::var_os("NOTIFY_SOCKET").map(PathBuf::from),
        }
    }
}

impl Supervision {
    /// Finds the supervisor that `supervised` asks for, and greets it.
    #[must_use]
    pub fn find(config: &Config, environment: &Environment) -> Self {
        let wanted = match config.read(directive::SUPERVISED) {
            Supervised::Auto if environment.upstart_job => {
                debug!("Upstart supervision detected.");
                Supervised::Upstart
            }
            Supervised::Auto if environment.notify_socket.is_some() => {
                debug!("Systemd supervision detected.");
                Supervised::Systemd
            }
            wanted => wanted,
        };
        match (wanted, &environment.notify_socket) {
            (Supervised::Upstart, _) if environment.upstart_job => {
                info!("supervised by upstart, will stop to signal readiness.");
                if let Err(error) = nix::sys::signal::raise(nix::sys::signal::Signal::SIGSTOP) {
                    warn!("cannot stop to signal readiness: {error}");
                }
                Self::Upstart
            }
            (Supervised::Upstart, _) => {
                warn!("upstart supervision requested, but UPSTART_JOB not found!");
                Self::None
            }
            (Supervised::Systemd, Some(socket)) => {
                let systemd = Self::Systemd(socket.clone());
                systemd.notify("STATUS=Redis is loading...\n");
                info!(
                    "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec and TimeoutStopSec in your service unit."
                );
                systemd
            }
            (Supervised::Systemd, None) => {
                warn!("systemd supervision error: NOTIFY_SOCKET not found!");
                Self::None
            }
            (Supervised::Auto | Supervised::No, _) => Self::None,
        }
    }

    /// The name in INFO.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::None => "no",
            Self::Upstart => "upstart",
            Self::Systemd(_) => "systemd",
        }
    }

    /// Tells systemd, if it is there.
    pub fn notify(&self, message: &str) {
        let Self::Systemd(socket) = self else { return };
        if let Err(error) = notify(socket, message) {
            warn!("systemd supervision error: sd_notify: {error}");
        }
    }
}

/// Sends a datagram to systemd's socket; a leading `@` is the abstract name space.
fn notify(socket: &Path, message: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;
    let name = socket.as_os_str().as_bytes();
    let address = match name.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?
        .send_to_addr(message.as_bytes(), &address)
        .map(drop)
}

/// Bytes of the process that are in main memory; 0 where the system does not say.
#[must_use]
pub fn resident_bytes() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE);
    let page = page
        .ok()
        .flatten()
        .and_then(|size| u64::try_from(size).ok());
    pages.zip(page).map_or(0, |(pages, size)| pages * size)
}

/// Goes into the background: a new session, standard streams from and to nowhere. To be called before any thread starts.
///
/// # Errors
/// What the system says.
pub fn daemonize() -> io::Result<()> {
    nix::unistd::daemon(true, false).map_err(io::Error::from)
}

/// Where the process id is written: `pidfile`, or the usual place for a process in the background.
#[must_use]
pub fn pid_file(config: &Config, background: bool) -> Option<PathBuf> {
    let named = config.read(directive::PIDFILE).map(path);
    let usual = background.then(|| Path::new("/var/run/redis.pid"));
    let file = named.or(usual)?;
    Some(config.read(directive::DIR).join(file))
}

/// Writes the process id. A file that cannot be written is no reason to stop.
pub fn write_pid_file(file: &Path) {
    if let Err(error) = fs::write(file, format!("{}\n", std::process::id())) {
        warn!("Failed to write PID file: {}", words(&error));
    }
}

/// Descriptors kept free of clients: listening sockets, files, the runtimes' own.
pub const DESCRIPTORS_RESERVED: u64 = 32;

/// Sees to it that the process may have so many clients, or says how many it may have.
///
/// # Errors
/// How many are possible.
pub fn make_room_for_clients(clients: u64) -> Result<(), u64> {
    let wanted = clients.saturating_add(DESCRIPTORS_RESERVED);
    let possible = raise_descriptors(wanted).map_or_else(|(possible, _)| possible, |_| wanted);
    if possible >= wanted {
        Ok(())
    } else {
        Err(possible.saturating_sub(DESCRIPTORS_RESERVED))
    }
}

/// How many descriptors the process may have.
#[must_use]
pub fn descriptors_max() -> u64 {
    getrlimit(Resource::RLIMIT_NOFILE).map_or(DESCRIPTORS_UNKNOWN, |(soft, _)| soft)
}

/// Keeps the kernel from giving the process huge pages unasked (`disable-thp`).
pub fn disable_huge_pages(config: &Config) {
    if config.read(directive::DISABLE_THP)
        && let Err(error) = nix::sys::prctl::set_thp_disable(true)
    {
        debug!("Transparent huge pages stay as they are: {}", error.desc());
    }
}

/// Raises the limit of descriptors to `wanted` if it is lower: what it was before. On failure what it is, and why.
fn raise_descriptors(wanted: u64) -> Result<u64, (u64, nix::Error)> {
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| (DESCRIPTORS_UNKNOWN, error))?;
    if soft >= wanted || setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_ok() {
        return Ok(soft);
    }
    // Not allowed beyond the hard limit: up to it, then.
    let refused = setrlimit(Resource::RLIMIT_NOFILE, wanted, wanted)
        .err()
        .unwrap_or(nix::Error::EPERM);
    let best = hard.min(wanted);
    match setrlimit(Resource::RLIMIT_NOFILE, best, hard) {
        Ok(()) if best >= wanted => Ok(soft),
        Ok(()) => Err((best, refused)),
        Err(error) => Err((soft, error)),
    }
}

/// What Redis assumes where the limit cannot be read.
const DESCRIPTORS_UNKNOWN: u64 = 1024;

/// Raises the limit of descriptors for `maxclients` at the start, in Redis' words, or lowers `maxclients`.
///
/// # Errors
/// The limit leaves no room for any client.
pub fn adjust_open_files(config: &mut Config) -> Result<(), String> {
    let clients = config.read(directive::MAXCLIENTS) as u64;
    let wanted = clients + DESCRIPTORS_RESERVED;
    match raise_descriptors(wanted) {
        Ok(before) if before < wanted => {
            info!(
                "Increased maximum number of open files to {wanted} (it was originally set to {before})."
            );
            Ok(())
        }
        Ok(_) => Ok(()),
        Err((best, _)) if best <= DESCRIPTORS_RESERVED => Err(format!(
            "Your current 'ulimit -n' of {best} is not enough for the server to start. Please increase your open file limit to at least {wanted}. Exiting."
        )),
        Err((best, error)) => {
            let possible = best - DESCRIPTORS_RESERVED;
            config.assume(
                directive::MAXCLIENTS,
                i64::try_from(possible).unwrap_or(i64::MAX),
            );
            warn!(
                "You requested maxclients of {clients} requiring at least {wanted} max file descriptors."
            );
            warn!(
                "Server can't set maximum open files to {wanted} because of OS error: {}.",
                error.desc()
            );
            warn!(
                "Current maximum open files is {best}. maxclients has been reduced to {possible} to compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
            );
            Ok(())
        }
    }
}

/// Warns when the kernel cuts the backlog of listening sockets short.
pub fn check_backlog(config: &Config) {
    let backlog = config.read(directive::TCP_BACKLOG);
    let most = fs::read_to_string("/proc/sys/net/core/somaxconn")
        .ok()
        .and_then(|text| text.trim().parse::<i64>().ok());
    if let Some(most) = most.filter(|most| (1..backlog).contains(most)) {
        warn!(
            "WARNING: The TCP backlog setting of {backlog} cannot be enforced because /proc/sys/net/core/somaxconn is set to the lower value of {most}."
        );
    }
}

/// Sets the kernel's out-of-memory score as `oom-score-adj` says, or back to what it was.
///
/// # Errors
/// The score could not be read or written, in Redis' words.
pub fn adjust_oom_score(config: &Config) -> Result<(), String> {
    let file = "/proc/self/oom_score_adj";
    let adjustment = config.read(directive::OOM_SCORE_ADJ);
    let base = match OOM_SCORE_BASE.get() {
        Some(base) => *base,
        None if adjustment == OomScoreAdj::No => return Ok(()),
        None => {
            let text = fs::read_to_string(file)
                .map_err(|error| format!("Unable to read oom_score_adj: {}", words(&error)))?;
            *OOM_SCORE_BASE.get_or_init(|| text.trim().parse().unwrap_or(0))
        }
    };
    let scores = config.read(directive::OOM_SCORE_ADJ_VALUES);
    let own = if config.read(directive::REPLICAOF).is_some() {
        scores.replica
    } else {
        scores.primary
    };
    let score = match adjustment {
        OomScoreAdj::No => base,
        OomScoreAdj::Relative => (base + own).clamp(-1000, 1000),
        OomScoreAdj::Absolute => own.clamp(-1000, 1000),
    };
    fs::write(file, format!("{score}\n"))
        .map_err(|error| format!("Unable to write oom_score_adj: {}", words(&error)))
}

/// The score before the first adjustment.
static OOM_SCORE_BASE: OnceLock<i32> = OnceLock::new();

/// An error in the system's words alone.
pub(crate) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    // The standard library takes them from strerror and adds the number.
    let number = error
        .raw_os_error()
        .map(|code| format!(" (os error {code})"));
    let words = number.and_then(|number| text.strip_suffix(&number));
    words.unwrap_or(&text).to_owned()
}

/// Bytes of the machine's main memory; as many as can be when the system does not say.
pub(crate) fn main_memory() -> usize {
    nix::sys::sysinfo::sysinfo().map_or(usize::MAX, |system| {
        usize::try_from(system.ram_total()).unwrap_or(usize::MAX)
    })
}
