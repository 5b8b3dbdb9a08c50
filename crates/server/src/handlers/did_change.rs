//! `textDocument/didChange`.

use std::time::Instant;

use tower_lsp_server::ls_types::{DidChangeTextDocumentParams, TextDocumentContentChangeEvent};
use workspace::DocumentId;

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
    if let Some(last) = last {
        judge(session, &id, &last);
    }
    let config = session.settings.session();
    if config.enabled && config.completion.automatic {
        // Who types will want a suggestion.
        session.preload();
    }
}

/// Sees what the change says of the suggestion that is shown.
fn judge(session: &mut Session, id: &DocumentId, last: &TextDocumentContentChangeEvent) {
    let Some(shown) = session.shown.take_if(|shown| shown.is_of(id)) else {
        return;
    };
    // Where the whole text came there is no telling which part of it was typed.
    let (Some(range), Some(document)) = (last.range, session.workspace.document(id)) else {
        return;
    };
    let buffer = &document.buffer;
    let start = buffer.offset(from::position(range.start), session.client.encoding);
    match shown.fate(buffer, start + last.text.len()) {
        Fate::Open => session.shown = Some(shown),
        Fate::Taken => {
            session.typing.taken();
            session.counted.judged(true);
        }
        Fate::Left => {
            session.typing.left();
            session.counted.judged(false);
        }
    }
}
