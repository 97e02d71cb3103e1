//! What tests need: a server without sockets, transcripts, and later a history checker and a throw-away CA.

mod dispatcher;
mod render;
mod transcript;

pub use dispatcher::Dispatcher;
pub use render::render;
pub use transcript::{check, check_resp3, check_with};
