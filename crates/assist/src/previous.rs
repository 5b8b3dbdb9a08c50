//! What the last prompt of each document was made of, so that the next one keeps what it can.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use context::Piece;
use workspace::DocumentId;

const MAX_DOCUMENTS: usize = 16;

/// Snippets of the latest prompt by document, the latest document first.
#[derive(Debug, Default)]
pub(crate) struct Previous(Mutex<VecDeque<(DocumentId, Arc<[Piece]>)>>);

impl Previous {
    pub(crate) fn of(&self, document: &DocumentId) -> Arc<[Piece]> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.iter().find(|(id, _)| id == document);
        entry.map(|(_, pieces)| Arc::clone(pieces)).unwrap_or_default()
    }

    pub(crate) fn remember(&self, document: &DocumentId, pieces: &[Piece]) {
        let snippets = pieces.iter().filter(|piece| piece.kind.is_snippet()).cloned().collect();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|(id, _)| id != document);
        entries.push_front((document.clone(), snippets));
        entries.truncate(MAX_DOCUMENTS);
    }
}
