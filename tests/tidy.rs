//! House rules that no compiler checks, each a test over the files of the repository.
//!
//! A rule is a function from files to problems; each has a proof that it finds what it is there for.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "tidy/repository.rs"]
mod repository;

#[path = "tidy/manifests.rs"]
mod manifests;
#[path = "tidy/prose.rs"]
mod prose;
#[path = "tidy/rust.rs"]
mod rust;
#[path = "tidy/shape.rs"]
mod shape;
