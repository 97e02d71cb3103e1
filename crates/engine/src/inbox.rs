//! What others tell a connection: messages for its client, and requests to the connection itself. Telling wakes it.
//!
//! A session empties its inbox before each command takes locks and behind its own output, so that a message never
//! overtakes the reply of the command that caused it.

use bytes::Bytes;
use parking_lot::Mutex;
use resp::Output;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::task::Waker;

/// The inbox of one connection.
#[derive(Debug, Default)]
pub struct Inbox {
    killed: AtomicBool,
    overfull: AtomicBool,
    /// Bytes of mail, read without the lock: no mail is the common case.
    waiting: AtomicUsize,
    mail: Mutex<Mail>,
}

#[derive(Debug, Default)]
struct Mail {
    messages: Vec<Bytes>,
    waker: Option<Waker>,
}

impl Inbox {
    /// Asks the connection to end, and wakes it.
    pub fn kill(&self) {
        self.killed.store(true, Relaxed);
        self.wake();
    }

    /// Whether the connection is to end.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed.load(Relaxed)
    }

    /// Whether it is to end because it reads too slowly.
    #[must_use]
    pub fn is_overfull(&self) -> bool {
        self.overfull.load(Relaxed)
    }

    /// Puts an encoded message in, and wakes the connection. A connection that reads too slowly, so that more than `limit`
    /// bytes wait (0 for no limit), is asked to end and gets no more.
    pub fn push(&self, message: Bytes, limit: usize) {
        if self.is_killed() {
            return;
        }
        let mut mail = self.mail.lock();
        let waiting = self.waiting.load(Relaxed) + message.len();
        if limit > 0 && waiting > limit {
            drop(mail);
            self.overfull.store(true, Relaxed);
            self.kill();
            return;
        }
        self.waiting.store(waiting, Relaxed);
        mail.messages.push(message);
        let waker = mail.waker.take();
        drop(mail);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Bytes of messages that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Moves all messages behind `out`.
    pub fn drain_into(&self, out: &mut Output) {
        if self.waiting() == 0 {
            return;
        }
        let messages = {
            let mut mail = self.mail.lock();
            self.waiting.store(0, Relaxed);
            std::mem::take(&mut mail.messages)
        };
        messages.iter().for_each(|message| out.push_bytes(message));
    }

    /// Wakes the connection, so that it looks around.
    pub fn wake(&self) {
        let waker = self.mail.lock().waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Says whom to wake. The connection looks at its inbox after this and before it sleeps.
    pub fn register(&self, waker: &Waker) {
        let mut mail = self.mail.lock();
        if mail
            .waker
            .as_ref()
            .is_none_or(|known| !known.will_wake(waker))
        {
            mail.waker = Some(waker.clone());
        }
    }
}
