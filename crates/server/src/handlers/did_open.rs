//! `textDocument/didOpen`.

use tower_lsp_server::ls_types::DidOpenTextDocumentParams;

use crate::handlers::folders;
use crate::proto::from;
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, params: DidOpenTextDocumentParams) {
    let document = params.text_document;
    let id = from::document_id(&document.uri);
    let path = from::path(&document.uri);
    let language = from::language(&document.language_id, path.as_deref());
    session.running.mark_stale(&id);
    session.language_ids.insert(id.clone(), document.language_id);
    folders::scan(session);
    session.workspace.open(id.clone(), path, language, document.version, &document.text);
    // So that the first suggestion does not wait for it; a text of megabytes takes a second.
    if let Some(document) = session.workspace.document(&id).cloned() {
        session.work(&session.lanes.ahead, move || {
            let _ = document.tree();
        });
    }
}
