//! One heap block a key and an element: the memory layout of the keyspace.
