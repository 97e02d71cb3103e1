//! What tests need: a server without sockets, transcripts, and a checker of concurrent histories.

mod dispatcher;
mod effects;
pub mod history;
mod oracle;
mod render;
mod transcript;

pub use dispatcher::Dispatcher;
pub use effects::{check_effects, check_effects_with, check_effects_within};
pub use engine;
pub use render::render;
pub use transcript::{check, check_resp3, check_with};
