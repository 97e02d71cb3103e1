//! Transcripts of every data command, through the dispatcher.

mod string;
