//! What readers get.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::system::Machine;
use crate::{Document, DocumentId, Exclusion, Index, LoggedEdit, Visit, holds_secrets};

/// An immutable view of a [`crate::Workspace`]; O(1) to take per document.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    pub(crate) roots: Arc<[PathBuf]>,
    pub(crate) documents: BTreeMap<DocumentId, Arc<Document>>,
    pub(crate) edits: Arc<[LoggedEdit]>,
    pub(crate) visits: Arc<[Visit]>,
    pub(crate) indexes: Arc<[Index]>,
    pub(crate) excluded: Exclusion,
    pub(crate) machine: Machine,
}

impl Snapshot {
    pub fn document(&self, id: &DocumentId) -> Option<&Arc<Document>> {
        self.documents.get(id)
    }

    /// The same view, but for one document.
    #[must_use]
    pub fn with_document(&self, document: Document) -> Self {
        let mut documents = self.documents.clone();
        documents.insert(document.id.clone(), Arc::new(document));
        Self { documents, ..self.clone() }
    }

    /// The same view, but without a document.
    #[must_use]
    pub fn without(&self, id: &DocumentId) -> Self {
        let mut documents = self.documents.clone();
        documents.remove(id);
        Self { documents, ..self.clone() }
    }

    /// Whether both views have the same documents, indexes and exclusions: copies of the very same, not equal ones.
    pub fn has_the_files_of(&self, other: &Self) -> bool {
        let same_documents = || {
            let pairs = self.documents.iter().zip(&other.documents);
            self.documents.len() == other.documents.len()
                && pairs
                    .into_iter()
                    .all(|((id, one), (other_id, other))| id == other_id && Arc::ptr_eq(one, other))
        };
        Arc::ptr_eq(&self.roots, &other.roots)
            && Arc::ptr_eq(&self.indexes, &other.indexes)
            && self.excluded.is_same(&other.excluded)
            && same_documents()
    }

    /// Every open document, in the order of their ids.
    pub fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.values()
    }

    /// Recent edits, oldest first: at most 64, none longer than 4 KB, typing on one line joined into one.
    pub fn edits(&self) -> &[LoggedEdit] {
        &self.edits
    }

    /// Places that the user was at, the latest first: at most 32, no two of them within a screen of each other when they were recorded.
    pub fn visits(&self) -> &[Visit] {
        &self.visits
    }

    /// The text of this file belongs into no prompt: the user excludes it, or it is of a kind that usually holds keys or passwords.
    pub fn withholds(&self, path: &Path) -> bool {
        holds_secrets(path) || self.excluded.covers(path)
    }

    /// The text of a file on disk, whether it is open or not.
    ///
    /// # Errors
    /// Whatever the file system says; [`io::ErrorKind::InvalidData`] for what is no text, and
    /// [`io::ErrorKind::FileTooLarge`] for more than a document may have.
    pub fn read(&self, path: &Path) -> io::Result<String> {
        let bytes = self.machine.0.read(path, syntax::MAX_BYTES as u64)?;
        String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData.into())
    }

    pub fn is_folder(&self, path: &Path) -> bool {
        self.machine.0.is_folder(path)
    }

    /// Name of the innermost root that holds `path`.
    pub fn repository_name(&self, path: &Path) -> Option<String> {
        let holds = self.roots.iter().filter(|root| path.starts_with(root));
        let innermost = holds.max_by_key(|root| root.as_os_str().len())?;
        innermost.file_name().map(|name| name.to_string_lossy().into_owned())
    }

    /// The indexes of the roots, as far as they have been made.
    pub fn indexes(&self) -> &[Index] {
        &self.indexes
    }

    /// `path` relative to the innermost root that holds it, with forward slashes; the file name when no root does.
    pub fn relative_path(&self, path: &Path) -> String {
        let inside = self.roots.iter().filter_map(|root| path.strip_prefix(root).ok());
        let shortest = inside
            .filter(|rest| !rest.as_os_str().is_empty())
            .min_by_key(|rest| rest.as_os_str().len());
        let Some(relative) = shortest else {
            return path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
        };
        let components: Vec<_> = relative
            .components()
            .map(|component| component.as_os_str().to_string_lossy())
            .collect();
        components.join("/")
    }
}
