//! Histories of concurrent calls, and whether some order of them explains every reply.

mod checker;
mod driver;
mod model;

pub use checker::{History, Operation, Verdict, check_history};
pub use driver::{Shape, Theme, run_history};
pub use model::Model;
