//! The `redis-server` binary.

fn main() {}
