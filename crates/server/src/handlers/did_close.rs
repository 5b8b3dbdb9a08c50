//! `textDocument/didClose`.

use assist::Reason;
use tower_lsp_server::ls_types::DidCloseTextDocumentParams;

use crate::proto::from;
use crate::session::{NoAnswer, Session};

pub(crate) fn handle(session: &mut Session, params: &DidCloseTextDocumentParams) {
    let id = from::document_id(&params.text_document.uri);
    session.running.mark_stale(&id);
    session.running.cancel_document(&id);
    for working in session.commands.cancel_document(&id) {
        working.refuse(NoAnswer::from(&Reason::NotOpen));
    }
    session.language_ids.remove(&id);
    if let Err(error) = session.workspace.close(&id) {
        tracing::warn!(%error, "didClose ignored");
    }
}
