//! The last edit once more, as a suggestion: where the caret stands at its next place, or on the line of it.

use context::{Proposal, next_edit_at, next_open_edit};
use workspace::{DocumentId, Snapshot};

use crate::completion::{Completion, Suggestion};

/// The new name where the caret is at an old one, whatever else could be said there. Asks no model, and reads no text where
/// no recent edit replaced the word at the caret.
pub(super) fn at(snapshot: &Snapshot, id: &DocumentId, offset: usize) -> Option<Completion> {
    let next = next_edit_at(snapshot, id, offset)?;
    let suggestion = suggestion(next)?;
    Some(Completion {
        raw: suggestion.text.clone(),
        suggestion: Ok(suggestion),
        pieces: Vec::new(),
        outcome: None,
        confidence: None,
        stopped_by: "repeated-edit",
    })
}

/// The new name for an old one elsewhere on the caret's line. Further away it would be out of sight, and a suggestion
/// begins and ends on one line (LSP 3.18, `InlineCompletionItem.range`).
pub(super) fn on_line(snapshot: &Snapshot, id: &DocumentId, offset: usize) -> Option<Suggestion> {
    let buffer = &snapshot.document(id)?.buffer;
    let line = buffer.line_range(buffer.line_of(offset));
    let next = next_open_edit(snapshot, id, line.start)?;
    let is_near =
        next.document.id == *id && line.start <= next.range.start && next.range.end <= line.end;
    suggestion(next).filter(|_| is_near)
}

fn suggestion(next: context::NextEdit) -> Option<Suggestion> {
    match next.proposal {
        Proposal::Text(text) => {
            Some(Suggestion { range: next.range, text, version: next.document.version })
        }
        // The arguments of a call are the model's to write, and an action of their own.
        Proposal::Infill { .. } => None,
    }
}
