//! RESP2, RESP3 and inline commands: incremental parsing and encoding.
