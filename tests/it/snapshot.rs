//! Snapshots while several clients write whatever there is to write: what a real server loads is the dataset of the cut.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use commands::Rng;
use engine::Engine;
use engine::snapshot::{Snapshot, SnapshotError, SnapshotObserver};
use persist::{Checksums, Compression, RdbVersion, RdbWriter};
use tempfile::TempDir;

use crate::differential::templates::{TEMPLATES, expand};
use crate::oracle::RealServer;
use crate::server::TestServer;
use crate::transcript::Caller;

/// Commands that may wait for what another client has taken away.
const WAITING: &[&str] = &[
    "BLPOP",
    "BRPOP",
    "BLMOVE",
    "BRPOPLPUSH",
    "BLMPOP",
    "BZPOPMIN",
    "BZPOPMAX",
    "BZMPOP",
    "XREAD",
];

/// Calls made-up commands until `done`, in one database or another.
fn write(server: &TestServer, seed: u64, done: &AtomicBool) {
    let (mut caller, mut rng) = (Caller::of(server), Rng::new(seed));
    let others = ["SWAPDB 0 1", "SWAPDB 1 3", "FLUSHDB"];
    while !done.load(Relaxed) {
        match rng.below(2000) {
            0..20 => drop(caller.call(&format!("SELECT {}", rng.below(4)))),
            20..23 => drop(caller.call(others[rng.below(3) as usize])),
            23..40 => {
                let fields: String = (0..2000).map(|field| format!(" {field} x")).collect();
                caller.call(&format!("HSET {{h}}{} {fields}", rng.below(3)));
            }
            _ => {
                let template = TEMPLATES[rng.below(TEMPLATES.len() as u64) as usize];
                if WAITING.iter().any(|command| template.contains(command)) {
                    continue;
                }
                for call in expand(template, rng.next_u64()) {
                    caller.send(&call);
                    caller.receive();
                }
            }
        }
    }
}

/// Writes a snapshot into the file that a real server of version 7.0 loads.
fn save(
    engine: &Engine,
    snapshot: Snapshot,
    dir: &TempDir,
    observer: &mut impl SnapshotObserver,
) -> Result<(), SnapshotError> {
    let (version, compression) = (RdbVersion::V10, Compression::Lzf);
    let mut rdb = RdbWriter::new(Vec::new(), version, compression, Checksums::Verify).unwrap();
    snapshot.run(engine, &mut rdb, None, observer)?;
    std::fs::write(dir.path().join("dump.rdb"), rdb.finish().unwrap()).unwrap();
    Ok(())
}

/// Lets the writers end, also when the test fails.
pub(crate) struct Done<'a>(pub(crate) &'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Aborts the snapshot after so many keys.
struct Abort(usize);

impl SnapshotObserver for Abort {
    fn key(&mut self) -> std::ops::ControlFlow<()> {
        match self.0.checked_sub(1) {
            None => std::ops::ControlFlow::Break(()),
            Some(left) => {
                self.0 = left;
                std::ops::ControlFlow::Continue(())
            }
        }
    }
}

#[test]
fn a_real_server_loads_the_dataset_of_the_cut() {
    const ROUNDS: u64 = 8;
    let server =
        TestServer::plain("enable-debug-command yes\nio-threads 2\nworker-placement spread");
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for seed in 1..4 {
            let (server, done) = (&server, &done);
            scope.spawn(move || write(server, seed, done));
        }
        let _at_the_end = Done(&done);
        let mut caller = Caller::of(&server);
        let engine = server.engine();
        for round in 0..ROUNDS {
            caller.call("CLIENT PAUSE 60000 WRITE");
            let digest = caller.text("DEBUG DIGEST");
            let (snapshot, ()) = Snapshot::begin(engine, || ()).unwrap();
            caller.call("CLIENT UNPAUSE");
            let dir = TempDir::new().unwrap();
            if round % 4 == 3 {
                let aborted = save(engine, snapshot, &dir, &mut Abort(round as usize));
                assert!(matches!(aborted, Err(SnapshotError::Aborted) | Ok(())));
                continue;
            }
            match save(engine, snapshot, &dir, &mut ()) {
                // FLUSHALL does that.
                Err(SnapshotError::Aborted) => continue,
                saved => saved.unwrap(),
            }
            let real = RealServer::start_in(dir.path(), "dump.rdb");
            let theirs = Caller::connect(real.address).unwrap().text("DEBUG DIGEST");
            assert_eq!(theirs, digest, "round {round}");
        }
    });
}

#[test]
fn a_dataset_goes_from_redis_and_back_unchanged() {
    let dir = TempDir::new().unwrap();
    let digest = {
        let real = RealServer::start_in(dir.path(), "dump.rdb");
        let mut caller = Caller::connect(real.address).unwrap();
        let mut rng = Rng::new(9);
        for template in TEMPLATES {
            if WAITING.iter().any(|command| template.contains(command)) {
                continue;
            }
            for _ in 0..10 {
                for call in expand(template, rng.next_u64()) {
                    caller.send(&call);
                    caller.receive();
                }
            }
        }
        caller.call("SAVE");
        caller.text("DEBUG DIGEST")
    };
    let server = TestServer::start("enable-debug-command yes", &[cuirass::Kind::Tcp], dir);
    assert_eq!(Caller::of(&server).text("DEBUG DIGEST"), digest);
    let (engine, back) = (server.engine(), TempDir::new().unwrap());
    let (snapshot, ()) = Snapshot::begin(engine, || ()).unwrap();
    save(engine, snapshot, &back, &mut ()).unwrap();
    let real = RealServer::start_in(back.path(), "dump.rdb");
    let mut caller = Caller::connect(real.address).unwrap();
    assert_eq!(caller.text("DEBUG DIGEST"), digest);
}
