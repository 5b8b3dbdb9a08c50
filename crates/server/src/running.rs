//! Requests that the assistant is working on, and which of them a newer one replaces.

use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::{Duration, Instant};

use assist::{CancelFlag, Several};
use tokio::sync::oneshot;
use tower_lsp_server::ls_types::{CompletionList, InlineCompletionList, SelectedCompletionInfo};
use workspace::{Document, DocumentId};

use crate::proto::ext::Explanation;

/// Who waits for a completion and in which form.
#[derive(Debug)]
pub(crate) enum Waiting {
    InlineCompletion {
        selected: Option<SelectedCompletionInfo>,
        reply: oneshot::Sender<InlineCompletionList>,
    },
    Completion {
        reply: oneshot::Sender<CompletionList>,
    },
    Explain {
        reply: oneshot::Sender<Explanation>,
    },
}

#[derive(Debug)]
pub(crate) struct Running {
    /// The document as it was when the request came.
    pub(crate) document: Arc<Document>,
    /// Byte offset of the caret in it.
    pub(crate) caret: usize,
    pub(crate) asked_at: Instant,
    pub(crate) cancel: CancelFlag,
    pub(crate) waiting: Waiting,
    /// The document was changed, closed or opened anew since; written by [`Table::mark_stale`].
    pub(crate) stale: bool,
}

/// An answer, and how it came about.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) several: Several,
    /// How long the model was left alone before it was asked.
    pub(crate) waited: Duration,
    /// The engine had it when it was cancelled, and let go of it so long after.
    pub(crate) cancel_to_idle: Option<Duration>,
}

/// At most one request of a kind for a document.
#[derive(Debug, Default)]
pub(crate) struct Table {
    next_number: u64,
    by_number: HashMap<u64, Running>,
}

impl Table {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_number.len()
    }

    /// Adds a request; gives its number and the request it replaces, whose flag is raised.
    pub(crate) fn insert(&mut self, running: Running) -> (u64, Option<Running>) {
        let replaced = self
            .by_number
            .iter()
            .find(|(_, older)| {
                older.document.id == running.document.id
                    && mem::discriminant(&older.waiting) == mem::discriminant(&running.waiting)
            })
            .map(|(&number, _)| number)
            .and_then(|number| self.remove(number));
        if let Some(replaced) = &replaced {
            replaced.cancel.raise();
        }
        let number = self.next_number;
        self.next_number += 1;
        self.by_number.insert(number, running);
        (number, replaced)
    }

    /// `None` for a request that was replaced meanwhile.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Running> {
        self.by_number.remove(&number)
    }

    /// Their answers no longer fit; the work goes on, because what it computes helps the next request.
    pub(crate) fn mark_stale(&mut self, document: &DocumentId) {
        for running in
            self.by_number.values_mut().filter(|running| running.document.id == *document)
        {
            running.stale = true;
        }
    }

    pub(crate) fn cancel_document(&mut self, document: &DocumentId) {
        for running in self.by_number.values().filter(|running| running.document.id == *document) {
            running.cancel.raise();
        }
    }

    /// Raises every flag and hands out what has to be answered.
    pub(crate) fn cancel_all(&mut self) -> Vec<Running> {
        let running: Vec<Running> = self.by_number.drain().map(|(_, running)| running).collect();
        running.iter().for_each(|running| running.cancel.raise());
        running
    }
}
