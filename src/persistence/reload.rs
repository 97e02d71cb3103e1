//! DEBUG RELOAD: the dataset written to its file, dropped, and read from it again, while every client waits.

use engine::loading::Present;
use engine::{Engine, Held, World};
use tracing::info;

use super::load::{explain, load_file};
use super::rdb_path;
use super::save::save_frozen;
use crate::net::Shared;

/// What DEBUG RELOAD does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reload {
    /// MERGE: keys that are there already are replaced.
    pub(crate) present: Present,
    /// Without NOFLUSH the dataset is dropped first.
    pub(crate) flush: bool,
    /// Without NOSAVE it is written first.
    pub(crate) save: bool,
}

/// Reloads the dataset. For the thread for snapshots.
///
/// # Errors
/// The error reply.
pub(crate) fn reload(shared: &Shared, what: Reload) -> Result<(), &'static str> {
    let engine = &shared.engine;
    if !what.save {
        begin_loading(engine, engine.take_everything_whole(), what.flush);
    } else if save_frozen(shared).is_ok() {
        begin_loading(engine, engine.take_everything(), what.flush);
    } else {
        engine.change_world(|world| world.frozen = false);
        return Err("ERR");
    }
    let path = rdb_path(&shared.server.config.read());
    let loaded = load_file(&shared.server, engine, &path, what.present);
    engine.change_world(|world| world.loading = false);
    match loaded {
        Ok(_) => {
            info!("DB reloaded by DEBUG RELOAD");
            Ok(())
        }
        Err(error) => {
            explain(&error, &path);
            Err("ERR Error trying to load the RDB dump, check server logs.")
        }
    }
}

/// Lets clients that do not need the dataset go on, and drops what is there.
pub(super) fn begin_loading(engine: &Engine, mut held: Held<'_>, flush: bool) {
    let mut garbage = Vec::new();
    if flush {
        for (_, shard) in held.shards() {
            garbage.extend((0..shard.databases()).filter_map(|db| shard.flush(db)));
        }
    }
    let mut world = World::clone(&engine.world());
    world.frozen = false;
    world.loading = true;
    engine.replace_world(&mut held, world);
    drop(held);
    engine.host.drop_later(Box::new(garbage));
}
