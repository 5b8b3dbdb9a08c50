//! The server end to end: a strict client, an in-memory connection, a tiny random model.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod harness;

mod completion;
mod configuration;
mod lifecycle;
mod malformed;
mod order;
mod status;
mod sync;
