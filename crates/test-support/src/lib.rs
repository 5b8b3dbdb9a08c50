//! For tests only: fixtures, a tiny random checkpoint, GGUF files, a strict LSP client, a model hub that misbehaves.
//!
//! What is wrong here is wrong in a test, so everything panics instead of returning errors.

mod byte_level;

pub mod checkpoint;
pub mod client;
pub mod fixture;
pub mod gguf;
pub mod hub;
pub mod scripted;
