//! Directives whose value is one of a few words, as enumerations, and the words themselves.

/// A word that a directive accepts, and the value that it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The word, in lower case but for names that are not.
    pub name: &'static str,
    /// The value; words with the same value mean the same.
    pub bits: u16,
}

/// An enumeration that a directive's words stand for.
pub trait Choices: Copy {
    /// The words in Redis' order.
    const CHOICES: &'static [Choice];

    /// The variant with this value.
    fn from_bits(bits: u16) -> Self;

    /// The variant's value.
    fn bits(self) -> u16;
}

/// The value of a word, whatever its case.
pub(crate) fn bits_of(choices: &[Choice], word: &[u8]) -> Option<u16> {
    choices
        .iter()
        .find(|choice| choice.name.as_bytes().eq_ignore_ascii_case(word))
        .map(|choice| choice.bits)
}

/// The word or words for a value: one that means exactly it, or else the flags that make it up.
pub(crate) fn names_of(choices: &[Choice], bits: u16) -> String {
    if let Some(exact) = choices.iter().find(|choice| choice.bits == bits) {
        return exact.name.to_owned();
    }
    let flags = choices
        .iter()
        .filter(|choice| choice.bits != 0 && choice.bits & bits == choice.bits);
    flags
        .map(|choice| choice.name)
        .collect::<Vec<_>>()
        .join(" ")
}

macro_rules! choices {
    ($( $(#[$doc:meta])* $name:ident { $( $variant:ident = $first:literal $(| $more:literal)* ),+ $(,)? } )+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $( #[doc = concat!("`", $first, "`")] $variant ),+
        }

        impl Choices for $name {
            const CHOICES: &'static [Choice] = &[ $(
                Choice { name: $first, bits: Self::$variant as u16 },
                $( Choice { name: $more, bits: Self::$variant as u16 }, )*
            )+ ];

            fn from_bits(bits: u16) -> Self {
                const VARIANTS: &[$name] = &[ $( $name::$variant ),+ ];
                let found = VARIANTS.iter().find(|variant| **variant as u16 == bits);
                *found.expect("a stored choice has the bits of one of its variants")
            }

            fn bits(self) -> u16 {
                self as u16
            }
        }
    )+ };
}

choices! {
    /// Which keys may be evicted at `maxmemory`.
    MaxmemoryPolicy {
        VolatileLru = "volatile-lru",
        VolatileLfu = "volatile-lfu",
        VolatileRandom = "volatile-random",
        VolatileTtl = "volatile-ttl",
        AllkeysLru = "allkeys-lru",
        AllkeysLfu = "allkeys-lfu",
        AllkeysRandom = "allkeys-random",
        NoEviction = "noeviction",
    }

    /// The syslog facility to log under.
    SyslogFacility {
        User = "user",
        Local0 = "local0",
        Local1 = "local1",
        Local2 = "local2",
        Local3 = "local3",
        Local4 = "local4",
        Local5 = "local5",
        Local6 = "local6",
        Local7 = "local7",
    }

    /// How much is logged.
    LogLevel {
        Debug = "debug",
        Verbose = "verbose",
        Notice = "notice",
        Warning = "warning",
        Nothing = "nothing",
    }

    /// Who watches over the process.
    Supervised {
        Upstart = "upstart",
        Systemd = "systemd",
        Auto = "auto",
        No = "no",
    }

    /// When the append only file is made durable.
    AppendFsync {
        Everysec = "everysec",
        Always = "always",
        No = "no",
    }

    /// Whether a replica loads a snapshot from the socket, and what becomes of its old data.
    DisklessLoad {
        Disabled = "disabled",
        OnEmptyDb = "on-empty-db",
        Swapdb = "swapdb",
        FlushBeforeLoad = "flush-before-load",
    }

    /// Whether a TLS client must show a certificate.
    TlsAuthClients {
        No = "no",
        Yes = "yes",
        Optional = "optional",
    }

    /// Which part of a client's certificate names its user.
    TlsAuthClientsUser {
        CommonName = "CN",
        Uri = "URI",
        Off = "off",
    }

    /// How far plaintext is let go while a server moves to TLS.
    TransitEncryptionMode {
        Off = "off",
        Preferred = "preferred",
        Required = "required",
    }

    /// How the kernel's out-of-memory score is adjusted.
    OomScoreAdj {
        No = "no",
        Relative = "yes" | "relative",
        Absolute = "absolute",
    }

    /// The channels of a new user.
    AclPubsubDefault {
        AllChannels = "allchannels",
        ResetChannels = "resetchannels",
    }

    /// Whose payloads are checked in depth.
    SanitizeDumpPayload {
        No = "no",
        Yes = "yes",
        Clients = "clients",
    }

    /// Who may do something dangerous.
    ProtectedAction {
        No = "no",
        Yes = "yes",
        Local = "local",
    }

    /// The endpoint that cluster redirections name.
    EndpointType {
        Ip = "ip",
        Hostname = "hostname",
        Unknown = "unknown-endpoint",
    }

    /// What an error in a replicated command does.
    PropagationErrorBehavior {
        Ignore = "ignore",
        Panic = "panic",
        PanicOnReplicas = "panic-on-replicas",
    }

    /// The layout of a log line.
    LogFormat {
        Legacy = "legacy",
        Logfmt = "logfmt",
    }

    /// The time in a log line.
    LogTimestampFormat {
        Legacy = "legacy",
        Iso8601 = "iso8601",
        Milliseconds = "milliseconds",
    }

    /// Whether snapshots of unknown versions are tried.
    RdbVersionCheck {
        Strict = "strict",
        Relaxed = "relaxed",
    }

    /// What a failure to write the cluster's state does.
    ConfigSaveBehavior {
        Sync = "sync",
        BestEffort = "best-effort",
    }

    /// How connections are laid on the workers.
    WorkerPlacement {
        Pack = "pack",
        Spread = "spread",
    }
}

/// What a signal to end the process asks of SHUTDOWN: a set of flags, empty for the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ShutdownFlags(pub(crate) u16);

impl ShutdownFlags {
    /// Save even without save points.
    pub const SAVE: Self = Self(1);
    /// Do not save.
    pub const NOSAVE: Self = Self(2);
    /// Do not wait for replicas.
    pub const NOW: Self = Self(4);
    /// End even if the save fails.
    pub const FORCE: Self = Self(8);
    /// Refuse while the node serves slots.
    pub const SAFE: Self = Self(16);
    /// Hand the slots to a replica first.
    pub const FAILOVER: Self = Self(32);

    pub(crate) const CHOICES: &'static [Choice] = &[
        Choice {
            name: "default",
            bits: 0,
        },
        Choice {
            name: "save",
            bits: Self::SAVE.0,
        },
        Choice {
            name: "nosave",
            bits: Self::NOSAVE.0,
        },
        Choice {
            name: "now",
            bits: Self::NOW.0,
        },
        Choice {
            name: "force",
            bits: Self::FORCE.0,
        },
        Choice {
            name: "safe",
            bits: Self::SAFE.0,
        },
        Choice {
            name: "failover",
            bits: Self::FAILOVER.0,
        },
    ];

    /// Whether all of the other's flags are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
