//! The redis.conf grammar and the typed table of directives.
