//! One open document.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use syntax::{Language, Tree};
use text::Buffer;

/// Opaque name of an open document; the caller chooses it and it is unique among open documents.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId(pub Arc<str>);

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An open document at one version; a clone is cheap.
#[derive(Debug, Clone)]
pub struct Document {
    pub id: DocumentId,
    /// `None` for a document that is on no disk.
    pub path: Option<PathBuf>,
    pub language: Option<Language>,
    /// As the client counts; it is stored, never compared.
    pub version: i32,
    pub buffer: Buffer,
    /// Of `buffer` as it stands; `None` when there is no grammar, the document is too large, or parsing took too long.
    pub tree: Option<Tree>,
}

impl Document {
    /// Above [`syntax::MAX_BYTES`] (4 MB), where no tree is kept.
    pub fn is_large(&self) -> bool {
        syntax::MAX_BYTES < self.buffer.len()
    }
}
