//! The last change once more: where it is to be repeated, and what is to stand there.

use std::ops::Range;
use std::sync::Arc;

use context::{NextEdit as Place, Proposal, are_arguments};
use engine::{CancelFlag, Priority};
use text::Edit;
use workspace::{Document, DocumentId, Snapshot};

use crate::completer::Completer;
use crate::completion::Trigger;
use crate::reason::Reason;
use crate::site::Site;

/// Text to put in place of `range`, which may lie in another document than the one that was asked about.
#[derive(Debug, Clone)]
pub struct NextEdit {
    pub document: Arc<Document>,
    /// Nobody has the document open: it is a file as it lies on disk.
    pub is_closed: bool,
    /// Bytes of the document.
    pub range: Range<usize>,
    pub text: String,
}

/// The next place behind byte `offset` of `document` at which the last change is to be made again. A name that was replaced is
/// replaced there, which asks no model; the arguments of a call are written by the model.
pub(crate) fn next_edit(
    completer: &Completer,
    snapshot: &Snapshot,
    document: &DocumentId,
    offset: usize,
    cancel: &CancelFlag,
) -> Result<NextEdit, Reason> {
    snapshot.document(document).ok_or(Reason::NotOpen)?;
    let place = context::next_edit(snapshot, document, offset).ok_or(Reason::NothingToRepeat)?;
    let text = match &place.proposal {
        Proposal::Text(text) => text.clone(),
        Proposal::Infill { .. } => {
            let text = infilled(completer, snapshot, &place.document, &place.range, cancel)?;
            if are_arguments(&place, &text) { text } else { return Err(Reason::NoArguments) }
        }
    };
    let Place { document, is_closed, range, .. } = place;
    Ok(NextEdit { document, is_closed, range, text })
}

/// What the model writes in place of `range`; an error when that is what stands there already.
fn infilled(
    completer: &Completer,
    snapshot: &Snapshot,
    document: &Document,
    range: &Range<usize>,
    cancel: &CancelFlag,
) -> Result<String, Reason> {
    let mut buffer = document.buffer.clone();
    buffer.apply(&Edit { range: range.clone(), text: String::new() });
    let Document { id, path, language, version, .. } = document.clone();
    let opened = Document::new(id, path, language, version, buffer);
    let site = Site::new(&opened, range.start, Trigger::Invoked);
    let completion =
        completer.ask(snapshot, &opened, range.start, &site, Priority::Interactive, cancel);
    let text = completion.suggestion?.text;
    let old = document.buffer.slice(range.clone());
    if text.trim() == old.trim() { Err(Reason::Empty) } else { Ok(text) }
}
