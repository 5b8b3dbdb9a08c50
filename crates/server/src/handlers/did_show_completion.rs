//! `textDocument/didShowCompletion`, as clients of other completion servers send it.

use crate::proto::ext::ShownParams;
use crate::proto::from;
use crate::session::Session;

/// From now on, what the client does not tell of was not seen, and that nobody took it says nothing of it.
pub(crate) fn handle(session: &mut Session, params: &ShownParams) {
    session.tells_what_is_shown = true;
    let (workspace, encoding) = (&session.workspace, session.client.encoding);
    let Some(shown) = &mut session.shown else { return };
    let Some(document) = workspace.document(shown.document()) else { return };
    let item = &params.item;
    let start =
        item.range.map(|range| document.buffer.offset(from::position(range.start), encoding));
    shown.seen(&document.buffer, start, item.text());
}
