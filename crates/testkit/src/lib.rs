//! Transcripts, a history checker and a throw-away CA for tests.
