//! What a handler sees: the keys it may touch, where its reply goes, the time, and nothing else.

use crate::effects::{BlockOn, Effects};
use crate::handler::Reply;
use crate::space::{ReadSpace, WriteSpace};
use persist::{Checksums, Compression, SanitizePayload};
use resp::Writer;
use store::{AccessPolicy, Tuning};

/// The instant of a call: read once, after its locks were taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Unix time in microseconds.
    pub unix_us: i64,
    /// Time since some fixed instant, in nanoseconds; never goes back.
    pub monotonic_ns: u64,
}

/// Settings that handlers read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Thresholds of encodings.
    pub tuning: Tuning,
    /// How the access field of entries is used.
    pub access: AccessPolicy,
    /// Whether Redis would share small integers: not while keys are evicted by their use.
    pub shares_integers: bool,
    /// Databases that SELECT accepts.
    pub databases: u16,
    /// `proto-max-bulk-len` in bytes.
    pub bulk_max: u64,
    /// `lazyfree-lazy-expire`: log UNLINK instead of DEL for expired keys.
    pub lazy_expire: bool,
    /// `lazyfree-lazy-server-del`: log UNLINK instead of DEL for keys that a command removes on the side.
    pub lazy_server_del: bool,
    /// How values are dumped and restored.
    pub dumping: Dumping,
}

/// How DUMP writes values and RESTORE reads them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Dumping {
    /// `rdbcompression`.
    pub compression: Compression,
    /// `sanitize-dump-payload`.
    pub sanitize: SanitizePayload,
    /// Whether checksums of payloads are compared (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub checksums: Checksums,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tuning: Tuning::default(),
            access: AccessPolicy::Lru,
            shares_integers: true,
            databases: 16,
            bulk_max: 512 << 20,
            lazy_expire: false,
            lazy_server_del: false,
            dumping: Dumping::default(),
        }
    }
}

/// The context of a command that reads.
#[derive(Debug)]
pub struct ReadCtx<'a> {
    /// The call's keys.
    pub space: ReadSpace<'a>,
    /// Where the reply goes.
    pub out: Writer<'a>,
    /// What every handler may read.
    pub call: Call<'a>,
}

/// The context of a command that writes.
#[derive(Debug)]
pub struct WriteCtx<'a> {
    /// The call's keys.
    pub space: WriteSpace<'a>,
    /// Where the reply goes.
    pub out: Writer<'a>,
    /// What every handler may read.
    pub call: Call<'a>,
}

/// What is fixed for one call.
#[derive(Debug)]
pub struct Call<'a> {
    /// When it runs.
    pub now: Now,
    /// Settings in force.
    pub settings: &'a Settings,
    /// Random numbers.
    pub rng: &'a mut Rng,
    /// Whether the client asked to be denied blocking (inside MULTI or a script).
    pub may_block: bool,
    /// How many elements a call may go through before it must move to a lane.
    pub elements_max: usize,
}

impl Call<'_> {
    /// Whether a call that goes through `elements` elements has to run elsewhere: the handler of a `RANGED` command that
    /// learns so before it has changed or written anything returns [`crate::Reply::Elsewhere`].
    #[must_use]
    pub fn is_long(&self, elements: usize) -> bool {
        elements > self.elements_max
    }
}

/// A small fast generator (xorshift*), seeded by the layer above so that a simulation repeats.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Now {
    /// Unix time in milliseconds.
    #[must_use]
    pub fn ms(self) -> i64 {
        self.unix_us.div_euclid(1000)
    }
}

impl Rng {
    /// A generator that starts from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number below `bound`, all equally likely; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}

impl ReadCtx<'_> {
    /// Waits for keys, or answers at once where the client may not block.
    pub fn block(&mut self, on: BlockOn) -> Reply {
        block(self.space.effects(), &self.call, on)
    }

    /// The effects of the call.
    pub fn effects(&mut self) -> &mut Effects {
        self.space.effects()
    }
}

impl WriteCtx<'_> {
    /// Waits for keys, or answers at once where the client may not block.
    pub fn block(&mut self, on: BlockOn) -> Reply {
        block(self.space.effects(), &self.call, on)
    }

    /// The effects of the call.
    pub fn effects(&mut self) -> &mut Effects {
        self.space.effects()
    }
}

fn block(effects: &mut Effects, call: &Call<'_>, on: BlockOn) -> Reply {
    if !call.may_block {
        return on.otherwise;
    }
    effects.block = Some(on);
    Reply::Block
}
