//! Replication's commands: REPLICAOF, ROLE, WAIT, and what replicas say (REPLCONF, PSYNC, SYNC).

use std::sync::atomic::Ordering::Relaxed;

use commands::{Args, Arity, Categories, CommandError, Flags, Group, Reply};
use config::composite::Primary;
use config::directive;
use engine::clients::flag;
use engine::{EngineCommand, Flow, Handler, Holding, HostRequest, SessionCtx};
use replication::{ConfError, Notice};
use tracing::{info, warn};

use super::error::RowError;
use super::{host, server};
use crate::Server;
use crate::client_info;
use crate::replication::{Failover, FailoverPhase, Follower, LinkPhase, Phase, Psync};

/// The rows of this module.
pub(super) const COMMANDS: &[&EngineCommand] = &[
    &FAILOVER, &PSYNC, &REPLCONF, &REPLICAOF, &ROLE, &SLAVEOF, &SYNC, &WAIT, &WAITAOF,
];

const REPLICAOF: EngineCommand = EngineCommand {
    name: "replicaof",
    group: Group::Server,
    since: "5.0.0",
    summary: "Makes the server a replica of another one, or ends that.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::EVERYTHING)
        .union(Flags::NO_ASYNC_LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(replicaof),
};

const SLAVEOF: EngineCommand = EngineCommand {
    name: "slaveof",
    since: "1.0.0",
    summary: "The older name of REPLICAOF.",
    ..REPLICAOF
};

fn replicaof(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let (name, port) = (args.bytes()?, args.bytes()?);
    let none = name.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one");
    let who = client_info::line(ctx.engine, &ctx.session.client, ctx.now.ms());
    if none {
        return Ok(Flow::everything(move |held| {
            let (engine, server) = (held.engine, host(held.engine));
            not_failing_over(server)?;
            let mut led = false;
            held.change_world(|world| led = server.replication.lead(engine, world));
            if led {
                server.show_primary(None);
                warn!("MASTER MODE enabled (user request from '{who}')");
            }
            Ok(Reply::Ok)
        }));
    }
    if ctx.session.client.has_flag(flag::REPLICA) {
        return Err(RowError::NotForReplicas.into());
    }
    let port = resp::number::parse_i64(port).and_then(|port| u16::try_from(port).ok());
    let primary = Primary {
        host: name.to_vec(),
        port: port.ok_or(RowError::InvalidMasterPort)?,
    };
    Ok(Flow::everything(move |held| follow(held, &primary, &who)))
}

fn follow(held: &mut Holding<'_>, primary: &Primary, who: &str) -> Result<Reply, CommandError> {
    let (engine, server) = (held.engine, host(held.engine));
    not_failing_over(server)?;
    let (name, port) = (String::from_utf8_lossy(&primary.host), primary.port);
    let upstream = server.replication.upstream();
    if upstream.is_some_and(|upstream| upstream.host == name && upstream.port == port) {
        info!(
            "REPLICAOF would result into synchronization with the master we are already connected with. No operation performed."
        );
        return Ok(Reply::Simple("OK Already connected to specified master"));
    }
    let backlog = server.backlog_size();
    held.change_world(|world| server.replication.follow(engine, world, primary, backlog));
    server.show_primary(Some(primary));
    warn!("REPLICAOF {name}:{port} enabled (user request from '{who}')");
    Ok(Reply::Ok)
}

fn not_failing_over(server: &Server) -> Result<(), CommandError> {
    match server.replication.failover_phase() {
        None => Ok(()),
        Some(_) => Err(RowError::ReplicaofFailingOver.into()),
    }
}

const FAILOVER: EngineCommand = EngineCommand {
    name: "failover",
    group: Group::Server,
    since: "6.2.0",
    summary: "Changes places with a replica.",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::EVERYTHING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(failover),
};

fn failover(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    if let [option] = args.peek_all()
        && option.eq_ignore_ascii_case(b"ABORT")
    {
        return Ok(Flow::everything(|held| {
            let (engine, server) = (held.engine, host(held.engine));
            if server.replication.failover_phase().is_none() {
                return Err(RowError::NoFailover.into());
            }
            let why = "Failover manually aborted";
            held.change_world(|world| server.replication.abort_failover(engine, world, why));
            if server.replication.upstream().is_none() {
                server.show_primary(None);
            }
            Ok(Reply::Ok)
        }));
    }
    let (mut timeout_ms, mut target, mut is_forced) = (None, None, false);
    while let Some(option) = args.next_word() {
        if option.eq_ignore_ascii_case(b"TIMEOUT") && !args.is_empty() && timeout_ms.is_none() {
            let given = args.int()?;
            if given <= 0 {
                return Err(RowError::FailoverTimeout.into());
            }
            timeout_ms = Some(given);
        } else if option.eq_ignore_ascii_case(b"TO") && args.len() >= 2 && target.is_none() {
            let name = String::from_utf8_lossy(args.bytes()?).into_owned();
            target = Some((name, u16::try_from(args.int()?).unwrap_or(0)));
        } else if option.eq_ignore_ascii_case(b"FORCE") && !is_forced {
            is_forced = true;
        } else {
            return Err(CommandError::Syntax);
        }
    }
    let wanted = Failover {
        phase: FailoverPhase::Waiting,
        target,
        deadline_ms: timeout_ms.map(|timeout| ctx.now.ms().saturating_add(timeout)),
        is_forced,
    };
    Ok(Flow::everything(move |held| begin_failover(held, &wanted)))
}

fn begin_failover(held: &mut Holding<'_>, wanted: &Failover) -> Result<Reply, CommandError> {
    let replication = &host(held.engine).replication;
    if replication.failover_phase().is_some() {
        return Err(RowError::FailoverInProgress.into());
    }
    if replication.upstream().is_some() {
        return Err(RowError::FailoverOnReplica.into());
    }
    let replicas = replication.followers.all();
    if replicas.is_empty() {
        return Err(RowError::FailoverAlone.into());
    }
    if wanted.is_forced && (wanted.deadline_ms.is_none() || wanted.target.is_none()) {
        return Err(RowError::FailoverForce.into());
    }
    if let Some(target) = &wanted.target {
        let found = replicas.iter().find(|replica| replica.address() == *target);
        let found = found.ok_or(RowError::FailoverTarget)?;
        if found.phase() != Phase::Online {
            return Err(RowError::FailoverOffline.into());
        }
    }
    held.change_world(|world| replication.begin_failover(world, wanted.clone()));
    Ok(Reply::Ok)
}

const ROLE: EngineCommand = EngineCommand {
    name: "role",
    group: Group::Server,
    since: "2.8.12",
    summary: "Says whether this is a primary or a replica, and of whom.",
    complexity: "O(N) in the number of replicas",
    arity: Arity::Exact(1),
    keys: &[],
    flags: Flags::FAST
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::ADMIN.union(Categories::DANGEROUS),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(role),
};

fn role(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    let end = ctx.engine.log.end();
    let replication = &server(ctx).replication;
    let Some(upstream) = replication.upstream() else {
        let mut replicas = replication.followers.all();
        replicas.retain(|replica| replica.phase() == Phase::Online);
        let mut out = ctx.out();
        out.array(3);
        out.bulk(b"master");
        out.integer(end as i64);
        out.array(replicas.len());
        for replica in replicas {
            let (ip, port) = replica.address();
            out.array(3);
            out.bulk(ip.as_bytes());
            out.bulk(port.to_string().as_bytes());
            out.bulk(replica.acknowledged.load(Relaxed).to_string().as_bytes());
        }
        return ctx.written();
    };
    let is_up = upstream.phase == LinkPhase::Connected;
    let mut out = ctx.out();
    out.array(5);
    out.bulk(b"slave");
    out.bulk(upstream.host.as_bytes());
    out.integer(i64::from(upstream.port));
    out.bulk(upstream.phase.name().as_bytes());
    out.integer(if is_up { end as i64 } else { -1 });
    ctx.written()
}

const REPLCONF: EngineCommand = EngineCommand {
    name: "replconf",
    group: Group::Server,
    since: "3.0.0",
    summary: "What a replica tells its primary of itself.",
    complexity: "O(1)",
    arity: Arity::AtLeast(1),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::ALLOW_BUSY)
        .union(Flags::LOADING)
        .union(Flags::NOSCRIPT)
        .union(Flags::STALE),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(replconf),
};

fn replconf(ctx: &mut SessionCtx<'_>, args: Args<'_>) -> Result<Flow, CommandError> {
    let replication = &server(ctx).replication;
    let follower = replication.followers.of(&ctx.session.client);
    ctx.session.client.set_flag(flag::TALKS, true);
    let mut conf = follower.conf.lock();
    let taken = conf.take(args.peek_all());
    match taken {
        Ok(None) => match conf.rdb_client {
            Some(client) if !replication.channels.has(client) => {
                conf.rdb_client = None;
                Err(RowError::RdbClient(client).into())
            }
            _ => Ok(Reply::Ok.into()),
        },
        // Neither is answered: an ACK says something only on the connection of a replica, which is not here.
        Ok(Some(Notice::Ack { .. } | Notice::GetAck)) => ctx.written(),
        Err(ConfError::Syntax) => Err(CommandError::Syntax),
        Err(ConfError::NotInteger) => Err(CommandError::NotInteger),
        Err(ConfError::IpTooLong) => {
            Err(RowError::ReplconfIp(args.peek_all().last().map_or(0, |ip| ip.len())).into())
        }
        Err(ConfError::Unknown(option)) => Err(RowError::ReplconfOption(option.into()).into()),
        Err(ConfError::UnknownFilter(filter)) => {
            Err(RowError::ReplconfFilter(filter.into()).into())
        }
    }
}

const PSYNC: EngineCommand = EngineCommand {
    name: "psync",
    group: Group::Server,
    since: "2.8.0",
    summary: "A replica asks for what it lacks.",
    complexity: "O(1), and the sending of the dataset where it lacks too much",
    arity: Arity::AtLeast(3),
    keys: &[],
    flags: Flags::ADMIN
        .union(Flags::NO_ASYNC_LOADING)
        .union(Flags::NO_MULTI)
        .union(Flags::NOSCRIPT),
    categories: Categories::empty(),
    tips: &[],
    subcommands: &[],
    handler: Handler::Session(psync),
};

fn psync(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let id = args.bytes()?;
    let wanted = args.int().inspect_err(|_| {
        let follower = server(ctx).replication.followers.of(&ctx.session.client);
        warn!(
            "Replica {} asks for synchronization but with a wrong offset",
            follower.name()
        );
    })?;
    let steps_down =
        matches!(args.peek_all(), [word, ..] if word.eq_ignore_ascii_case(b"FAILOVER"));
    let asked = Psync::At {
        id: id.to_vec(),
        wanted,
        steps_down,
    };
    serve(ctx, asked)
}

const SYNC: EngineCommand = EngineCommand {
    name: "sync",
    since: "1.0.0",
    summary: "A replica of the old kind asks for the dataset and what follows.",
    arity: Arity::Exact(1),
    handler: Handler::Session(sync),
    ..PSYNC
};

fn sync(ctx: &mut SessionCtx<'_>, _args: Args<'_>) -> Result<Flow, CommandError> {
    serve(ctx, Psync::Old)
}

/// Has the connection served as a replica's from now on.
fn serve(ctx: &SessionCtx<'_>, asked: Psync) -> Result<Flow, CommandError> {
    let replication = &server(ctx).replication;
    let upstream = replication.upstream();
    if let Psync::At {
        id,
        steps_down: true,
        ..
    } = &asked
    {
        info!(
            "Failover request received for replid {}.",
            String::from_utf8_lossy(id)
        );
        if upstream.is_none() {
            return Err(RowError::FailoverToPrimary.into());
        }
        if !id.eq_ignore_ascii_case(replication.history().id.as_bytes()) {
            return Err(RowError::FailoverOtherHistory.into());
        }
    } else if replication.failover_phase().is_some() {
        return Err(RowError::SyncFailingOver.into());
    } else if upstream.is_some_and(|upstream| upstream.phase != LinkPhase::Connected) {
        return Err(RowError::NoMasterLink.into());
    }
    let client = &ctx.session.client;
    if !ctx.session.out.is_empty() {
        return Err(RowError::PendingOutput.into());
    }
    let follower = replication.followers.of(client);
    let name = follower.name();
    info!("Replica {name} asks for synchronization");
    if takes_dual_channel(ctx, &follower, &asked) {
        let _why_it_needs_everything = replication.decide(ctx.engine, &asked, &name);
        info!(
            "Replica {name} is capable of dual channel synchronization, and partial sync isn't possible. Full sync will continue with dedicated RDB channel."
        );
        return Ok(Reply::Simple("DUALCHANNELSYNC").into());
    }
    // One that steps down is no replica yet when this server becomes a primary, and loses its replicas.
    if !matches!(
        asked,
        Psync::At {
            steps_down: true,
            ..
        }
    ) {
        follower.set_phase(Phase::Waiting);
    }
    *follower.asked.lock() = Some(asked);
    client.set_flag(flag::REPLICA, true);
    Ok(Flow::Host(HostRequest::Follow))
}

/// Whether a replica is to fetch a snapshot over a connection of its own, and to ask for the stream again then (Valkey 8).
fn takes_dual_channel(ctx: &SessionCtx<'_>, follower: &Follower, asked: &Psync) -> bool {
    let server = server(ctx);
    let is_offered = follower.conf.lock().capabilities.dual_channel;
    let is_new = matches!(
        asked,
        Psync::At {
            steps_down: false,
            ..
        }
    );
    let config = server.config.read();
    is_offered
        && is_new
        && config.read(directive::DUAL_CHANNEL_REPLICATION_ENABLED)
        && config.read(directive::REPL_DISKLESS_SYNC)
        && !server.replication.resumes(ctx.engine, asked)
}

const WAIT: EngineCommand = EngineCommand {
    name: "wait",
    group: Group::Generic,
    since: "3.0.0",
    summary: "Waits until so many replicas have what the connection has written.",
    complexity: "O(1)",
    arity: Arity::Exact(3),
    keys: &[],
    flags: Flags::empty(),
    categories: Categories::CONNECTION,
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    subcommands: &[],
    handler: Handler::Session(wait),
};

fn wait(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    if ctx.world.is_replica() {
        return Err(RowError::WaitOnReplica.into());
    }
    let replicas = usize::try_from(args.int()?).unwrap_or(0);
    let timeout_ms = args.int_or(RowError::TimeoutNotInteger.into())?;
    if timeout_ms < 0 {
        return Err(RowError::NegativeTimeout.into());
    }
    if timeout_ms.checked_add(ctx.now.ms()).is_none() {
        return Err(RowError::TimeoutOutOfRange.into());
    }
    Ok(Flow::Acks {
        replicas,
        durable: None,
        timeout_ms: (timeout_ms > 0).then_some(timeout_ms),
    })
}

const WAITAOF: EngineCommand = EngineCommand {
    name: "waitaof",
    since: "7.2.0",
    summary: "Waits until what the connection has written is on this server's disk, on so many replicas' disks, or both.",
    arity: Arity::Exact(4),
    flags: Flags::NOSCRIPT,
    tips: &["request_policy:all_shards", "response_policy:agg_min"],
    handler: Handler::Session(wait_for_disks),
    ..WAIT
};

fn wait_for_disks(ctx: &mut SessionCtx<'_>, mut args: Args<'_>) -> Result<Flow, CommandError> {
    let local = match args.int()? {
        local @ 0..=1 => usize::try_from(local).unwrap_or(0),
        _ => return Err(RowError::LocalOutOfRange.into()),
    };
    let replicas = usize::try_from(args.int()?).map_err(|_| RowError::MustBePositive)?;
    let timeout_ms = args.int_or(RowError::TimeoutNotInteger.into())?;
    if timeout_ms < 0 {
        return Err(RowError::NegativeTimeout.into());
    }
    if ctx.world.is_replica() {
        return Err(RowError::WaitAofOnReplica.into());
    }
    if local > 0 && server(ctx).persistence.aof.synced().is_none() {
        return Err(CommandError::NoAppendOnlyFile);
    }
    Ok(Flow::Acks {
        replicas,
        durable: Some(local),
        timeout_ms: (timeout_ms > 0).then_some(timeout_ms),
    })
}
