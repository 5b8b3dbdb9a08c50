//! What other files gave, kept while neither they nor the names around the caret change: most keys go on with a word that does not count yet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use syntax::Import;
use workspace::{DocumentId, Query, Snapshot};

use crate::gather::far::Far;
use crate::gather::{Caret, Focus};
use crate::sources::Sources;

/// Places between which a user goes back and forth, and the one that the model looks ahead to.
const MAX_KEPT: usize = 4;

/// Saves [`crate::prompt()`] from seeking the same text in the same files again; what a prompt holds does not depend on it, as long as files
/// change on disk no sooner than in the index.
#[derive(Debug, Default)]
pub struct Memo(Mutex<VecDeque<(Asked, Arc<Far>)>>);

/// All that text of other files is chosen by.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Keeps all that is compared by place in memory.
    snapshot: Snapshot,
    document: DocumentId,
    path: String,
    imports: Vec<Import>,
    names: Vec<(String, f64)>,
    query: Query,
    sources: Sources,
    max_bytes: usize,
}

impl Asked {
    pub(crate) fn new(
        snapshot: &Snapshot,
        caret: &Caret<'_>,
        focus: &Focus,
        imports: &[Import],
        sources: Sources,
    ) -> Self {
        Self {
            snapshot: snapshot.without(&caret.document.id),
            document: caret.document.id.clone(),
            path: caret.path.to_owned(),
            imports: imports.to_vec(),
            names: focus.names.clone(),
            query: focus.query.clone(),
            sources,
            max_bytes: caret.max_bytes,
        }
    }
}

impl PartialEq for Asked {
    fn eq(&self, other: &Self) -> bool {
        let Self { snapshot, document, path, imports, names, query, sources, max_bytes } = self;
        *document == other.document
            && *path == other.path
            && *sources == other.sources
            && *max_bytes == other.max_bytes
            && *names == other.names
            && *imports == other.imports
            && *query == other.query
            && snapshot.has_the_files_of(&other.snapshot)
    }
}

impl Memo {
    pub(crate) fn far(&self, asked: Asked, seek: impl FnOnce() -> Far) -> Arc<Far> {
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut known = lock();
        if let Some(at) = known.iter().position(|(other, _)| *other == asked)
            && let Some(entry) = known.remove(at)
        {
            let far = Arc::clone(&entry.1);
            known.push_front(entry);
            return far;
        }
        drop(known);
        let far = Arc::new(seek());
        let mut known = lock();
        known.push_front((asked, Arc::clone(&far)));
        known.truncate(MAX_KEPT);
        far
    }
}
