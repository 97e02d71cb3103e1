//! What all threads of a server share beside the engine, and what the engine and the rows reach as their host.

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc;

use commands::Now;
use config::composite::Primary;
use config::{Change, Circumstances, Config, SetError, directive};
use engine::{Counter, Engine, Host, Trusted};
use parking_lot::{Mutex, RwLock};
use tls::Holder;
use tokio::sync::mpsc::UnboundedSender;
use tracing::warn;

use crate::client_memory::Evicting;
use crate::clock::{CertificateTime, Clock};
use crate::log::Log;
use crate::net::listen::{self, ListenRequest};
use crate::persistence::{self, Persistence};
use crate::process;
use crate::replication::{Replication, unexpected};
use crate::settings::{self, Limits};
use crate::shutdown::{Shutdown, ShutdownHow};

/// For how many milliseconds the most that a connection had to send is remembered (REPLY_BUFFER_DEFAULT_PEAK_RESET_TIME).
pub(crate) const REPLY_PEAKS_KEPT_MS: i64 = 5000;

/// What all threads of a server share: the engine's host, and what the rows of this layer read and change.
#[derive(Debug)]
pub struct Server {
    /// The clock.
    pub clock: Arc<Clock>,
    /// The configuration in force.
    pub config: RwLock<Config>,
    /// The file that the configuration came from, absolute; CONFIG REWRITE writes it.
    pub config_file: Option<PathBuf>,
    /// The path of the program, absolute where it is known.
    pub executable: PathBuf,
    /// 40 random hexadecimal digits, new at every start.
    pub run_id: String,
    /// Replication.
    pub(crate) replication: Replication,
    /// Bytes in use when the server had started and was empty.
    pub startup_memory: AtomicU64,
    /// When the server started.
    pub started: Now,
    /// What connections read of the configuration.
    pub limits: Limits,
    /// The TLS configuration in force.
    pub tls: Holder,
    /// Whether a TLS socket was handed to the server, beside `tls-port`.
    pub(crate) has_tls_socket: bool,
    /// Counters of the server itself.
    pub counters: Counters,
    /// Loading and saving.
    pub persistence: Persistence,
    /// Connections to targets of MIGRATE.
    pub(crate) migrations: crate::migrate::Migrations,
    /// TLS handshakes.
    pub handshakes: Handshakes,
    /// Traffic of each worker.
    pub traffic: Box<[Traffic]>,
    /// Rates of the last moments.
    pub rates: Mutex<crate::cron::Rates>,
    /// DEBUG PAUSE-CRON: cron leaves clients and keys alone.
    pub cron_is_paused: AtomicBool,
    /// Rises with every run of cron that was not paused.
    pub cron_runs: AtomicU64,
    /// Closing connections for what all of them hold.
    pub evicting: Evicting,
    /// For how many milliseconds the most that a connection had to send at once is remembered (DEBUG REPLYBUFFER); negative
    /// for always.
    pub reply_peaks_kept_ms: AtomicI64,
    /// Turns of cron and of the event loops that INFO counts.
    pub event_loop: EventLoop,
    /// The log of the process, if this server is the process' main concern.
    pub log: Option<Arc<Log>>,
    /// How the process is supervised.
    pub supervision: process::Supervision,
    /// Held while CONFIG SET changes something.
    pub(crate) changing: Mutex<()>,
    /// Connections that count towards `maxclients`.
    pub(crate) connected: AtomicUsize,
    pub(crate) listen_requests: UnboundedSender<ListenRequest>,
    pub(crate) shutdown: Arc<Shutdown>,
    pub(crate) garbage: Garbage,
}

/// Counters that CONFIG RESETSTAT resets.
#[derive(Debug, Default)]
pub struct Counters {
    /// Connections accepted.
    pub connections: AtomicU64,
    /// Connections refused: over `maxclients`, or by protected mode.
    pub rejected: AtomicU64,
    /// Clients closed for reading too slowly.
    pub output_limit: AtomicU64,
    /// Clients closed for sending too much.
    pub input_limit: AtomicU64,
    /// Clients closed because all of them together held too much.
    pub evicted: AtomicU64,
    /// Wrong passwords.
    pub denied: AtomicU64,
    /// Commands of the primary or of an append-only file that failed here.
    pub unexpected: AtomicU64,
}

/// What became of TLS handshakes.
#[derive(Debug, Default)]
pub struct Handshakes {
    /// Completed.
    pub done: AtomicU64,
    /// Of those, with a resumed session.
    pub resumed: AtomicU64,
    /// Failed.
    pub failed: AtomicU64,
    /// Accepted and not yet completed, those that wait included.
    pub in_flight: AtomicUsize,
}

/// Bytes and system calls of one worker; only that worker writes them.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Traffic {
    /// Bytes read, as they came over the wire in plaintext or after decryption.
    pub input: Counter,
    /// Bytes written likewise.
    pub output: Counter,
    /// Reads.
    pub reads: Counter,
    /// Writes.
    pub writes: Counter,
    /// Bytes of the largest request buffer and of the largest pending output of late.
    pub recent_max: (AtomicU64, AtomicU64),
}

/// Turns of the loop that runs cron, and the time it took.
#[derive(Debug, Default)]
pub struct EventLoop {
    /// Turns.
    pub cycles: AtomicU64,
    /// Microseconds spent in them.
    pub duration_us: AtomicU64,
    /// Of those, in cron.
    pub cron_us: AtomicU64,
    /// Microseconds of the latest turn.
    pub latest_us: AtomicU64,
    /// Microseconds of the longest turn.
    pub longest_us: AtomicU64,
}

/// Where CONFIG SET is called.
#[derive(Clone, Copy, Debug)]
pub struct ConfigPlace<'e> {
    /// The engine of the server.
    pub engine: &'e Engine,
    /// Whether it is a command of a transaction.
    pub in_exec: bool,
}

/// The background thread's end of [`Host::drop_later`].
#[derive(Debug)]
pub(crate) struct Garbage {
    sender: mpsc::Sender<Box<dyn Any + Send>>,
    pub(crate) pending: Arc<AtomicUsize>,
    pub(crate) freed: Arc<AtomicU64>,
}

impl Garbage {
    /// The sender, and what the background thread runs: it ends when the server is gone.
    pub(crate) fn new() -> (Self, impl FnOnce() + Send + 'static) {
        let (sender, receiver) = mpsc::channel::<Box<dyn Any + Send>>();
        let (pending, freed) = (Arc::<AtomicUsize>::default(), Arc::<AtomicU64>::default());
        let garbage = Self {
            sender,
            pending: Arc::clone(&pending),
            freed: Arc::clone(&freed),
        };
        let run = move || {
            for thing in receiver {
                drop(thing);
                pending.fetch_sub(1, Relaxed);
                freed.fetch_add(1, Relaxed);
            }
        };
        (garbage, run)
    }
}

impl Host for Server {
    #[inline]
    fn now(&self) -> Now {
        self.clock.now()
    }

    fn used_memory(&self) -> u64 {
        alloc::used_memory() as u64
    }

    #[inline]
    fn thread_memory(&self) -> i64 {
        alloc::thread_memory()
    }

    fn is_freeing(&self) -> bool {
        self.garbage.pending.load(Relaxed) > 0
    }

    fn unexpected_error(&self, engine: &Engine, of: Trusted, error: &str, command: Option<&str>) {
        unexpected::note(self, engine, of, error, command);
    }

    fn emptied(&self) -> bool {
        let saves = self.persistence.has_save_points();
        if saves {
            self.persistence.submit(|shared| {
                // The log says why it failed, and FLUSHALL has done what it is for.
                let _ = persistence::save_now(shared);
            });
        }
        saves
    }

    fn drop_later(&self, garbage: Box<dyn Any + Send>) {
        self.garbage.pending.fetch_add(1, Relaxed);
        // Without its thread the server is ending: then it is dropped here.
        if self.garbage.sender.send(garbage).is_err() {
            self.garbage.pending.fetch_sub(1, Relaxed);
        }
    }
}

impl Server {
    /// Connections that count towards `maxclients`.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.connected.load(Relaxed)
    }

    /// Things that wait to be freed in the background, and how many were.
    #[must_use]
    pub fn lazy_freeing(&self) -> (usize, u64) {
        (
            self.garbage.pending.load(Relaxed),
            self.garbage.freed.load(Relaxed),
        )
    }

    /// The time, in Unix seconds.
    #[must_use]
    pub fn now_s(&self) -> i64 {
        self.clock.now().unix_us.div_euclid(1_000_000)
    }

    /// `repl-backlog-size`, in bytes.
    #[must_use]
    pub fn backlog_size(&self) -> u64 {
        self.config.read().read(directive::REPL_BACKLOG_SIZE)
    }

    /// The password of the default user, if it has one.
    #[must_use]
    pub fn password(&self) -> Option<Vec<u8>> {
        settings::password(&self.config.read()).map(<[u8]>::to_vec)
    }

    /// Lets the configuration show whom this server follows.
    pub(crate) fn show_primary(&self, primary: Option<&Primary>) {
        let mut config = self.config.write();
        config.assign(directive::REPLICAOF, primary.cloned());
        drop(config);
        self.show_role(primary.is_some());
        if primary.is_none() {
            // A synchronisation that came to nothing may have turned it off.
            self.persistence.submit(|shared| {
                let server = &shared.server;
                server.persistence.aof.resume(server, &shared.engine);
            });
        }
    }

    /// Lets the log and the kernel know whether this is a replica.
    pub(crate) fn show_role(&self, is_replica: bool) {
        if let Some(log) = &self.log {
            log.set_replica(is_replica);
        }
        if let Err(error) = process::adjust_oom_score(&self.config.read()) {
            warn!("{error}");
        }
    }

    /// Sets the counters back that CONFIG RESETSTAT names.
    pub fn reset_counters(&self) {
        let Counters {
            connections,
            rejected,
            output_limit,
            input_limit,
            evicted,
            denied,
            unexpected,
        } = &self.counters;
        for counter in [
            connections,
            rejected,
            output_limit,
            input_limit,
            evicted,
            denied,
            unexpected,
        ] {
            counter.store(0, Relaxed);
        }
        for traffic in &self.traffic {
            for counter in [
                &traffic.input,
                &traffic.output,
                &traffic.reads,
                &traffic.writes,
            ] {
                counter.reset();
            }
        }
        let EventLoop {
            cycles,
            duration_us,
            cron_us,
            longest_us,
            latest_us,
        } = &self.event_loop;
        // The turn that is under way goes on counting: workers do not turn, so that no other may come for a while.
        cycles.store(1, Relaxed);
        for counter in [duration_us, cron_us, longest_us] {
            counter.store(latest_us.load(Relaxed), Relaxed);
        }
        let crate::replication::Counters {
            full,
            partial,
            refused,
            input,
            output,
            gathered: _,
            gathered_peak: _,
            alone_since_ms: _,
        } = &self.replication.counters;
        for counter in [full, partial, refused, input, output] {
            counter.store(0, Relaxed);
        }
        self.garbage.freed.store(0, Relaxed);
        *self.rates.lock() = crate::cron::Rates::default();
    }

    /// Asks the server to end, as SHUTDOWN does.
    pub fn ask_shutdown(&self) {
        self.shutdown.ask(ShutdownHow::default());
    }

    /// Reads the certificates again, as SIGHUP does.
    ///
    /// # Errors
    /// What is wrong with the new ones; the old ones stay in force.
    pub fn reload_tls(&self) -> Result<(), tls::TlsError> {
        let settings = settings::tls(&self.config.read());
        self.put_tls_in_force(settings)
    }

    fn put_tls_in_force(&self, mut settings: tls::Settings) -> Result<(), tls::TlsError> {
        settings.listens |= self.has_tls_socket;
        let time: Arc<dyn rustls::time_provider::TimeProvider> =
            Arc::new(CertificateTime(Arc::clone(&self.clock)));
        let active = self.tls.reload(&settings, &time)?;
        for warning in &active.warnings {
            warn!("{warning}");
        }
        Ok(())
    }

    /// Makes the changes of a CONFIG SET, but for the engine's world, which the caller changes with
    /// [`settings::update_world`] while it holds every shard. On an error everything is as before.
    ///
    /// # Errors
    /// The directive that is refused or could not be applied, in Redis' words.
    pub fn set_config(
        &self,
        pairs: &[(&[u8], &[u8])],
        circumstances: Circumstances,
        place: ConfigPlace<'_>,
    ) -> Result<(), SetError> {
        let _one_at_a_time = self.changing.lock();
        // Not locked meanwhile: the main thread, which reads it too, has to answer before this is done.
        let config = self.config.read().clone();
        let change = config.prepare(pairs, circumstances)?;
        self.apply(&config, change, place)
    }

    fn apply(
        &self,
        config: &Config,
        change: Change,
        place: ConfigPlace<'_>,
    ) -> Result<(), SetError> {
        let before = settings::tls(config);
        let touches_tls = change
            .changed()
            .iter()
            .any(|changed| is_tls(changed.spelling.name));
        if touches_tls && let Err(error) = self.put_tls_in_force(settings::tls(change.next())) {
            warn!("Failed to configure TLS: {error}");
            let culprit = change.changed().iter().map(|changed| changed.spelling);
            let culprit = culprit
                .filter(|spelling| is_tls(spelling.name))
                .map(|spelling| spelling.id)
                .next_back()
                .unwrap_or_else(|| directive::TLS_PORT.id());
            return Err(change.failed(
                culprit,
                "Unable to update TLS configuration. Check server logs.",
            ));
        }
        if let Err(error) = self.apply_sockets(config, &change) {
            if touches_tls && let Err(error) = self.put_tls_in_force(before) {
                warn!("Failed to restore the TLS configuration: {error}");
            }
            return Err(error);
        }
        if change.touches(directive::MAXMEMORY) {
            warn_of_eviction(change.next().read(directive::MAXMEMORY));
        }
        if change.touches(directive::APPENDONLY) {
            let (aof, on) = (
                &self.persistence.aof,
                change.next().read(directive::APPENDONLY),
            );
            aof.turn(self, place.engine, on, place.in_exec)
                .map_err(|()| {
                    let words = "Unable to turn on AOF. Check server logs.";
                    change.failed(directive::APPENDONLY, words)
                })?;
        }
        let resizes_backlog = change.touches(directive::REPL_BACKLOG_SIZE);
        self.config.write().commit(change);
        self.follow();
        if resizes_backlog {
            self.replication
                .resize_backlog(place.engine, self.backlog_size());
        }
        Ok(())
    }

    /// Opens and closes listening sockets, and makes room for clients, as a change asks.
    fn apply_sockets(&self, config: &Config, change: &Change) -> Result<(), SetError> {
        if change.touches(directive::MAXCLIENTS) {
            let wanted = change.next().read(directive::MAXCLIENTS) as u64;
            process::make_room_for_clients(wanted).map_err(|possible| {
                let words = format!(
                    "The operating system is not able to handle the specified number of clients, try with {possible}"
                );
                change.failed(directive::MAXCLIENTS, words)
            })?;
        }
        let all = change.touches(directive::BIND);
        let kinds: Vec<listen::Kind> = [
            (listen::Kind::Tcp, directive::PORT),
            (listen::Kind::Tls, directive::TLS_PORT),
        ]
        .into_iter()
        .filter(|(_, port)| all || change.touches(*port))
        .map(|(kind, _)| kind)
        .collect();
        if kinds.is_empty() {
            return Ok(());
        }
        let plans = |config: &Config| kinds.iter().map(|kind| kind.plan(config)).collect();
        self.listen(plans(change.next()), plans(config))
            .map_err(|failed| {
                if all {
                    let words = "Failed to bind to specified addresses.";
                    return change.failed(directive::BIND, words);
                }
                let port = match failed {
                    listen::Kind::Tls => directive::TLS_PORT,
                    _ => directive::PORT,
                };
                change.failed(port, "Unable to listen on this port. Check server logs.")
            })
    }

    /// Has the listening sockets replaced, and waits until it is done.
    fn listen(
        &self,
        wanted: Vec<listen::Plan>,
        before: Vec<listen::Plan>,
    ) -> Result<(), listen::Kind> {
        let (answer, done) = mpsc::sync_channel(1);
        let request = ListenRequest {
            wanted,
            before,
            answer,
        };
        // Without the main thread the server is ending, and the answer is of no interest.
        if self.listen_requests.send(request).is_err() {
            return Ok(());
        }
        done.recv().unwrap_or(Ok(()))
    }

    /// Lets what keeps its own copy of a value follow the configuration.
    fn follow(&self) {
        let config = self.config.read();
        self.limits.update(&config);
        self.persistence.update(&config);
        if let Some(log) = &self.log {
            log.update(&config);
        }
        if let Err(error) = process::adjust_oom_score(&config) {
            warn!("{error}");
        }
    }
}

fn warn_of_eviction(maxmemory: u64) {
    let used = alloc::used_memory() as u64;
    if maxmemory > 0 && used > maxmemory {
        warn!(
            "WARNING: the new maxmemory value set via CONFIG SET ({maxmemory}) is smaller than the current memory usage \
             ({used}). This will result in key eviction and/or the inability to accept new write commands depending on the \
             maxmemory-policy."
        );
    }
}

fn is_tls(name: &str) -> bool {
    name == "transit-encryption-mode"
        || name.starts_with("tls-")
            && name != "tls-handshake-timeout"
            && name != "tls-auto-reload-interval"
}
