//! `textDocument/didChange`.

use tower_lsp_server::ls_types::DidChangeTextDocumentParams;

use crate::proto::from;
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, params: DidChangeTextDocumentParams) {
    let id = from::document_id(&params.text_document.uri);
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
    }
}
