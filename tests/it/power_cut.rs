//! Power cuts: servers whose disk remembers what was brought to it, and what is loaded from what is left of it.
//!
//! `CUIRASS_POWER_CUTS` says how many images are loaded of each run; some by default.

use std::sync::Arc;
use std::time::Duration;

use commands::Rng;
use cuirass::clock::Clock;
use cuirass::{Kind, Launch};
use parking_lot::Mutex;
use tempfile::TempDir;

use crate::aof::is_idle;
use crate::crash::Wire;
use crate::disk::{Fate, Recorded, RecordedDisk};
use crate::said::said;
use crate::server::{TestServer, request, wait_until};

/// Counters that clients raise and read.
const COUNTERS: [&str; 2] = ["one", "two"];

/// Images that are loaded of a run.
fn cuts() -> u64 {
    let asked = std::env::var("CUIRASS_POWER_CUTS").ok();
    asked.and_then(|cuts| cuts.parse().ok()).unwrap_or(25)
}

/// A server on a disk that remembers.
pub(crate) fn launch(
    lines: &str,
    dir: TempDir,
    disk: &Arc<RecordedDisk>,
    clock: Clock,
) -> TestServer {
    let launch = Launch {
        disk: Arc::new(Recorded(Arc::clone(disk))),
        clock: Arc::new(clock),
        ..TestServer::launching(lines, dir.path())
    };
    TestServer::launched(launch, dir).unwrap()
}

fn number(reply: &[u8]) -> u64 {
    let text = str::from_utf8(reply).unwrap();
    let digits = match text.strip_prefix(':') {
        Some(integer) => integer.trim_end(),
        None => text.split("\r\n").nth(1).unwrap_or_default(),
    };
    digits.parse().unwrap_or(0)
}

/// A value of a counter that a client has seen.
struct Sight {
    counter: usize,
    value: u64,
    /// How much the disk had seen before the counter can have had this value, and when the client knew it.
    possible: usize,
    answered: usize,
}

/// What was seen in the life of a server.
#[derive(Default)]
struct Sights(Mutex<Vec<Sight>>);

impl Sights {
    /// Calls one command on a counter so many times.
    fn watch(
        &self,
        server: &TestServer,
        disk: &RecordedDisk,
        command: &str,
        counter: usize,
        times: u64,
    ) {
        let mut wire = Wire::connect(server.address(Kind::Tcp)).unwrap();
        for _ in 0..times {
            let sent = disk.position();
            let reply = wire.call(&[command, COUNTERS[counter]]).unwrap();
            let answered = disk.position();
            let sight = Sight {
                counter,
                value: number(&reply),
                possible: if command == "INCR" { sent } else { answered },
                answered,
            };
            self.0.lock().push(sight);
        }
    }

    /// The least and the most that a counter may be, by what was seen up to this place.
    fn bounds(&self, counter: usize, at: usize) -> (u64, u64) {
        let sights = self.0.lock();
        let of_counter = sights.iter().filter(|sight| sight.counter == counter);
        let (mut least, mut most) = (0, 0);
        for sight in of_counter {
            if sight.answered <= at {
                least = least.max(sight.value);
            }
            if sight.possible <= at {
                most = most.max(sight.value);
            }
        }
        (least, most)
    }
}

/// What the counters are on a server that has loaded this directory; if it does not, what the log says of it.
fn loaded(lines: &str, dir: TempDir) -> Result<[u64; 2], String> {
    let launch = TestServer::launching(lines, dir.path());
    let (launched, log) = said(|| TestServer::launched(launch, dir));
    let server = launched.map_err(|_| log)?;
    let mut wire = Wire::connect(server.address(Kind::Tcp)).unwrap();
    let values = COUNTERS.map(|counter| number(&wire.call(&["GET", counter]).unwrap()));
    Ok(values)
}

/// Places at which the power may go, every other one near to a change of a name.
fn places(disk: &RecordedDisk, first: usize, rng: &mut Rng) -> Vec<usize> {
    let last = disk.position();
    let turns = disk.turning_points();
    let place = |cut: u64| {
        let anywhere = first + rng.below((last - first) as u64 + 1) as usize;
        if cut.is_multiple_of(2) {
            return anywhere;
        }
        let turn = turns[rng.below(turns.len() as u64) as usize];
        (turn + rng.below(4) as usize).clamp(first, last)
    };
    (0..cuts()).map(place).collect()
}

fn fate(rng: &mut Rng) -> Fate {
    [Fate::Kept, Fate::Lost, Fate::Torn, Fate::Torn][rng.below(4) as usize]
}

/// Has clients raise and read the counters, while the file is rewritten, and turned off and on.
fn live(server: &TestServer, disk: &RecordedDisk, sights: &Sights) {
    let mut wire = Wire::connect(server.address(Kind::Tcp)).unwrap();
    for _ in 0..2 {
        std::thread::scope(|scope| {
            for counter in 0..COUNTERS.len() {
                for command in ["INCR", "GET", "INCR"] {
                    scope.spawn(move || sights.watch(server, disk, command, counter, 60));
                }
            }
            wire.call(&["BGREWRITEAOF"]).unwrap();
        });
        wait_until("it is rewritten", || is_idle(server));
        wire.call(&["CONFIG", "SET", "appendonly", "no"]).unwrap();
        wire.call(&["CONFIG", "SET", "appendonly", "yes"]).unwrap();
        wait_until("it is on", || is_idle(server));
    }
}

#[test]
fn nothing_that_was_seen_is_lost_in_a_power_cut_with_appendfsync_always() {
    let lines = "appendonly yes\nappendfsync always\nio-threads 2\nworker-placement spread";
    let mut dir = TempDir::new().unwrap();
    for generation in 0..3 {
        let mut rng = Rng::new(generation);
        let disk = RecordedDisk::new(dir.path());
        let sights = Sights::default();
        let mut server = launch(lines, dir, &disk, Clock::start());
        for counter in 0..COUNTERS.len() {
            sights.watch(&server, &disk, "GET", counter, 1);
        }
        let (mut next, first) = (None, disk.position());
        live(&server, &disk, &sights);
        server.end();
        for at in places(&disk, first, &mut rng) {
            let fate = fate(&mut rng);
            let image = disk.image(at, fate, &mut rng);
            let values =
                loaded(lines, image).unwrap_or_else(|log| panic!("{fate:?} at {at}: {log}"));
            for (counter, value) in values.into_iter().enumerate() {
                let (least, most) = sights.bounds(counter, at);
                assert!(
                    (least..=most).contains(&value),
                    "generation {generation}, {fate:?} at {at}: {value}, and {least} to {most} is right"
                );
            }
            next = Some(disk.image(at, fate, &mut rng));
        }
        // It goes on from what was left.
        dir = next.unwrap();
    }
}

/// What a client of a server with a standing clock knows at some place.
struct Milestone {
    at: usize,
    /// The server's time, in milliseconds.
    ms: u64,
    value: u64,
}

#[test]
fn at_most_two_seconds_are_lost_in_a_power_cut_with_appendfsync_everysec() {
    let lines = "appendonly yes\nappendfsync everysec";
    let (dir, mut rng) = (TempDir::new().unwrap(), Rng::new(1));
    let disk = RecordedDisk::new(dir.path());
    let mut server = launch(lines, dir, &disk, Clock::standing());
    let (mut ms, mut value, mut milestones) = (0, 0, Vec::new());
    let first = disk.position();
    let mut wire = Wire::connect(server.address(Kind::Tcp)).unwrap();
    for step in 0..60 {
        for _ in 0..1 + rng.below(4) {
            value = number(&wire.call(&["INCR", COUNTERS[0]]).unwrap());
        }
        if step % 7 == 6 {
            wire.call(&["BGREWRITEAOF"]).unwrap();
            wait_until("it is rewritten", || is_idle(&server));
        }
        let persistence = &server.server().persistence;
        wait_until("it is written", || {
            persistence.aof.behind(server.engine()) == 0
        });
        let at = disk.position();
        milestones.push(Milestone { at, ms, value });
        let later_ms = 100 + rng.below(400);
        server
            .server()
            .clock
            .advance(Duration::from_millis(later_ms));
        ms += later_ms;
        let of_a_second = milestones.iter().rfind(|known| known.ms + 1000 <= ms);
        if let Some(known) = of_a_second {
            wait_until(
                "what is a second old is on disk, and the clock stands",
                || disk.has_settled(known.at),
            );
        }
    }
    server.end();
    for at in places(&disk, first, &mut rng) {
        let fate = fate(&mut rng);
        let image = disk.image(at, fate, &mut rng);
        let [kept, _] =
            loaded(lines, image).unwrap_or_else(|log| panic!("{fate:?} at {at}: {log}"));
        // The time was at most what it was at the next milestone.
        let next = milestones.iter().find(|known| known.at >= at);
        let now_ms = next.map_or(ms, |known| known.ms);
        let safe = milestones
            .iter()
            .rfind(|known| known.at <= at && known.ms + 2000 <= now_ms);
        let safe = safe.map_or(0, |known| known.value);
        assert!(
            kept >= safe,
            "{fate:?} at {at}, {now_ms} ms: {kept}, and {safe} was there two seconds before"
        );
    }
}

#[test]
fn a_start_that_is_cut_short_loses_nothing() {
    let lines = "appendonly yes\nappendfsync always";
    let raised = |times: usize| request(&["INCR", COUNTERS[0]]).repeat(times);
    let torn = &raised(3)[..60];
    let old_style: &[(&str, &[u8])] = &[("appendonly.aof", &raised(3))];
    let parts: &[(&str, &[u8])] = &[
        (
            "appendonlydir/appendonly.aof.manifest",
            b"file appendonly.aof.1.incr.aof seq 1 type i\n\
              file appendonly.aof.2.incr.aof seq 2 type i\n",
        ),
        ("appendonlydir/appendonly.aof.1.incr.aof", torn),
        ("appendonlydir/appendonly.aof.2.incr.aof", b""),
    ];
    for (files, kept) in [(&[][..], 0), (old_style, 3), (parts, 2)] {
        let (dir, mut rng) = (TempDir::new().unwrap(), Rng::new(3));
        for (name, bytes) in files {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        let disk = RecordedDisk::new(dir.path());
        let first = disk.position();
        let mut server = launch(lines, dir, &disk, Clock::start());
        let last = disk.position();
        let sights = Sights::default();
        sights.watch(&server, &disk, "INCR", 0, 2);
        server.end();
        for at in first..=disk.position() {
            for fate in [Fate::Lost, Fate::Torn] {
                let image = disk.image(at, fate, &mut rng);
                let [value, _] = loaded(lines, image)
                    .unwrap_or_else(|log| panic!("{fate:?} at {at} of {last}: {log}"));
                let (least, most) = sights.bounds(0, at);
                assert!(
                    (least.max(kept)..=most.max(kept)).contains(&value),
                    "{fate:?} at {at} of {last}: {value} of {kept}"
                );
            }
        }
    }
}

#[test]
fn a_save_that_was_acknowledged_outlasts_a_power_cut() {
    let lines = "";
    let (dir, mut rng) = (TempDir::new().unwrap(), Rng::new(4));
    let disk = RecordedDisk::new(dir.path());
    let mut server = launch(lines, dir, &disk, Clock::start());
    let mut wire = Wire::connect(server.address(Kind::Tcp)).unwrap();
    let mut saved = Vec::new();
    for value in 1..=5 {
        wire.call(&["INCR", COUNTERS[0]]).unwrap();
        assert_eq!(wire.call(&["SAVE"]).unwrap(), b"+OK\r\n");
        saved.push((disk.position(), value));
    }
    server.end();
    for at in 1..=disk.position() {
        for fate in [Fate::Lost, Fate::Torn] {
            let image = disk.image(at, fate, &mut rng);
            let [value, _] =
                loaded(lines, image).unwrap_or_else(|log| panic!("{fate:?} at {at}: {log}"));
            let least = saved.iter().rfind(|(position, _)| *position <= at);
            let least = least.map_or(0, |(_, value)| *value);
            assert!(
                (least..=least + 1).contains(&value),
                "{fate:?} at {at}: {value} of {least}"
            );
        }
    }
}
