//! Errors of commands that are expected to succeed. Those of the primary and of an append-only file have run before: the dataset
//! is not what it was there (`propagation-error-behavior`).

use std::sync::atomic::Ordering::Relaxed;

use config::choices::PropagationErrorBehavior as Behavior;
use config::directive;
use engine::{Engine, Trusted};
use tracing::{info, warn};

use crate::crash::{Fault, die};
use crate::server::Server;

/// Bytes of the log that are shown.
const SHOWN: u64 = 256;
/// Bytes of the error that are shown.
const ERROR_MAX: usize = 4096;

/// Says it in the log, and ends the process where that is wanted.
pub(crate) fn note(
    server: &Server,
    engine: &Engine,
    of: Trusted,
    error: &str,
    command: Option<&str>,
) {
    let (from, to) = match of {
        Trusted::Primary => ("replica", "master"),
        Trusted::File => ("server", "AOF-loading-client"),
        Trusted::Replica => ("master", "replica"),
    };
    let error = error.get(..ERROR_MAX).unwrap_or(error);
    let command = command.unwrap_or("<unknown>");
    warn!(
        "== CRITICAL == This {from} is sending an error to its {to}: '-{error}' after processing the command '{command}'"
    );
    if of == Trusted::Primary {
        show_end_of_log(engine);
    }
    server.counters.unexpected.fetch_add(1, Relaxed);
    let behavior = {
        let config = server.config.read();
        config.read(directive::PROPAGATION_ERROR_BEHAVIOR)
    };
    match of {
        Trusted::Primary if behavior != Behavior::Ignore && engine.world().replica_read_only => {
            die(
                engine,
                Fault::Panic("This replica panicked sending an error to its master"),
            )
        }
        Trusted::File if behavior == Behavior::Panic => die(
            engine,
            Fault::Panic("This server panicked sending an error to its AOF-loading-client"),
        ),
        _ => {}
    }
}

/// What came before the command may explain it.
fn show_end_of_log(engine: &Engine) {
    let extent = engine.log.extent();
    let from = extent.end.saturating_sub(SHOWN).max(extent.start);
    let Some(mut reader) = engine.log.reader(from).filter(|_| from < extent.end) else {
        return;
    };
    let mut pieces = Vec::new();
    let length = usize::try_from(extent.end - from).unwrap_or(0);
    reader.read(length, &mut pieces);
    let shown: String = pieces
        .iter()
        .map(|piece| piece.escape_ascii().to_string())
        .collect();
    info!("Latest backlog is: '\"{shown}\"'");
}
