//! Values, their encodings, and the sharded keyspace.
