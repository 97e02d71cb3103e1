//! Lanes: a few threads for calls that take over a millisecond. The connection waits, the worker's other connections go on.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

use engine::{Engine, Executor, Step, Taker};
use parking_lot::{Condvar, Mutex};
use tokio::sync::oneshot;

use crate::net::Shared;
use crate::net::connection::State;

/// The queue that all lanes take from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lanes(Arc<Queue>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    is_closed: bool,
}

/// A connection's state with a request at the front of its buffer, and the way back.
#[derive(Debug)]
struct Job {
    state: Box<State>,
    work: Work,
    back: oneshot::Sender<(Box<State>, Step)>,
}

#[derive(Clone, Copy, Debug)]
enum Work {
    /// Call the request.
    Call,
    /// End the freeze of DEBUG SLEEP.
    Thaw,
}

/// The number of lanes for so many cores.
pub(crate) fn count_for(cores: usize) -> usize {
    cores.clamp(1, 4)
}

impl Lanes {
    /// Calls the request at the front of the state's buffer on a lane.
    pub(crate) async fn call(&self, state: Box<State>) -> (Box<State>, Step) {
        self.send(state, Work::Call).await
    }

    /// Ends the freeze that the session began.
    pub(crate) async fn thaw(&self, state: Box<State>) -> Box<State> {
        self.send(state, Work::Thaw).await.0
    }

    async fn send(&self, state: Box<State>, work: Work) -> (Box<State>, Step) {
        let (back, done) = oneshot::channel();
        self.push(Job { state, work, back });
        match done.await {
            Ok(answer) => answer,
            // The server is ending, and this connection with it.
            Err(_) => std::future::pending().await,
        }
    }

    fn push(&self, job: Job) {
        let mut waiting = self.0.waiting.lock();
        if !waiting.is_closed {
            waiting.jobs.push_back(job);
            self.0.arrived.notify_one();
        }
    }

    /// Lets the lanes end once they have done what they are at.
    pub(crate) fn close(&self) {
        let mut waiting = self.0.waiting.lock();
        waiting.is_closed = true;
        waiting.jobs.clear();
        self.0.arrived.notify_all();
    }

    /// Whether the server is ending.
    pub(crate) fn are_closed(&self) -> bool {
        self.0.waiting.lock().is_closed
    }

    /// Starts one lane, as the engine's thread number `thread`.
    ///
    /// # Errors
    /// The system has no thread left.
    pub(crate) fn start(
        &self,
        shared: Arc<Shared>,
        thread: usize,
        seed: u64,
    ) -> io::Result<JoinHandle<()>> {
        let lanes = self.clone();
        std::thread::Builder::new()
            .name(format!("lane-{thread}"))
            .spawn(move || lanes.run(&shared, thread, seed))
    }

    fn run(&self, shared: &Shared, thread: usize, seed: u64) {
        let engine: Arc<Engine> = Arc::clone(&shared.engine);
        let mut executor = Executor::new(engine, thread, Taker::Lane, seed);
        while let Some(mut job) = self.next() {
            let step = match job.work {
                Work::Call => job.state.run_on_lane(&mut executor, shared),
                Work::Thaw => {
                    executor.thaw(&mut job.state.session);
                    Step::Done
                }
            };
            // Without the connection's task the worker has ended.
            let _ = job.back.send((job.state, step));
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.0.waiting.lock();
        loop {
            if let Some(job) = waiting.jobs.pop_front() {
                return Some(job);
            }
            if waiting.is_closed {
                return None;
            }
            self.0.arrived.wait(&mut waiting);
        }
    }
}
