//! The last change once more: where it is to be repeated, and what is to stand there.

use std::ops::Range;

use context::{NextEdit as Place, Proposal};
use engine::{CancelFlag, Priority};
use text::Edit;
use workspace::{Document, DocumentId, Snapshot};

use crate::completer::Completer;
use crate::completion::Trigger;
use crate::reason::Reason;
use crate::site::Site;

/// Text to put in place of `range`, which may lie in another open document than the one that was asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextEdit {
    pub document: DocumentId,
    /// Bytes of the document at `version`.
    pub range: Range<usize>,
    pub text: String,
    pub version: i32,
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
    let document_of = |id: &DocumentId| snapshot.document(id).ok_or(Reason::NotOpen);
    document_of(document)?;
    let place = context::next_edit(snapshot, document, offset).ok_or(Reason::NothingToRepeat)?;
    let text = match place.proposal {
        Proposal::Text(text) => text,
        Proposal::Infill => {
            let document = document_of(&place.document)?;
            infilled(completer, snapshot, document, &place.range, cancel)?
        }
    };
    let Place { document, version, range, .. } = place;
    Ok(NextEdit { document, range, text, version })
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
