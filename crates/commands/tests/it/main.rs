//! Transcripts of every data command, through the dispatcher.

mod bitmap;
mod blocking;
mod dump;
mod generic;
mod geo;
mod hash;
mod hash_expiry;
mod hyperloglog;
mod list;
mod set;
mod stream;
mod string;
mod zset;
