//! The server: sockets, sessions, workers, TLS accept and cron.
