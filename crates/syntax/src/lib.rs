//! Syntax trees by tree-sitter: language registry, incremental trees, where the caret stands.

mod language;

mod hunk;

mod tree;

mod errors;

mod unclosed;

mod place;

mod scope;

mod body;

#[cfg(test)]
mod tests;

pub use errors::n_errors;
pub use language::Language;
pub use place::Place;
pub use scope::Scope;
pub use tree::{MAX_BYTES, Tree};
