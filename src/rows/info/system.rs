//! What the operating system says: of the machine, and of the time that the process took.

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};

use super::View;
use super::report::Report;

/// What the system says. Asked before any shard is held.
#[derive(Debug)]
pub(super) struct System {
    /// Name, release and machine.
    pub(super) os: String,
    /// Bytes of main memory.
    pub(super) memory: u64,
    process: Option<Usage>,
    children: Option<Usage>,
    thread: Option<Usage>,
}

impl System {
    pub(super) fn look() -> Self {
        let os = nix::sys::utsname::uname().map(|names| {
            [names.sysname(), names.release(), names.machine()]
                .map(std::ffi::OsStr::to_string_lossy)
                .join(" ")
        });
        Self {
            os: os.unwrap_or_default(),
            memory: nix::sys::sysinfo::sysinfo().map_or(0, |system| system.ram_total()),
            process: getrusage(UsageWho::RUSAGE_SELF).ok(),
            children: getrusage(UsageWho::RUSAGE_CHILDREN).ok(),
            thread: getrusage(UsageWho::RUSAGE_THREAD).ok(),
        }
    }
}

/// INFO cpu. There is no main thread: the worker that answers stands in its place.
pub(super) fn cpu(report: &mut Report, view: &View<'_>) {
    let usages = [
        ("", &view.system.process),
        ("_children", &view.system.children),
        ("_main_thread", &view.system.thread),
    ];
    for (suffix, usage) in usages {
        let Some(usage) = usage else { continue };
        let mut seconds = |kind: &str, time: TimeVal| {
            let us = time.num_microseconds();
            let (whole, rest) = (us / 1_000_000, us % 1_000_000);
            report.field(
                format_args!("used_cpu_{kind}{suffix}"),
                format_args!("{whole}.{rest:06}"),
            );
        };
        seconds("sys", usage.system_time());
        seconds("user", usage.user_time());
    }
}
