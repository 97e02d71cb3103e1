//! One connection's state: database, protocol, transaction, output.

use crate::blocking::Waiter;
use crate::clients::Client;
use crate::engine::Engine;
use crate::handler::Flow;
use crate::locks::Reservation;
use crate::observe::Secrets;
use crate::pubsub::Subscriptions;
use crate::tracking::Tracking;
use crate::transaction::{Transaction, Watches};
use resp::{Output, Proto, Writer};
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// One connection's state. It belongs to the connection, which hands it to the executor of whatever thread it is on.
#[derive(Debug)]
pub struct Session {
    /// The public side.
    pub client: Arc<Client>,
    /// Replies to be sent.
    pub out: Output,
    /// The selected database.
    pub db: u16,
    /// RESP version.
    pub proto: Proto,
    /// Whether the client has authenticated, or need not.
    pub authenticated: bool,
    /// Whether reads leave access times as they are (CLIENT NO-TOUCH).
    pub no_touch: bool,
    /// What becomes of replies (CLIENT REPLY).
    pub reply: ReplyMode,
    /// Commands queued by MULTI.
    pub transaction: Option<Box<Transaction>>,
    /// Watched keys.
    pub watches: Watches,
    /// Channels and patterns that messages are wanted of.
    pub subscriptions: Subscriptions,
    /// How it tracks keys.
    pub tracking: Tracking,
    /// The call that waits for keys.
    pub(crate) waiter: Option<Arc<Waiter>>,
    /// What a call asked for and has not got yet, with the number of the world that admitted it.
    pub(crate) pending: Option<(u64, Flow)>,
    /// The offset of the log behind what this session appended last (WAIT).
    pub log_offset: u64,
    /// The offset of the log up to which its output reveals what was written.
    pub reveals: u64,
    /// Whether its calls are read from an append-only file: they run whatever the rules for clients are, and append nothing.
    pub replays: bool,
    /// What makes it the link to the primary that this server follows.
    pub feed: Option<Box<Feed>>,
    /// What a session command that is called again left for itself; it knows by the call's words whether it is its own.
    pub errand: Option<Box<dyn Any + Send>>,
    pub(crate) tries: u32,
    pub(crate) reservation: Option<Reservation>,
    /// The last command's name as it was sent and its row: pipelines repeat themselves.
    pub(crate) last_name: ([u8; 15], u8, u16),
    pub(crate) blocked: bool,
    /// What must not be shown of the last session command's arguments.
    pub(crate) secrets: Secrets,
    /// Time that the call has taken so far that runs in parts.
    pub(crate) spent_ns: u64,
    /// Whether a command of EXEC is running.
    pub(crate) executing: bool,
    pub(crate) close_after_reply: bool,
}

/// The link to the primary: its commands are appended to the log as they came, once they have run.
#[derive(Debug, Default)]
pub struct Feed {
    /// The number of the role for which the link was made; under another role its commands do not run.
    pub epoch: u64,
    /// The bytes of the calls that have not been appended yet: of one call, or of a whole transaction.
    pub raw: Vec<u8>,
}

/// What becomes of a client's replies (CLIENT REPLY, Redis 3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyMode {
    /// They are sent.
    On,
    /// They are dropped.
    Off,
    /// The next command's is dropped.
    SkipNext,
    /// This command's is dropped.
    Skip,
}

impl ReplyMode {
    /// The mode after a call has ended.
    pub(crate) fn after_call(self) -> Self {
        match self {
            Self::SkipNext => Self::Skip,
            Self::Skip => Self::On,
            Self::On | Self::Off => self,
        }
    }
}

impl Session {
    /// A new session of `client`; `authenticated` when the default user needs no password.
    #[must_use]
    pub fn new(client: Arc<Client>, authenticated: bool) -> Self {
        client.names.lock().user = b"default".to_vec();
        Self {
            client,
            out: Output::default(),
            db: 0,
            proto: Proto::Resp2,
            authenticated,
            no_touch: false,
            reply: ReplyMode::On,
            transaction: None,
            watches: Watches::default(),
            subscriptions: Subscriptions::default(),
            tracking: Tracking::default(),
            waiter: None,
            pending: None,
            log_offset: 0,
            reveals: 0,
            replays: false,
            feed: None,
            errand: None,
            tries: 0,
            reservation: None,
            last_name: ([0; 15], 0, 0),
            blocked: false,
            secrets: Secrets::new(),
            spent_ns: 0,
            executing: false,
            close_after_reply: false,
        }
    }

    /// Takes what others have to tell behind the output. It may speak of whatever was written until now.
    pub fn take_mail(&mut self, engine: &Engine) {
        let inbox = &self.client.inbox;
        if inbox.waiting() > 0 {
            inbox.drain_into(&mut self.out);
            if !engine.gate.is_open() {
                self.reveals = engine.log.end();
            }
        }
    }

    /// Selects a database; the caller has checked its number.
    pub fn select(&mut self, db: u16) {
        self.db = db;
        self.client.shown.db.store(u32::from(db), Relaxed);
    }

    /// Speaks another version of RESP from the next reply on.
    pub fn speak(&mut self, proto: Proto) {
        self.proto = proto;
        let version = match proto {
            Proto::Resp2 => 2,
            Proto::Resp3 => 3,
        };
        self.client.shown.proto.store(version, Relaxed);
    }

    /// A writer of replies: into the output, or into `muted` when the client wants none.
    pub(crate) fn writer<'a>(&'a mut self, muted: &'a mut Output) -> Writer<'a> {
        let out = if self.reply == ReplyMode::On {
            &mut self.out
        } else {
            muted
        };
        Writer::new(out, self.proto)
    }

    /// Gives up what it has reserved: it has run, or waits for something else.
    pub(crate) fn give_way(&mut self) {
        self.tries = 0;
        self.reservation = None;
    }

    /// Whether nothing of a call outlasts its reply.
    pub(crate) fn leaves_nothing(&self) -> bool {
        (self.reply == ReplyMode::On) & !self.close_after_reply & !self.tracking.is_caching_given()
    }

    /// Whether this session runs no transaction.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.authenticated
            && self.subscriptions.is_empty()
            && self.transaction.is_none()
            && self.reply == ReplyMode::On
    }
}
