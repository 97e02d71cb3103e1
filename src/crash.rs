//! The report that the log gets before the process dies (`crash-log-enabled`): where, what all threads do, who is connected.
//!
//! It is made where the fault is known: by the subcommands of DEBUG that ask for one, and for SIGABRT that somebody sends. What
//! the processor itself signals (SIGSEGV, SIGBUS, SIGFPE, SIGILL) would have to be answered in the midst of whatever was
//! interrupted, which safe Rust cannot; the system ends the process then, with its own report and a core dump if it keeps
//! those. A panic is reported where it is raised.

use std::backtrace::Backtrace;
use std::fmt::Write;
use std::fs;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use config::directive;
use engine::Engine;
use nix::sys::signal::{Signal, raise};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tracing::warn;

use crate::client_info;
use crate::rows::{self, host};

/// What the process dies of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A signal.
    Signal(Signal),
    /// Something that had to be true is not.
    Assertion(&'static str),
    /// Somebody has given up.
    Panic(&'static str),
}

/// How long a report may take that something may be in the way of.
const PATIENCE: Duration = Duration::from_secs(1);

/// Reports a fault and ends the process.
pub(crate) fn die(engine: &Engine, fault: Fault) -> ! {
    let server = host(engine);
    let config = server.config.read();
    let (wanted, exits) = (
        config.read(directive::CRASH_LOG_ENABLED),
        config.read(directive::USE_EXIT_ON_PANIC),
    );
    drop(config);
    if wanted {
        let trace = Backtrace::force_capture();
        warn!("{}", head(fault));
        warn!("\n------ STACK TRACE ------\n{trace}\n{}", threads());
        // What follows looks at what the fault may have left locked. Without a thread it is waited for.
        let _ = std::thread::Builder::new().spawn(move || {
            std::thread::sleep(PATIENCE);
            end(fault, exits);
        });
        warn!("\n------ INFO OUTPUT ------\n{}", rows::report(engine));
        warn!("\n------ CLIENT LIST OUTPUT ------\n{}", clients(engine));
        warn!("\n=== REDIS BUG REPORT END. Please report all of it, from START to END. ===\n");
    }
    end(fault, exits)
}

/// Ends the process as the fault would, or in order where that is wanted.
fn end(fault: Fault, exits: bool) -> ! {
    match fault {
        Fault::Signal(signal) => {
            // The standard library answers the first SIGSEGV, and lets go of the second. There is none that cannot be raised.
            let _ = raise(signal).and_then(|()| raise(signal));
        }
        Fault::Assertion(_) | Fault::Panic(_) if exits => std::process::exit(1),
        Fault::Assertion(_) | Fault::Panic(_) => {}
    }
    std::process::abort()
}

fn head(fault: Fault) -> String {
    let mut text = "\n\n=== REDIS BUG REPORT START ===\n".to_owned();
    let versions = (env!("CARGO_PKG_VERSION"), config::REDIS_VERSION);
    // A string takes everything.
    let _ = match fault {
        Fault::Signal(signal) => write!(
            text,
            "Cuirass {}, Redis {} compatible, crashed by signal: {} ({signal})",
            versions.0, versions.1, signal as i32
        ),
        Fault::Assertion(what) => {
            write!(text, "=== ASSERTION FAILED ===\n==> '{what}' is not true")
        }
        Fault::Panic(what) => write!(text, "Guru Meditation: {what}"),
    };
    text
}

/// What each thread does, as the system has it.
fn threads() -> String {
    let mut text = "Threads: id, name, state\n".to_owned();
    for thread in fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten()
    {
        // A thread may end meanwhile.
        let stat = fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        let (id_and_name, rest) = stat.rsplit_once(')').unwrap_or_default();
        let (id, name) = id_and_name.split_once('(').unwrap_or_default();
        let state = rest.split_whitespace().next().unwrap_or_default();
        let _ = writeln!(text, "{id} {name} {state}");
    }
    text
}

fn clients(engine: &Engine) -> String {
    let now_ms = host(engine).clock.now().ms();
    let clients = engine.clients.all();
    let lines = clients
        .iter()
        .map(|client| client_info::line(engine, client, now_ms));
    lines.collect::<Vec<_>>().join("\n")
}

/// Waits for SIGABRT on a thread of its own, which reports it: the main thread may be what hangs.
///
/// # Errors
/// The system has no thread, or no signals.
pub(crate) fn watch_for_abort(engine: &Arc<Engine>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let mut aborts = {
        let _inside = runtime.enter();
        signal(SignalKind::from_raw(Signal::SIGABRT as i32))?
    };
    let engine = Arc::clone(engine);
    std::thread::Builder::new()
        .name("crash-report".to_owned())
        .spawn(move || {
            if runtime.block_on(aborts.recv()).is_some() {
                die(&engine, Fault::Signal(Signal::SIGABRT));
            }
        })?;
    Ok(())
}
