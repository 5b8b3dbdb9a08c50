//! Commands that the model is working on, and how they end.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use assist::{Action, CancelFlag};
use tokio::sync::{mpsc, oneshot};
use tower_lsp_server::ls_types::{ProgressToken, WorkspaceEdit};
use workspace::{Document, DocumentId};

use crate::proto::action::ActionFacts;
use crate::session::NoAnswer;

/// A user sets off one at a time; more than this is a client that has lost its way.
const MAX_WORKING: usize = 8;

/// How a command ends on our side; what the client makes of it comes after.
#[derive(Debug)]
pub(crate) enum Ended {
    Edit(WorkspaceEdit),
    Show(Words),
    Refused(NoAnswer),
}

/// What an action says instead of changing anything.
#[derive(Debug)]
pub(crate) struct Words {
    /// Of a file that they may stand in.
    pub(crate) file_name: String,
    /// Markdown.
    pub(crate) text: String,
}

/// A command under way, for the handler that sees it through.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) client: ActionFacts,
    pub(crate) title: &'static str,
    pub(crate) token: ProgressToken,
    /// The client has given the token, so it need not be told of it.
    pub(crate) token_is_known: bool,
    /// Tokens that the model has written so far.
    pub(crate) reports: mpsc::UnboundedReceiver<usize>,
    pub(crate) ended: oneshot::Receiver<Ended>,
}

#[derive(Debug)]
pub(crate) struct Working {
    pub(crate) action: Action,
    /// As it was when the command came.
    pub(crate) document: Arc<Document>,
    /// Bytes of it.
    pub(crate) selection: Range<usize>,
    pub(crate) token: ProgressToken,
    pub(crate) cancel: CancelFlag,
    pub(crate) reply: oneshot::Sender<Ended>,
}

impl Working {
    /// The client may have lost interest already.
    pub(crate) fn refuse(self, why: NoAnswer) {
        tracing::debug!(action = %self.action, reason = why.code, "no change");
        let _ = self.reply.send(Ended::Refused(why));
    }
}

#[derive(Debug, Default)]
pub(crate) struct Commands {
    next_number: u64,
    by_number: HashMap<u64, Working>,
}

impl Commands {
    /// A number that no command has had.
    pub(crate) fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(crate) fn is_full(&self) -> bool {
        MAX_WORKING <= self.by_number.len()
    }

    /// Gives the command that this one replaces, whose flag is raised: the same action at the same place.
    pub(crate) fn insert(&mut self, number: u64, working: Working) -> Option<Working> {
        let same = self.by_number.iter().find(|(_, older)| {
            older.action == working.action
                && older.document.id == working.document.id
                && older.selection.start <= working.selection.end
                && working.selection.start <= older.selection.end
        });
        let replaced = same.map(|(&number, _)| number).and_then(|number| self.remove(number));
        if let Some(replaced) = &replaced {
            replaced.cancel.raise();
        }
        self.by_number.insert(number, working);
        replaced
    }

    /// `None` for one that was replaced or cancelled meanwhile.
    pub(crate) fn remove(&mut self, number: u64) -> Option<Working> {
        self.by_number.remove(&number)
    }

    /// Raises the flags, and hands out what has to be answered.
    pub(crate) fn cancel_document(&mut self, document: &DocumentId) -> Vec<Working> {
        self.cancel(|working| working.document.id == *document)
    }

    pub(crate) fn cancel_token(&mut self, token: &ProgressToken) -> Vec<Working> {
        self.cancel(|working| working.token == *token)
    }

    pub(crate) fn cancel_all(&mut self) -> Vec<Working> {
        self.cancel(|_| true)
    }

    fn cancel(&mut self, is_meant: impl Fn(&Working) -> bool) -> Vec<Working> {
        let cancelled: Vec<Working> = self
            .by_number
            .extract_if(|_, working| is_meant(working))
            .map(|(_, working)| working)
            .collect();
        cancelled.iter().for_each(|working| working.cancel.raise());
        cancelled
    }
}
