//! What a command of the engine or the server sees while it holds shards.

use crate::engine::Engine;
use crate::executor::space_of;
use crate::handler::HostRequest;
use crate::session::Session;
use crate::world::World;
use commands::{CommandError, Effects, Now, Reply, Rng, Shards, Space};
use resp::{Output, Writer};
use smallvec::SmallVec;
use store::Shard;

/// What runs with shards held.
pub type HoldFn = Box<dyn FnMut(&mut Holding<'_>) -> Result<Reply, CommandError> + Send>;

/// The context of a command that holds shards by number rather than by its keys.
pub struct Holding<'a> {
    /// The shards held, ascending; all of them when the command asked for everything.
    pub shards: SmallVec<[(u16, &'a mut Shard); 2]>,
    /// The session that calls.
    pub session: &'a mut Session,
    /// The engine; the locks of `shards` are taken.
    pub engine: &'a Engine,
    /// The world of this call.
    pub world: &'a World,
    /// When the call runs.
    pub now: Now,
    /// What the call does beside its reply.
    pub effects: &'a mut Effects,
    /// Random numbers.
    pub rng: &'a mut Rng,
    pub(crate) new_world: Option<World>,
    /// What the host does before the call is answered.
    pub(crate) then: Option<HostRequest>,
    /// Where replies go that CLIENT REPLY drops.
    pub(crate) muted: &'a mut Output,
}

impl Holding<'_> {
    /// Where the reply goes.
    pub fn out(&mut self) -> Writer<'_> {
        self.session.writer(self.muted)
    }

    /// The held shard of `key`.
    ///
    /// # Panics
    /// When the shard of `key` is not held.
    pub fn shard_of(&mut self, key: &[u8]) -> &mut Shard {
        let number = self.engine.locks.shard_of(key);
        let at = self.shards.binary_search_by_key(&number, |(held, _)| *held);
        self.shards[at.expect("a command names the shards of its keys before it runs")].1
    }

    /// The held shard of `key`, as a data command sees it.
    ///
    /// # Panics
    /// When the shard of `key` is not held.
    pub fn space_of(&mut self, key: &[u8]) -> Space<'_> {
        let number = self.engine.locks.shard_of(key);
        let at = self.shards.binary_search_by_key(&number, |(held, _)| *held);
        let shard = &mut self.shards[at.expect("a command names the shards of its keys")].1;
        let (engine, world, db) = (self.engine, self.world, self.session.db);
        space_of(
            engine,
            world,
            self.effects,
            Shards::One(shard),
            self.now,
            db,
        )
    }

    /// Deletes `key` of the session's database if its time is over; whether it was deleted.
    ///
    /// # Panics
    /// When the shard of `key` is not held.
    pub fn remove_expired(&mut self, key: &[u8]) -> bool {
        self.space_of(key).remove_expired(key)
    }

    /// Changes the world when the command ends. Every shard must be held.
    pub fn change_world(&mut self, change: impl FnOnce(&mut World)) {
        debug_assert_eq!(
            self.shards.len(),
            self.engine.locks.count(),
            "the world is changed under all locks"
        );
        change(self.new_world.get_or_insert_with(|| self.world.clone()));
    }
}

impl std::fmt::Debug for Holding<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holding")
            .field("shards", &self.shards.len())
            .finish_non_exhaustive()
    }
}
