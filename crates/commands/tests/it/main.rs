//! Transcripts of every data command, through the dispatcher.

mod hash;
mod set;
mod string;
