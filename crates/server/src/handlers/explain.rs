//! `dacapo/explain`: why there was or was not a suggestion.

use assist::{Completion, Trigger};
use tokio::sync::oneshot;
use tower_lsp_server::ls_types::TextDocumentPositionParams;
use workspace::Document;

use crate::event::Request;
use crate::handlers;
use crate::proto::ext::{ExplainParams, Explanation};
use crate::proto::from::ClientFacts;
use crate::proto::{from, to};
use crate::running::Waiting;
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, request: Request<ExplainParams, Explanation>) {
    let Request { params, cancel, reply } = request;
    let trigger = params.trigger_kind.map_or(Trigger::Automatic, from::trigger);
    let at = TextDocumentPositionParams {
        text_document: params.text_document,
        position: params.position,
    };
    handlers::start(session, &at, trigger, cancel, Waiting::Explain { reply });
}

pub(crate) fn answer(
    client: &ClientFacts,
    document: &Document,
    completion: Completion,
    reply: oneshot::Sender<Explanation>,
) {
    let _ = reply.send(to::explanation(document, client.encoding, completion));
}
