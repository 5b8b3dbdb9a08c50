//! `textDocument/didChange`.

use std::time::Instant;

use tower_lsp_server::ls_types::{DidChangeTextDocumentParams, TextDocumentContentChangeEvent};
use workspace::DocumentId;

use crate::ahead;
use crate::handlers;
use crate::proto::from;
use crate::session::Session;
use crate::shown::Fate;

pub(crate) fn handle(session: &mut Session, params: DidChangeTextDocumentParams) {
    let id = from::document_id(&params.text_document.uri);
    let last = params.content_changes.last().cloned();
    let changes = params.content_changes.into_iter().map(from::change);
    session.running.mark_stale(&id);
    let changed = session.workspace.change(
        &id,
        params.text_document.version,
        session.client.encoding,
        changes,
    );
    if let Err(error) = changed {
        tracing::warn!(%error, "didChange ignored");
        return;
    }
    session.typing.changed(Instant::now());
    let caret = last.and_then(|last| caret_after(session, &id, &last));
    match caret {
        Some(caret) => judge(session, &id, caret),
        None => session.shown = None,
    }
    if let Some(caret) = caret
        && handlers::may_suggest(session, &id)
    {
        // Who types will want a suggestion.
        let path = session.workspace.document(&id).and_then(|document| document.path.clone());
        let model = session.model_at(path.as_deref());
        session.preload(model);
        ahead::read(session, id, caret);
    }
}

/// Where the change ends; unknown where the whole text came, since there is no telling which part of it was typed.
fn caret_after(
    session: &Session,
    id: &DocumentId,
    last: &TextDocumentContentChangeEvent,
) -> Option<usize> {
    let document = session.workspace.document(id)?;
    let start = document.buffer.offset(from::position(last.range?.start), session.client.encoding);
    Some(start + last.text.len())
}

/// Sees what the change says of the suggestion that is shown.
fn judge(session: &mut Session, id: &DocumentId, caret: usize) {
    let Some(shown) = session.shown.take_if(|shown| shown.is_of(id)) else {
        return;
    };
    let Some(document) = session.workspace.document(id) else {
        return;
    };
    match shown.fate(&document.buffer, caret) {
        Fate::Open => session.shown = Some(shown),
        Fate::Taken => {
            session.typing.taken();
            session.counted.judged(true);
        }
        // Of what was never on the screen nobody can have thought anything.
        Fate::Left if session.tells_what_is_shown && !shown.is_seen() => {}
        Fate::Left => {
            session.typing.left();
            session.counted.judged(false);
        }
    }
}
