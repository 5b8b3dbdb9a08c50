//! The server end to end: a strict client, an in-memory connection, a tiny random model.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

mod actions;
mod complaints;
mod completion;
mod configuration;
mod dialects;
mod lifecycle;
mod load;
mod malformed;
mod order;
mod redaction;
mod repository;
mod status;
mod sync;
