//! LATENCY DOCTOR: what is known of latency in words, and what may help.

use std::fmt::Write;

use engine::observe::{Series, Thresholds};

/// What a report is made of.
#[derive(Debug)]
pub(super) struct Findings<'a> {
    /// The spikes of each event.
    pub(super) events: Vec<(&'static str, Series)>,
    /// From where on spikes and slow calls are noted.
    pub(super) thresholds: &'a Thresholds,
    /// `hz`.
    pub(super) hz: u64,
    /// Whether the process has huge pages that the system made on its own.
    pub(super) has_huge_pages: bool,
    /// Unix time in seconds.
    pub(super) now_s: i64,
}

/// Something that may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advice {
    EnableSlowLog,
    LowerSlowLog,
    ReadSlowLog,
    Scheduling,
    RaiseHz,
    LargeValues,
    MassEviction,
    LocalDisk,
    FastDisk,
    BusyDisk,
    NoFsyncWhileRewriting,
    RelaxFsync,
    HugePages,
}

/// The report.
pub(super) fn report(findings: &Findings<'_>) -> String {
    let Findings { events, .. } = findings;
    if events.is_empty() && findings.thresholds.spike_ms.is_none() {
        return "I'm sorry, Dave, I can't do that. Spikes of latency are not noted on this server. \
                CONFIG SET latency-monitor-threshold <milliseconds> has them noted.\n"
            .to_owned();
    }
    let mut text = String::new();
    let mut advice = Vec::new();
    for (number, (event, series)) in events.iter().enumerate() {
        if number == 0 {
            text.push_str("Dave, I have observed latency spikes on this server. You don't mind talking about it, do you Dave?\n\n");
        }
        describe(&mut text, number + 1, event, series, findings.now_s);
        for one in advice_on(event, findings) {
            if !advice.contains(&one) {
                advice.push(one);
            }
        }
    }
    if findings.has_huge_pages {
        advice.push(Advice::HugePages);
    }
    match (events.is_empty(), advice.is_empty()) {
        (true, true) => text.push_str(
            "Dave, no latency spike was observed during the lifetime of this server, not in the slightest bit. \
             I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n",
        ),
        (false, true) => {
            text.push_str("\nThere were spikes, but I know of nothing simple that helps.\n");
        }
        (_, false) => {
            text.push_str("\nI have some advice for you:\n\n");
            for one in advice {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "- {}", one.words(findings));
            }
        }
    }
    text
}

fn describe(text: &mut String, number: usize, event: &str, series: &Series, now_s: i64) {
    let summary = series.summary(now_s);
    let count = series.samples.len();
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{number}. {event}: {count} latency spikes (average {}ms, mean deviation {}ms, period {:.2} sec). \
         Worst all time event {}ms.",
        summary.mean_ms,
        summary.deviation_ms,
        summary.period_s as f64 / count.max(1) as f64,
        series.longest_ms,
    );
}

/// What may help against an event (createLatencyReport, Redis 7.2).
fn advice_on(event: &str, findings: &Findings<'_>) -> Vec<Advice> {
    match event {
        "command" => {
            let thresholds = findings.thresholds;
            let spike_ms = thresholds.spike_ms.unwrap_or(0);
            let log = match thresholds.slow_us {
                None => Some(Advice::EnableSlowLog),
                Some(us) if us / 1000 > spike_ms => Some(Advice::LowerSlowLog),
                Some(_) => None,
            };
            log.into_iter()
                .chain([Advice::ReadSlowLog, Advice::LargeValues])
                .collect()
        }
        "fast-command" => vec![Advice::Scheduling],
        "expire-cycle" if findings.hz < 100 => vec![Advice::RaiseHz, Advice::LargeValues],
        "expire-cycle" | "eviction-del" => vec![Advice::LargeValues],
        "eviction-cycle" => vec![Advice::MassEviction],
        "aof-fsync-always" => vec![Advice::RelaxFsync],
        "aof-write-active-child" => vec![Advice::NoFsyncWhileRewriting, Advice::FastDisk],
        _ if event.starts_with("aof-") || event.starts_with("rdb-") => {
            vec![Advice::BusyDisk, Advice::LocalDisk, Advice::FastDisk]
        }
        _ => Vec::new(),
    }
}

impl Advice {
    fn words(self, findings: &Findings<'_>) -> String {
        let spike_us = findings
            .thresholds
            .spike_ms
            .unwrap_or(0)
            .saturating_mul(1000);
        match self {
            Self::EnableSlowLog => {
                return format!(
                    "Commands are slow, and nothing says which: CONFIG SET slowlog-log-slower-than {spike_us} has them logged."
                );
            }
            Self::LowerSlowLog => {
                return format!(
                    "The slow log takes only what is slower than a spike has to be: CONFIG SET slowlog-log-slower-than {spike_us} \
                     has it take all spikes."
                );
            }
            Self::ReadSlowLog => "SLOWLOG GET shows which commands take long.",
            Self::Scheduling => {
                "The system does not give this process the time it needs even for short commands. Lower the load of the machine, \
                 give it more cores, look for a noisy neighbour where it is virtual, and see with 'redis-cli --intrinsic-latency 100' \
                 what the machine is capable of."
            }
            Self::RaiseHz => "CONFIG SET hz 100 spreads the deletion of expired keys more evenly.",
            Self::LargeValues => {
                "Commands over many elements take long, and hold back those on keys near them. Split very large values, or ask for \
                 parts of them."
            }
            Self::MassEviction => {
                "Lowering 'maxmemory', or storing large values while memory is short, forces many evictions at once."
            }
            Self::LocalDisk => "Use a local disk for persistence; remote ones can be slow.",
            Self::FastDisk => "A fast SSD shortens the time that writing and fsync take.",
            Self::BusyDisk => "Look for other processes that keep the disk busy.",
            Self::NoFsyncWhileRewriting => {
                "'no-appendfsync-on-rewrite yes' leaves out fsync while the append-only file is rewritten, at the price of durability."
            }
            Self::RelaxFsync => {
                "'appendfsync always' waits for the disk at every write; 'everysec' loses a second at most and does not."
            }
            Self::HugePages => {
                "The system gives this process transparent huge pages, which can stall it. \
                 'echo never > /sys/kernel/mm/transparent_hugepage/enabled', and a restart, end that."
            }
        }
        .to_owned()
    }
}

/// Whether the process has huge pages that the system made on its own.
pub(super) fn has_huge_pages() -> bool {
    let kilobytes = |line: &str| {
        line.strip_prefix("AnonHugePages:")?
            .split_whitespace()
            .next()?
            .parse::<u64>()
            .ok()
    };
    std::fs::read_to_string("/proc/self/smaps_rollup")
        .is_ok_and(|text| text.lines().filter_map(kilobytes).any(|amount| amount > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::observe::Spikes;

    fn report_of(spikes: &Spikes, spike_ms: Option<u64>, slow_us: Option<u64>) -> String {
        let thresholds = Thresholds::new([slow_us, None, None], [128; 3], spike_ms);
        report(&Findings {
            events: spikes.all(),
            thresholds: &thresholds,
            hz: 10,
            has_huge_pages: false,
            now_s: 110,
        })
    }

    #[test]
    fn reports_name_spikes_and_advice() {
        let spikes = Spikes::default();
        let off = report_of(&spikes, None, None);
        assert!(off.contains("latency-monitor-threshold"), "{off}");
        let calm = report_of(&spikes, Some(10), None);
        assert!(calm.contains("no latency spike was observed"), "{calm}");
        spikes.note("command", 100, 30);
        spikes.note("expire-cycle", 105, 20);
        let bad = report_of(&spikes, Some(10), Some(20_000));
        for expected in [
            "1. command: 1 latency spikes (average 30ms, mean deviation 0ms, period 10.00 sec). Worst all time event 30ms.\n",
            "2. expire-cycle: 1 latency spikes",
            "slowlog-log-slower-than 10000",
            "hz 100",
        ] {
            assert!(bad.contains(expected), "{expected} in {bad}");
        }
        assert_eq!(bad.matches("many elements").count(), 1);
    }
}
