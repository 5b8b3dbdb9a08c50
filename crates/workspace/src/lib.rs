//! What the user has open and what lies on disk: documents with trees and versions, recent edits, an index of each root, immutable snapshots.
//!
//! Files, environment and clock pass through [`System`].

mod system;

mod secrets;

mod index;

mod indexer;

mod tree_cell;

mod document;

mod log;

mod difference;

mod exclusion;

mod snapshot;

mod repository;

mod open;

mod visits;

#[cfg(test)]
mod tests;

pub use document::{Document, DocumentId};
pub use exclusion::Exclusion;
pub use index::files::{MAX_FILE_BYTES, holds_secrets};
pub use index::scan::{MAX_FILES, Progress, Scan};
pub use index::{Index, IndexSize};
pub use indexer::{IndexEvent, Indexer, IndexerConfig};
pub use log::LoggedEdit;
pub use open::{Change, Error, Workspace};
pub use repository::{Chunk, Definition, File, ImportOf, NameUse, Query, Repository, Scores};
pub use secrets::{mask, secrets};
pub use snapshot::Snapshot;
/// What a caller names when it opens a document or looks at what is in one.
pub use syntax::{Language, ReferenceKind, SymbolKind};
pub use system::{MemorySystem, Metadata, OsSystem, System, cache_directory};
pub use visits::Visit;
