//! The checks before a command runs: one ordered array, in Redis' order (processCommand, Redis 7.2).

use crate::clients::flag;
use crate::engine::Engine;
use crate::eviction::{Headroom, Relief};
use crate::registry::Row;
use crate::session::Session;
use crate::transaction::Transaction;
use crate::world::{PauseScope, Role, World};
use commands::{CommandError, Flags};
use resp::Proto;
use std::sync::Arc;

/// What the checks look at.
#[derive(Debug)]
pub(crate) struct Admission<'a> {
    pub(crate) engine: &'a Engine,
    pub(crate) world: &'a World,
    pub(crate) session: &'a Session,
    pub(crate) row: &'a Row,
    pub(crate) argv: &'a [&'a [u8]],
    /// What the thread may allocate before it looks at the memory in use.
    pub(crate) headroom: &'a Headroom,
    /// What came of that look, when there was one.
    pub(crate) relief: Option<Relief>,
}

/// What admission says of a call.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// It may run.
    Run,
    /// It may run, and is a write of a client on a replica, which nobody else has.
    RunApart,
    /// It is put into the transaction.
    Queue,
    /// Memory is looked at first, and made free where there is too little; then it is admitted again.
    Relieve,
    /// It is answered with this error.
    Refuse(CommandError),
    /// It comes from a primary that this server does not follow any more: the link ends.
    End,
    /// It waits until the world changes or, when there is one, until this Unix time in milliseconds.
    Wait(Option<i64>),
}

type Check = fn(&Admission<'_>) -> Option<Verdict>;

/// The checks in the order in which Redis makes them.
const CHECKS: &[Check] = &[
    frozen,
    fed,
    arity,
    authenticated,
    allowed_in_transaction,
    memory,
    saved,
    enough_replicas,
    read_only,
    subscriber,
    stale,
    loading,
    follower,
    paused,
    snapshot,
    queued,
];

/// What becomes of a call.
pub(crate) fn admit(admission: &Admission<'_>) -> Verdict {
    let calm =
        admission.session.is_plain() && admission.world.is_calm() && is_memory_ample(admission);
    if calm && admission.row.arity.admits(admission.argv.len()) {
        return Verdict::Run;
    }
    CHECKS
        .iter()
        .find_map(|check| check(admission))
        .unwrap_or_else(|| {
            if admission.world.is_replica() && writes(admission) {
                Verdict::RunApart
            } else {
                Verdict::Run
            }
        })
}

fn frozen(admission: &Admission<'_>) -> Option<Verdict> {
    admission.world.frozen.then_some(Verdict::Wait(None))
}

/// What the primary says runs whatever the rules for clients are, as long as it is the primary; and so does what an
/// append-only file says.
fn fed(admission: &Admission<'_>) -> Option<Verdict> {
    let session = admission.session;
    let role = admission.world.role;
    let follows = match &session.feed {
        None if session.replays => true,
        None => return None,
        Some(feed) => matches!(role, Role::Replica { epoch, .. } if epoch == feed.epoch),
    };
    Some(if follows {
        arity(admission)
            .or_else(|| queued(admission))
            .unwrap_or(Verdict::Run)
    } else {
        Verdict::End
    })
}

fn arity(admission: &Admission<'_>) -> Option<Verdict> {
    let Admission { row, argv, .. } = admission;
    let admits = row.arity.admits(argv.len());
    (!admits).then(|| Verdict::Refuse(CommandError::Arity(row.name.to_string().into())))
}

fn authenticated(admission: &Admission<'_>) -> Option<Verdict> {
    let admitted = admission.session.authenticated
        || !admission.world.password_required
        || admission.row.flags.contains(Flags::NO_AUTH);
    (!admitted).then_some(Verdict::Refuse(CommandError::NoAuth))
}

fn allowed_in_transaction(admission: &Admission<'_>) -> Option<Verdict> {
    let refused =
        admission.session.transaction.is_some() && admission.row.flags.contains(Flags::NO_MULTI);
    refused.then_some(Verdict::Refuse(CommandError::NotInTransaction))
}

/// Before any command at all keys are evicted if need be; only those that may need more memory are refused, and inside MULTI
/// all that would be queued (processCommand, Redis 7.2).
fn memory(admission: &Admission<'_>) -> Option<Verdict> {
    if is_memory_ample(admission) {
        return None;
    }
    let Admission { row, session, .. } = admission;
    match admission.relief {
        None => Some(Verdict::Relieve),
        Some(Relief::None) => {
            let transaction = session.transaction.as_ref();
            let denies = row.flags.contains(Flags::DENYOOM)
                || transaction.is_some_and(|transaction| {
                    !row.flags.contains(Flags::IMMEDIATE)
                        || row.flags.contains(Flags::RUNS_TRANSACTION)
                            && transaction.flags.contains(Flags::DENYOOM)
                });
            denies.then_some(Verdict::Refuse(CommandError::OutOfMemory))
        }
        Some(Relief::Enough | Relief::Partial) => None,
    }
}

#[inline]
fn is_memory_ample(admission: &Admission<'_>) -> bool {
    admission.world.maxmemory == 0 || admission.headroom.is_ample(&*admission.engine.host)
}

/// Whether the call writes, or runs a transaction that does.
fn writes(admission: &Admission<'_>) -> bool {
    has_flags(admission, Flags::WRITE)
}

/// Whether the call, or one of the transaction that it runs, has one of these flags.
fn has_flags(admission: &Admission<'_>, flags: Flags) -> bool {
    admission.row.flags.intersects(flags)
        || run_by(admission).is_some_and(|transaction| transaction.flags.intersects(flags))
}

/// Whether the call, or one of the transaction that it runs, lacks this flag.
fn lacks(admission: &Admission<'_>, flag: Flags) -> bool {
    let Admission { row, .. } = admission;
    !row.flags.contains(flag)
        || run_by(admission).is_some_and(|transaction| transaction.lacking.contains(flag))
}

/// The transaction that the call runs.
fn run_by<'a>(admission: &Admission<'a>) -> Option<&'a Transaction> {
    let Admission { row, session, .. } = admission;
    let runs = row.flags.contains(Flags::RUNS_TRANSACTION);
    session.transaction.as_deref().filter(|_| runs)
}

fn enough_replicas(admission: &Admission<'_>) -> Option<Verdict> {
    let world = admission.world;
    let refused = world.lacks_replicas && !world.is_replica() && writes(admission);
    refused.then_some(Verdict::Refuse(CommandError::NoReplicas))
}

fn read_only(admission: &Admission<'_>) -> Option<Verdict> {
    let world = admission.world;
    let refused = world.is_replica() && world.replica_read_only && writes(admission);
    refused.then_some(Verdict::Refuse(CommandError::ReadOnly))
}

/// While the primary is out of reach, only what does not look at the data may run if `replica-serve-stale-data` is off.
fn stale(admission: &Admission<'_>) -> Option<Verdict> {
    let world = admission.world;
    let Role::Replica {
        is_linked: false, ..
    } = world.role
    else {
        return None;
    };
    let denied = !world.serves_stale_data && lacks(admission, Flags::STALE);
    denied.then_some(Verdict::Refuse(CommandError::PrimaryDown))
}

/// A replica's own connection gets the log, not replies about keys.
fn follower(admission: &Admission<'_>) -> Option<Verdict> {
    let flags = Flags::WRITE
        .union(Flags::READONLY)
        .union(Flags::MAY_REPLICATE);
    let refused = admission.session.client.has_flag(flag::REPLICA) && has_flags(admission, flags);
    refused.then_some(Verdict::Refuse(CommandError::ReplicaKeyspace))
}

/// A RESP2 connection that is subscribed gets messages between replies, so that only commands about subscriptions make sense.
fn subscriber(admission: &Admission<'_>) -> Option<Verdict> {
    let Admission { session, row, .. } = admission;
    let refused = session.proto == Proto::Resp2
        && !session.subscriptions.is_empty()
        && !row.flags.contains(Flags::SUBSCRIBER);
    refused.then(|| Verdict::Refuse(CommandError::SubscriberOnly(row.name.to_string())))
}

/// While the dataset is read only what does not need it may run. EXEC needs it when one of its commands does.
fn loading(admission: &Admission<'_>) -> Option<Verdict> {
    let Admission { world, row, .. } = admission;
    let needs = world.async_loading && row.flags.contains(Flags::NO_ASYNC_LOADING)
        || world.loading && lacks(admission, Flags::LOADING);
    needs.then_some(Verdict::Refuse(CommandError::Loading))
}

fn paused(admission: &Admission<'_>) -> Option<Verdict> {
    let Admission {
        world,
        row,
        session,
        engine,
        ..
    } = admission;
    let transaction_writes = row.flags.contains(Flags::RUNS_TRANSACTION)
        && session
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.flags.intersects(MAY_WRITE));
    let writes = row.flags.intersects(MAY_WRITE) || transaction_writes;
    if (world.failing_over || world.ending) && writes {
        return Some(Verdict::Wait(None));
    }
    let pause = world.pause?;
    let held_back = match pause.scope {
        PauseScope::All => true,
        PauseScope::Write => writes,
    };
    let waits = held_back && engine.host.now().ms() < pause.until_ms;
    waits.then_some(Verdict::Wait(Some(pause.until_ms)))
}

/// While saving fails, or writing the append-only file, nothing is written that could be lost.
fn saved(admission: &Admission<'_>) -> Option<Verdict> {
    let Admission {
        world,
        row,
        session,
        ..
    } = admission;
    let error = match &world.aof_error {
        _ if world.refuses_writes() => CommandError::SaveFailed,
        Some(reason) => CommandError::AofWrite(Arc::clone(reason)),
        None => return None,
    };
    let transaction_writes = row.flags.contains(Flags::RUNS_TRANSACTION)
        && session
            .transaction
            .as_ref()
            .is_some_and(|transaction| transaction.flags.contains(Flags::WRITE));
    let refused = transaction_writes
        || row
            .flags
            .intersects(Flags::WRITE.union(Flags::TELLS_HEALTH));
    refused.then_some(Verdict::Refuse(error))
}

/// While too much waits to be written into a snapshot, nothing is added to it.
fn snapshot(admission: &Admission<'_>) -> Option<Verdict> {
    /// The run wakes those who wait; this is how long a wake-up may be missed.
    const AGAIN_MS: i64 = 10;
    let Admission {
        world,
        row,
        session,
        engine,
        ..
    } = admission;
    let is_full = || {
        let limit = world.snapshot_buffer_limit;
        world.snapshot && engine.snapshots.is_full(limit, &*engine.host)
    };
    let writes = match &session.transaction {
        Some(transaction) => {
            row.flags.contains(Flags::RUNS_TRANSACTION) && transaction.flags.contains(Flags::WRITE)
        }
        None => row.flags.contains(Flags::WRITE),
    };
    (writes && is_full()).then(|| Verdict::Wait(Some(engine.host.now().ms() + AGAIN_MS)))
}

fn queued(admission: &Admission<'_>) -> Option<Verdict> {
    let queued =
        admission.session.transaction.is_some() && !admission.row.flags.contains(Flags::IMMEDIATE);
    queued.then_some(Verdict::Queue)
}

const MAY_WRITE: Flags = Flags::WRITE.union(Flags::MAY_REPLICATE);
