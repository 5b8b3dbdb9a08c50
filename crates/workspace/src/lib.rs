//! What the user has open: documents, their trees and versions, recent edits, immutable snapshots. No file is read here.

mod tree_cell;

mod document;

mod log;

mod difference;

mod snapshot;

mod open;

#[cfg(test)]
mod tests;

pub use document::{Document, DocumentId};
pub use log::LoggedEdit;
pub use open::{Change, Error, Workspace};
pub use snapshot::Snapshot;
/// What a caller names when it opens a document.
pub use syntax::Language;
