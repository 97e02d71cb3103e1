//! Running requests that were read: finding a group of them, calling one after the other, and looking back at the slow ones.

use std::sync::atomic::Ordering::Relaxed;

use engine::observe::{Sizes, Thresholds};
use engine::{Executor, PREFETCH_MAX, Past, Step};
use resp::{Limits, Parse, Parser, ProtocolError, Trust};
use smallvec::SmallVec;

use super::State;
use super::account::{OUTPUT_FLUSH, watermark};
use super::requests::Stop;
use crate::net::Shared;

/// Requests that one turn runs.
const BATCH_REQUESTS: usize = 1000;

/// Nanoseconds that one turn runs.
pub(super) const BATCH_NS: u64 = 1_000_000;

/// A request counts once more for each so many bytes of it, so that a large one ends the turn.
const REQUEST_WEIGHT: usize = 1024;

/// How far a run has come.
struct Run {
    /// Where the requests end that have run.
    at: usize,
    /// Requests, large ones counted several times.
    requests: usize,
    /// Bytes of output above which it stops.
    output_max: usize,
    /// Whether each request is looked back at when it has run.
    watches_each: bool,
    /// Where the last request begins and the one before.
    recent: [usize; 2],
    /// How long the last request was, if it has ended and was not looked back at.
    ended: Option<usize>,
    /// The output before the reply of the last request.
    out_before: usize,
}

/// Requests found one after the other, so that what they will look up can be fetched before the first of them runs.
#[derive(Default)]
struct Group<'d> {
    words: SmallVec<[&'d [u8]; 3 * PREFETCH_MAX]>,
    calls: SmallVec<[Call; PREFETCH_MAX]>,
}

/// One request of a group.
#[derive(Clone, Copy)]
struct Call {
    /// Where its words end among those of the group.
    words_end: usize,
    /// Where it begins in the buffer.
    start: usize,
    /// Where it ends, with what is passed over behind it.
    end: usize,
}

/// Why a group has no further request.
enum GroupEnd {
    /// It holds as many as it may.
    Full,
    /// Up to here lies nothing to run.
    Skip(usize),
    /// The next request, which ends here, has words that do not stand in the buffer as they are meant.
    Quoted(usize),
    /// The next request is not there whole.
    Incomplete { needed: usize },
    /// The next request is none.
    Violation(ProtocolError),
}

impl<'d> Group<'d> {
    fn add(&mut self, words: impl Iterator<Item = &'d [u8]>, start: usize, end: usize) {
        self.words.extend(words);
        let words_end = self.words.len();
        self.calls.push(Call {
            words_end,
            start,
            end,
        });
    }

    /// The calls with their words.
    fn calls(&self) -> impl Iterator<Item = (Call, &[&'d [u8]])> {
        let mut start = 0;
        self.calls.iter().map(move |call| {
            let words = start..call.words_end;
            start = call.words_end;
            (*call, self.words.get(words).unwrap_or_default())
        })
    }

    /// The second word of each call, which is the key of nearly every command that has one.
    fn keys(&self) -> impl Iterator<Item = &'d [u8]> {
        self.calls().filter_map(|(_, words)| words.get(1).copied())
    }
}

/// How large a request was that has ended, in bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) request: usize,
    pub(super) reply: usize,
}

impl Ended {
    fn sizes(self) -> Sizes {
        Sizes {
            request: self.request as u64,
            reply: self.reply as u64,
        }
    }
}

/// Whether each request has to be looked back at when it has run: the end of a turn would not do, because what is looked
/// for does not end one.
fn watches_each(thresholds: &Thresholds) -> bool {
    let below = |threshold: Option<u64>, ends_turn: usize| {
        threshold.is_some_and(|threshold| threshold < ends_turn as u64)
    };
    thresholds.slow_ns() <= BATCH_NS
        || below(thresholds.request_bytes, BATCH_REQUESTS * REQUEST_WEIGHT)
        || below(thresholds.reply_bytes, OUTPUT_FLUSH)
}

/// Gives the words of the request at `at` to `take`.
fn with_words(data: &[u8], at: usize, take: impl FnOnce(&[&[u8]])) {
    let limits = Limits {
        bulk_max: u64::MAX,
        trust: Trust::Primary,
    };
    let (rest, mut parser) = (data.get(at..).unwrap_or_default(), Parser::default());
    if let Ok(Parse::Frame(_)) = parser.parse(rest, &limits) {
        let argv: SmallVec<[&[u8]; 16]> = parser.request(rest).iter().collect();
        take(&argv);
    }
}

impl State {
    /// Runs the requests at the start of `data`: how many bytes they took, and why no more ran.
    pub(super) fn run(
        &mut self,
        executor: &mut Executor,
        shared: &Shared,
        data: &[u8],
    ) -> (usize, Stop) {
        let bulk_max = shared.server.limits.bulk_max.load(Relaxed);
        let shown = &self.session.client.shown;
        let free = self.read_room.saturating_sub(data.len());
        shown.qbuf.store(data.len() as u64, Relaxed);
        shown.qbuf_free.store(free as u64, Relaxed);
        let bounds = self.output_bounds(shared);
        self.session.out.set_max(bounds.output_max());
        let mut run = Run {
            at: 0,
            requests: 0,
            output_max: watermark(bounds),
            watches_each: watches_each(executor.thresholds()),
            recent: [0, 0],
            ended: None,
            out_before: self.session.out.len(),
        };
        let stop = loop {
            let mut group = Group::default();
            let end = self.look_ahead(data, run.at, bulk_max, &mut group);
            if group.calls.len() > 1 {
                executor.prefetch(self.session.db, group.keys());
            }
            let stopped = group
                .calls()
                .find_map(|(call, argv)| self.call(executor, &mut run, data, call, argv));
            if let Some(stop) = stopped {
                self.parser.restart();
                break stop;
            }
            match end {
                GroupEnd::Full => {}
                GroupEnd::Skip(at) => run.at = at,
                GroupEnd::Quoted(end) => {
                    let rest = data.get(run.at..).unwrap_or_default();
                    let words: Vec<Box<[u8]>> =
                        self.parser.request(rest).iter().map(Box::from).collect();
                    let argv: Vec<&[u8]> = words.iter().map(|word| &**word).collect();
                    let call = Call {
                        words_end: argv.len(),
                        start: run.at,
                        end,
                    };
                    if let Some(stop) = self.call(executor, &mut run, data, call, &argv) {
                        break stop;
                    }
                }
                GroupEnd::Incomplete { needed } => {
                    self.needed = needed;
                    break Stop::Incomplete;
                }
                GroupEnd::Violation(violation) => break Stop::Violation(violation),
            }
        };
        executor.end_batch();
        self.look_back(executor, &mut run, data);
        (run.at, stop)
    }

    /// Finds the requests that lie whole in `data` from `at` on, as many as a group holds. A client that is not trusted yet
    /// may become so by the first of them, so that there is no second.
    fn look_ahead<'d>(
        &mut self,
        data: &'d [u8],
        mut at: usize,
        bulk_max: u64,
        group: &mut Group<'d>,
    ) -> GroupEnd {
        let (trust, most) = if self.session.authenticated {
            (Trust::Authenticated, PREFETCH_MAX)
        } else {
            (Trust::Unauthenticated, 1)
        };
        let limits = Limits { bulk_max, trust };
        while group.calls.len() < most {
            let rest = data.get(at..).unwrap_or_default();
            match self.parser.parse(rest, &limits) {
                Ok(Parse::Frame(length)) => {
                    let Some(ranges) = self.parser.ranges() else {
                        // Its words lie in the parser, until it looks further.
                        let alone = group.calls.is_empty();
                        return if alone {
                            GroupEnd::Quoted(at + length)
                        } else {
                            GroupEnd::Full
                        };
                    };
                    let words = ranges.iter().map(|range| range.of(rest));
                    group.add(words, at, at + length);
                    at += length;
                }
                Ok(Parse::Skip(length)) => {
                    at += length;
                    match group.calls.last_mut() {
                        Some(call) => call.end = at,
                        None => return GroupEnd::Skip(at),
                    }
                }
                Ok(Parse::Incomplete { needed }) => return GroupEnd::Incomplete { needed },
                Err(violation) => return GroupEnd::Violation(violation),
            }
        }
        GroupEnd::Full
    }

    /// Runs one call; why no further one is to run, if so.
    #[inline]
    fn call(
        &mut self,
        executor: &mut Executor,
        run: &mut Run,
        data: &[u8],
        call: Call,
        argv: &[&[u8]],
    ) -> Option<Stop> {
        run.recent = [run.recent[1], call.start];
        run.ended = None;
        let step = executor.call(&mut self.session, argv);
        let length = call.end - call.start;
        let has_ended = matches!(
            step,
            Step::Done | Step::Freeze(_) | Step::Host(_) | Step::Close
        );
        if has_ended {
            run.at = call.end;
            run.ended = Some(length);
        }
        if !matches!(step, Step::Done) {
            return Some(Stop::Step(step));
        }
        run.requests += 1 + length / REQUEST_WEIGHT;
        let latest_ns = executor.latest().monotonic_ns;
        let started_ns = *self.turn_started_ns.get_or_insert(latest_ns);
        if run.watches_each {
            executor.end_batch();
            self.look_back(executor, run, data);
        }
        let out_len = self.session.out.len();
        if out_len >= run.output_max {
            return Some(Stop::Output);
        }
        run.out_before = out_len;
        let is_over =
            run.requests >= BATCH_REQUESTS || latest_ns.saturating_sub(started_ns) > BATCH_NS;
        is_over.then_some(Stop::Budget)
    }

    fn look_back(&self, executor: &mut Executor, run: &mut Run, data: &[u8]) {
        let reply = self.session.out.len().saturating_sub(run.out_before);
        let ended = run.ended.take().map(|request| Ended { request, reply });
        self.observe(executor, data, run.recent, ended);
    }

    /// Enters the last request into the logs that it belongs in, if it has ended, and the one before it. Their bytes are
    /// still there.
    pub(super) fn observe(
        &self,
        executor: &mut Executor,
        data: &[u8],
        [previous, last]: [usize; 2],
        ended: Option<Ended>,
    ) {
        let sizes = ended.map(Ended::sizes);
        if !executor.is_remarkable(sizes) {
            return;
        }
        with_words(data, previous, |argv| {
            executor.enter(&self.session, Past::Previous(argv));
        });
        with_words(data, last, |argv| {
            executor.enter(&self.session, Past::Last(argv, sizes));
        });
        executor.forget_slow();
    }
}
