//! What the configuration means to the parts: the engine's world, the limits of a connection, TLS.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};

use commands::EventClass;
use config::Config;
use config::choices::{
    MaxmemoryPolicy, SanitizeDumpPayload, TlsAuthClients, TlsAuthClientsUser,
    TransitEncryptionMode, WorkerPlacement,
};
use config::composite::{KeyspaceEvents, OutputLimit};
use config::directive::{self, Key};
use config::typed::{Memory, OptionalText, path};
use engine::observe::Thresholds;
use engine::{EvictionRules, Population, Rank, World};
use persist::{Compression, SanitizePayload};
use store::{AccessPolicy, Tuning};

/// Brings what the engine reads of the configuration into its world.
pub fn update_world(world: &mut World, config: &Config) {
    let settings = &mut world.settings;
    let list_packed_threshold = settings.tuning.list_packed_threshold;
    settings.tuning = tuning(config);
    settings.tuning.list_packed_threshold = list_packed_threshold;
    settings.access = access(config);
    settings.databases = u16::try_from(config.read(directive::DATABASES)).unwrap_or(DATABASES_MAX);
    settings.bulk_max = config.read(directive::PROTO_MAX_BULK_LEN);
    settings.lazy_expire = config.read(directive::LAZYFREE_LAZY_EXPIRE);
    settings.lazy_server_del = config.read(directive::LAZYFREE_LAZY_SERVER_DEL);
    settings.dumping.compression = if config.read(directive::RDBCOMPRESSION) {
        Compression::Lzf
    } else {
        Compression::None
    };
    settings.dumping.sanitize = match config.read(directive::SANITIZE_DUMP_PAYLOAD) {
        SanitizeDumpPayload::No => SanitizePayload::No,
        SanitizeDumpPayload::Clients => SanitizePayload::Clients,
        SanitizeDumpPayload::Yes => SanitizePayload::Yes,
    };
    world.password_required = password(config).is_some();
    world.audience.events = keyspace_events(config.read(directive::NOTIFY_KEYSPACE_EVENTS));
    world.maxmemory = config.read(directive::MAXMEMORY);
    world.replica_ignores_maxmemory = config.read(directive::REPLICA_IGNORE_MAXMEMORY);
    world.eviction = eviction(config);
    world.settings.shares_integers = world.maxmemory == 0
        || !matches!(
            world.eviction.rank,
            Some(Rank::LeastRecentlyUsed | Rank::LeastFrequentlyUsed)
        );
    let keys_max = config.read(directive::TRACKING_TABLE_MAX_KEYS);
    world.tracked_keys_max = usize::try_from(keys_max).unwrap_or(usize::MAX);
    world.writes_need_saves = config.read(directive::STOP_WRITES_ON_BGSAVE_ERROR)
        && !config.read(directive::SAVE).is_empty();
    let limit = config.read(directive::SNAPSHOT_BUFFER_LIMIT);
    world.snapshot_buffer_limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let effort = config.read(directive::ACTIVE_EXPIRE_EFFORT);
    world.expire_effort = u8::try_from(effort).unwrap_or(1);
    world.replica_read_only = config.read(directive::REPLICA_READ_ONLY);
    world.serves_stale_data = config.read(directive::REPLICA_SERVE_STALE_DATA);
    world.observed = thresholds(config);
    world.latency_tracking = config.read(directive::LATENCY_TRACKING);
    world.lazy_user_flush = config.read(directive::LAZYFREE_LAZY_USER_FLUSH);
}

fn eviction(config: &Config) -> EvictionRules {
    use MaxmemoryPolicy as Policy;
    let policy = config.read(directive::MAXMEMORY_POLICY);
    let rank = match policy {
        Policy::NoEviction => None,
        Policy::AllkeysLru | Policy::VolatileLru => Some(Rank::LeastRecentlyUsed),
        Policy::AllkeysLfu | Policy::VolatileLfu => Some(Rank::LeastFrequentlyUsed),
        Policy::AllkeysRandom | Policy::VolatileRandom => Some(Rank::Random),
        Policy::VolatileTtl => Some(Rank::SoonestToExpire),
    };
    let population = match policy {
        Policy::AllkeysLru | Policy::AllkeysLfu | Policy::AllkeysRandom | Policy::NoEviction => {
            Population::All
        }
        _ => Population::Volatile,
    };
    let samples = config.read(directive::MAXMEMORY_SAMPLES);
    let tenacity = config.read(directive::MAXMEMORY_EVICTION_TENACITY);
    EvictionRules {
        rank,
        population,
        samples: usize::try_from(samples).unwrap_or(1).clamp(1, SAMPLES_MAX),
        tenacity: u8::try_from(tenacity).unwrap_or(100),
        lazy: config.read(directive::LAZYFREE_LAZY_EVICTION),
    }
}

/// Keys that are looked at for one at most: more change nothing.
const SAMPLES_MAX: usize = 64;

/// From where on calls are entered into logs.
fn thresholds(config: &Config) -> Thresholds {
    let unless_negative = |key: Key<i64>| u64::try_from(config.read(key)).ok();
    let kept = |key: Key<i64>| usize::try_from(config.read(key)).unwrap_or(0);
    Thresholds::new(
        [
            directive::SLOWLOG_LOG_SLOWER_THAN,
            directive::COMMANDLOG_REQUEST_LARGER_THAN,
            directive::COMMANDLOG_REPLY_LARGER_THAN,
        ]
        .map(unless_negative),
        [
            directive::SLOWLOG_MAX_LEN,
            directive::COMMANDLOG_LARGE_REQUEST_MAX_LEN,
            directive::COMMANDLOG_LARGE_REPLY_MAX_LEN,
        ]
        .map(kept),
        unless_negative(directive::LATENCY_MONITOR_THRESHOLD).filter(|ms| *ms > 0),
    )
}

/// The password of the default user; an empty one is none.
#[must_use]
pub fn password(config: &Config) -> Option<&[u8]> {
    let password = config.read(directive::REQUIREPASS);
    password.filter(|password| !password.is_empty())
}

/// The classes of events that are published; none without a channel to publish on.
fn keyspace_events(wanted: KeyspaceEvents) -> EventClass {
    let classes = [
        (KeyspaceEvents::KEYSPACE, EventClass::KEYSPACE),
        (KeyspaceEvents::KEYEVENT, EventClass::KEYEVENT),
        (KeyspaceEvents::GENERIC, EventClass::GENERIC),
        (KeyspaceEvents::STRING, EventClass::STRING),
        (KeyspaceEvents::LIST, EventClass::LIST),
        (KeyspaceEvents::SET, EventClass::SET),
        (KeyspaceEvents::HASH, EventClass::HASH),
        (KeyspaceEvents::ZSET, EventClass::ZSET),
        (KeyspaceEvents::EXPIRED, EventClass::EXPIRED),
        (KeyspaceEvents::EVICTED, EventClass::EVICTED),
        (KeyspaceEvents::STREAM, EventClass::STREAM),
        (KeyspaceEvents::KEY_MISS, EventClass::KEY_MISS),
        (KeyspaceEvents::MODULE, EventClass::MODULE),
        (KeyspaceEvents::NEW, EventClass::NEW),
    ];
    let wanted = classes
        .into_iter()
        .filter(|(class, _)| wanted.contains(*class));
    let events: EventClass = wanted.map(|(_, class)| class).collect();
    if events.intersects(EventClass::KEYSPACE | EventClass::KEYEVENT) {
        events
    } else {
        EventClass::empty()
    }
}

/// The databases that there can be: entries and sessions keep the number in 16 bits.
const DATABASES_MAX: u16 = u16::MAX;

fn tuning(config: &Config) -> Tuning {
    let size = |key: Key<i64>| usize::try_from(config.read(key)).unwrap_or(usize::MAX);
    let bytes = |key: Key<Memory>| usize::try_from(config.read(key)).unwrap_or(usize::MAX);
    Tuning {
        hash_max_listpack_entries: size(directive::HASH_MAX_LISTPACK_ENTRIES),
        hash_max_listpack_value: bytes(directive::HASH_MAX_LISTPACK_VALUE),
        set_max_intset_entries: size(directive::SET_MAX_INTSET_ENTRIES),
        set_max_listpack_entries: size(directive::SET_MAX_LISTPACK_ENTRIES),
        set_max_listpack_value: size(directive::SET_MAX_LISTPACK_VALUE),
        zset_max_listpack_entries: size(directive::ZSET_MAX_LISTPACK_ENTRIES),
        zset_max_listpack_value: bytes(directive::ZSET_MAX_LISTPACK_VALUE),
        list_max_listpack_size: i32::try_from(config.read(directive::LIST_MAX_LISTPACK_SIZE))
            .unwrap_or(-2),
        hll_sparse_max_bytes: bytes(directive::HLL_SPARSE_MAX_BYTES),
        stream_node_max_bytes: bytes(directive::STREAM_NODE_MAX_BYTES),
        stream_node_max_entries: size(directive::STREAM_NODE_MAX_ENTRIES),
        ..Tuning::default()
    }
}

fn access(config: &Config) -> AccessPolicy {
    let number = |key: Key<i64>| u32::try_from(config.read(key)).unwrap_or(u32::MAX);
    match config.read(directive::MAXMEMORY_POLICY) {
        MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => AccessPolicy::Lfu {
            log_factor: number(directive::LFU_LOG_FACTOR),
            decay_minutes: number(directive::LFU_DECAY_TIME),
        },
        _ => AccessPolicy::Lru,
    }
}

/// The `tls-*` directives as the tls crate takes them.
#[must_use]
pub fn tls(config: &Config) -> tls::Settings {
    let dir = config.read(directive::DIR);
    let file = |key: Key<OptionalText>| config.read(key).map(|text| dir.join(path(text)));
    let text = |key: Key<OptionalText>| {
        let text = config.read(key);
        text.map(|text| String::from_utf8_lossy(text).into_owned())
    };
    let pass = |key: Key<OptionalText>| config.read(key).map(tls::Passphrase::new);
    let number = |key: Key<i64>| u32::try_from(config.read(key)).unwrap_or(u32::MAX);
    tls::Settings {
        listens: config.read(directive::TLS_PORT) != 0,
        cert_file: file(directive::TLS_CERT_FILE),
        key_file: file(directive::TLS_KEY_FILE),
        key_file_pass: pass(directive::TLS_KEY_FILE_PASS),
        client_cert_file: file(directive::TLS_CLIENT_CERT_FILE),
        client_key_file: file(directive::TLS_CLIENT_KEY_FILE),
        client_key_file_pass: pass(directive::TLS_CLIENT_KEY_FILE_PASS),
        ca_cert_file: file(directive::TLS_CA_CERT_FILE),
        ca_cert_dir: file(directive::TLS_CA_CERT_DIR),
        auth_clients: match config.read(directive::TLS_AUTH_CLIENTS) {
            TlsAuthClients::Yes => tls::AuthClients::Yes,
            TlsAuthClients::No => tls::AuthClients::No,
            TlsAuthClients::Optional => tls::AuthClients::Optional,
        },
        auth_clients_user: match config.read(directive::TLS_AUTH_CLIENTS_USER) {
            TlsAuthClientsUser::CommonName => tls::AuthClientsUser::Cn,
            TlsAuthClientsUser::Uri => tls::AuthClientsUser::Uri,
            TlsAuthClientsUser::Off => tls::AuthClientsUser::Off,
        },
        protocols: text(directive::TLS_PROTOCOLS),
        ciphers: text(directive::TLS_CIPHERS),
        ciphersuites: text(directive::TLS_CIPHERSUITES),
        prefer_server_ciphers: config.read(directive::TLS_PREFER_SERVER_CIPHERS),
        session_caching: config.read(directive::TLS_SESSION_CACHING),
        session_cache_size: number(directive::TLS_SESSION_CACHE_SIZE),
        session_cache_timeout_s: number(directive::TLS_SESSION_CACHE_TIMEOUT),
        dh_params_file: file(directive::TLS_DH_PARAMS_FILE),
        replication: links_may_be_encrypted(config),
        cluster: config.read(directive::TLS_CLUSTER),
        replication_verify_name: tls::VerifyName::parse(&String::from_utf8_lossy(
            config.read(directive::TLS_REPLICATION_VERIFY_NAME),
        )),
        auto_reload_interval_s: config.read(directive::TLS_AUTO_RELOAD_INTERVAL) as u64,
    }
}

/// Whether the link to a primary is, or is first tried, over TLS. Under `transit-encryption-mode preferred` that takes an
/// authority to verify the primary with.
fn links_may_be_encrypted(config: &Config) -> bool {
    let has_authority = config.read(directive::TLS_CA_CERT_FILE).is_some()
        || config.read(directive::TLS_CA_CERT_DIR).is_some();
    let is_moving = config.read(directive::TRANSIT_ENCRYPTION_MODE) != TransitEncryptionMode::Off;
    config.read(directive::TLS_REPLICATION) || (is_moving && has_authority)
}

/// What the configuration says of every connection, where connections can read it without a lock.
///
/// Each field stands alone: none is read together with another in a way that would need both to be of one moment.
#[derive(Debug, Default)]
pub struct Limits {
    /// `maxclients`.
    pub clients_max: AtomicUsize,
    /// `proto-max-bulk-len` in bytes.
    pub bulk_max: AtomicU64,
    /// `client-query-buffer-limit` in bytes.
    pub input_max: AtomicU64,
    /// `maxmemory-clients` in bytes; 0 for no limit.
    pub clients_memory_max: AtomicU64,
    /// `client-output-buffer-limit normal`.
    pub output: OutputBounds,
    /// `client-output-buffer-limit pubsub`.
    pub pubsub_output: OutputBounds,
    /// `timeout` in milliseconds; 0 for none.
    pub idle_ms_max: AtomicU64,
    /// `tcp-keepalive` in seconds; 0 for none.
    pub keepalive_s: AtomicU64,
    /// `tls-handshake-timeout` in milliseconds.
    pub handshake_ms_max: AtomicU64,
    /// `transit-encryption-mode preferred`: plaintext is taken on the TLS port.
    pub takes_plaintext: AtomicBool,
    /// `transit-encryption-mode required`: plaintext is refused.
    pub refuses_plaintext: AtomicBool,
    /// `protected-mode`.
    pub is_protected: AtomicBool,
    /// Whether the default user has a password.
    pub needs_password: AtomicBool,
    /// `worker-placement spread`.
    pub spreads: AtomicBool,
    /// `hz`.
    pub hz: AtomicU64,
}

/// How much a client may leave unread.
#[derive(Debug, Default)]
pub struct OutputBounds {
    /// Bytes at once; 0 for no limit.
    pub hard: AtomicU64,
    /// Bytes for `soft_ms`; 0 for no limit.
    pub soft: AtomicU64,
    /// Milliseconds.
    pub soft_ms: AtomicU64,
}

impl OutputBounds {
    fn update(&self, limit: OutputLimit) {
        self.hard.store(limit.hard_bytes, Relaxed);
        self.soft.store(limit.soft_bytes, Relaxed);
        let soft_ms = limit.soft_seconds.saturating_mul(1000);
        self.soft_ms.store(soft_ms, Relaxed);
    }
}

impl Limits {
    /// Takes all values from a configuration.
    pub fn update(&self, config: &Config) {
        let positive = |key: Key<i64>| u64::try_from(config.read(key)).unwrap_or(0);
        let outputs = config.read(directive::CLIENT_OUTPUT_BUFFER_LIMIT);
        self.output.update(outputs.normal);
        self.pubsub_output.update(outputs.pubsub);
        self.clients_max
            .store(positive(directive::MAXCLIENTS) as usize, Relaxed);
        let maxmemory = config.read(directive::MAXMEMORY);
        let clients_memory_max = config.read(directive::MAXMEMORY_CLIENTS).bytes(maxmemory);
        for (place, value) in [
            (&self.clients_memory_max, clients_memory_max),
            (&self.bulk_max, config.read(directive::PROTO_MAX_BULK_LEN)),
            (
                &self.input_max,
                config.read(directive::CLIENT_QUERY_BUFFER_LIMIT),
            ),
            (
                &self.idle_ms_max,
                positive(directive::TIMEOUT).saturating_mul(1000),
            ),
            (&self.keepalive_s, positive(directive::TCP_KEEPALIVE)),
            (
                &self.handshake_ms_max,
                positive(directive::TLS_HANDSHAKE_TIMEOUT).saturating_mul(1000),
            ),
            (&self.hz, positive(directive::HZ).clamp(1, 500)),
        ] {
            place.store(value, Relaxed);
        }
        let transit = config.read(directive::TRANSIT_ENCRYPTION_MODE);
        let spreads = config.read(directive::WORKER_PLACEMENT) == WorkerPlacement::Spread;
        for (place, value) in [
            (&self.is_protected, config.read(directive::PROTECTED_MODE)),
            (
                &self.takes_plaintext,
                transit == TransitEncryptionMode::Preferred,
            ),
            (
                &self.refuses_plaintext,
                transit == TransitEncryptionMode::Required,
            ),
            (&self.needs_password, password(config).is_some()),
            (&self.spreads, spreads),
        ] {
            place.store(value, Relaxed);
        }
    }
}
