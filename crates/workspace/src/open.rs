//! The one writable state: everything open.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syntax::Language;
use text::{Buffer, Edit, Encoding, Position};

use crate::difference::difference;
use crate::log::EditLog;
use crate::system::Machine;
use crate::visits::VisitLog;
use crate::{Document, DocumentId, Exclusion, Index, Snapshot, System};

/// A change as it arrives from outside, in the order it is to be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The whole text anew.
    Full(String),
    /// Replaces what lies between two positions of the buffer as it stands after the changes before this one (LSP 3.17
    /// `TextDocumentContentChangeEvent`). Positions past the end clamp; `end` before `start` is read as an empty range at `start`.
    Range { start: Position, end: Position, text: String },
}

/// Why a change was refused; everything stays as it was.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    #[error("document {0} is not open")]
    NotOpen(DocumentId),
}

/// Everything open. One writer owns it; readers take snapshots.
#[derive(Debug, Default)]
pub struct Workspace {
    roots: Arc<[PathBuf]>,
    documents: BTreeMap<DocumentId, Arc<Document>>,
    log: EditLog,
    visits: VisitLog,
    indexes: Arc<[Index]>,
    excluded: Exclusion,
    machine: Machine,
}

impl Workspace {
    /// `roots` are the folders that paths are shown relative to.
    pub fn new(roots: Vec<PathBuf>) -> Self {
        Self { roots: roots.into(), ..Self::default() }
    }

    /// The same on another machine than this one.
    #[must_use]
    pub fn on(self, system: Arc<dyn System>) -> Self {
        Self { machine: Machine(system), ..self }
    }

    /// Opens a document; one that is open under the same id is replaced.
    pub fn open(
        &mut self,
        id: DocumentId,
        path: Option<PathBuf>,
        language: Option<Language>,
        version: i32,
        text: &str,
    ) {
        self.log.forget(&id);
        let document = Document::new(id.clone(), path, language, version, Buffer::from(text));
        self.documents.insert(id, Arc::new(document));
    }

    /// Applies changes in order; `encoding` is the unit of their columns. `version` is stored as it is, even if it goes backwards.
    ///
    /// # Errors
    /// [`Error::NotOpen`].
    pub fn change(
        &mut self,
        id: &DocumentId,
        version: i32,
        encoding: Encoding,
        changes: impl IntoIterator<Item = Change>,
    ) -> Result<(), Error> {
        let Some(document) = self.documents.get_mut(id) else {
            return Err(Error::NotOpen(id.clone()));
        };
        let document = Arc::make_mut(document);
        document.version = version;
        let mut applied = Vec::new();
        for change in changes {
            let Some(edit) = to_edit(&document.buffer, encoding, change) else { continue };
            self.log.record(id, version, &document.buffer, &edit);
            let line = document.buffer.line_of(edit.range.start);
            let n_before = document.buffer.n_lines();
            applied.push(document.buffer.apply(&edit));
            if let Some(path) = &document.path {
                self.visits.edited(path, line, n_before, document.buffer.n_lines());
            }
        }
        if !applied.is_empty() {
            document.changed(&applied);
        }
        Ok(())
    }

    /// Notes that the user is at byte `offset` of a document; one that is on no disk, or not open, is passed over.
    pub fn visit(&mut self, id: &DocumentId, offset: usize) {
        let Some(document) = self.documents.get(id) else { return };
        if let Some(path) = &document.path {
            self.visits.record(path, document.buffer.line_of(offset));
        }
    }

    /// Forgets a document and its edits, but not that the user was there.
    ///
    /// # Errors
    /// [`Error::NotOpen`].
    pub fn close(&mut self, id: &DocumentId) -> Result<(), Error> {
        self.log.forget(id);
        match self.documents.remove(id) {
            Some(_) => Ok(()),
            None => Err(Error::NotOpen(id.clone())),
        }
    }

    /// Other folders from here on; what is open stays open.
    pub fn set_roots(&mut self, roots: Vec<PathBuf>) {
        self.roots = roots.into();
    }

    /// The folders that paths are shown relative to.
    pub fn roots(&self) -> &[PathBuf] {
        &self.roots
    }

    /// Takes an index in place of the one of the same root; those of other roots stay.
    pub fn set_index(&mut self, index: Index) {
        let others = self.indexes.iter().filter(|other| other.root() != index.root());
        self.indexes = others.cloned().chain([index.clone()]).collect();
    }

    /// Forgets the index of a root.
    pub fn remove_index(&mut self, root: &Path) {
        self.indexes = self.indexes.iter().filter(|index| index.root() != root).cloned().collect();
    }

    /// Keeps other files from the model from here on.
    pub fn set_excluded(&mut self, excluded: Exclusion) {
        self.excluded = excluded;
    }

    pub fn document(&self, id: &DocumentId) -> Option<&Arc<Document>> {
        self.documents.get(id)
    }

    pub fn snapshot(&self) -> Snapshot {
        Snapshot {
            roots: Arc::clone(&self.roots),
            documents: self.documents.clone(),
            edits: self.log.edits(),
            visits: self.visits.visits(),
            indexes: Arc::clone(&self.indexes),
            excluded: self.excluded.clone(),
            machine: self.machine.clone(),
        }
    }
}

fn to_edit(buffer: &Buffer, encoding: Encoding, change: Change) -> Option<Edit> {
    match change {
        Change::Full(text) => difference(buffer, &text),
        Change::Range { start, end, text } => {
            let start = buffer.offset(start, encoding);
            let end = buffer.offset(end, encoding).max(start);
            Some(Edit { range: start..end, text })
        }
    }
}
