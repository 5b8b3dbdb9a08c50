//! Syntax trees by tree-sitter: language registry, incremental trees, where the caret stands, what a file defines and uses, and where it may be cut.

mod language;

mod keyword;

mod hunk;

mod tree;

mod errors;

mod unclosed;

mod place;

mod scope;

mod body;

mod calls;

mod item;

mod symbol;

mod query;

mod import;

mod outline;

mod chunk;

#[cfg(test)]
mod tests;

pub use chunk::chunks;
pub use errors::n_errors;
pub use item::Item;
pub use language::Language;
pub use place::Place;
pub use scope::Scope;
pub use symbol::{Import, ImportedName, Outline, Reference, ReferenceKind, Symbol, SymbolKind};
pub use tree::{MAX_BYTES, Tree};
