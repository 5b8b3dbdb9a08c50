//! One open document.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use syntax::{Language, Tree};
use text::{Applied, Buffer, Edit};

use crate::index::analysis::analyse;
use crate::index::segment::Segment;
use crate::index::segment_of;
use crate::secrets::mask;
use crate::tree_cell::TreeCell;

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
    /// Of `buffer` as it stands.
    tree: Option<Arc<TreeCell>>,
    /// Of `buffer` as it stands, once someone has wanted it.
    segment: Arc<OnceLock<Segment>>,
    /// The text of `buffer` as it stands with secrets masked, once someone has wanted it.
    masked: Arc<OnceLock<Arc<str>>>,
}

impl Document {
    pub fn new(
        id: DocumentId,
        path: Option<PathBuf>,
        language: Option<Language>,
        version: i32,
        buffer: Buffer,
    ) -> Self {
        let cell = |language| Arc::new(TreeCell::new(language, buffer.clone()));
        let tree = language.map(cell);
        Self {
            id,
            path,
            language,
            version,
            buffer,
            tree,
            segment: Arc::default(),
            masked: Arc::default(),
        }
    }

    /// The tree of the text as it stands; `None` when there is no grammar, the document is too large, or parsing took too long.
    ///
    /// The first caller parses, which may take seconds for a text of megabytes; it is not for the thread that owns the workspace.
    pub fn tree(&self) -> Option<&Tree> {
        self.tree.as_deref()?.tree()
    }

    /// [`Document::tree`] would wait for nothing.
    pub fn is_parsed(&self) -> bool {
        self.tree.as_deref().is_none_or(TreeCell::is_parsed)
    }

    /// The document as it would be after one edit, at the same version.
    #[must_use]
    pub fn edited(&self, edit: &Edit) -> Self {
        let mut document = self.clone();
        let applied = document.buffer.apply(edit);
        document.changed(&[applied]);
        document
    }

    /// Tells the document that `applied` led to its buffer as it now stands.
    pub(crate) fn changed(&mut self, applied: &[Applied]) {
        let buffer = &self.buffer;
        self.tree = self.tree.as_ref().map(|cell| Arc::new(cell.changed(applied, buffer.clone())));
        self.segment = Arc::default();
        self.masked = Arc::default();
    }

    /// What an index would say of the document; the first caller analyses it.
    pub(crate) fn segment(&self) -> &Segment {
        self.segment
            .get_or_init(|| segment_of(vec![analyse(String::new(), &self.buffer, self.tree())]))
    }

    pub(crate) fn masked(&self) -> Arc<str> {
        Arc::clone(self.masked.get_or_init(|| mask(&self.buffer.to_string()).into()))
    }

    /// Above [`syntax::MAX_BYTES`] (4 MB), where no tree is kept.
    pub fn is_large(&self) -> bool {
        syntax::MAX_BYTES < self.buffer.len()
    }
}
