//! `textDocument/codeAction`: a menu, answered at once; the model is asked only when a command of it is run.

use assist::{Assistant, Diagnostic, Offer, Trigger};
use tower_lsp_server::ls_types::{
    self, CodeAction, CodeActionDisabled, CodeActionOrCommand, CodeActionParams,
    CodeActionResponse, CodeActionTriggerKind, Command,
};
use workspace::Document;

use crate::event::Request;
use crate::handlers::switched_off;
use crate::proto::action::{self, Argument};
use crate::proto::from::{self, ClientFacts};
use crate::session::Session;

pub(crate) fn handle(
    session: &mut Session,
    request: Request<CodeActionParams, CodeActionResponse>,
) {
    let Request { params, reply, .. } = request;
    let client = session.client;
    let id = from::document_id(&params.text_document.uri);
    let document = session.workspace.document(&id).filter(|document| {
        client.actions.applies_edits && switched_off(session, document, Trigger::Invoked).is_none()
    });
    let Some(document) = document.cloned() else {
        let _ = reply.send(Vec::new());
        return;
    };
    let model = session.model.clone();
    // The text may have to be parsed first, and the model opened, which is not for the thread of the session.
    session.work(&session.lanes.quick, move || {
        let menu = model
            .for_request(Trigger::Automatic)
            .map(|assistant| menu(&assistant, &client, &document, &params));
        let _ = reply.send(menu.unwrap_or_default());
    });
}

fn menu(
    assistant: &Assistant,
    client: &ClientFacts,
    document: &Document,
    params: &CodeActionParams,
) -> CodeActionResponse {
    let range = |range: &ls_types::Range| {
        let offset = |at| document.buffer.offset(from::position(at), client.encoding);
        let start = offset(range.start);
        start..offset(range.end).max(start)
    };
    let context = &params.context;
    let diagnostics: Vec<Diagnostic> = context
        .diagnostics
        .iter()
        .map(|it| Diagnostic { range: range(&it.range), message: it.message.clone() })
        .collect();
    // A client that does not say is one that asks when the user does.
    let asked = context.trigger_kind != Some(CodeActionTriggerKind::AUTOMATIC);
    let facts = client.actions;
    assistant
        .offers(document, &range(&params.range), &diagnostics, asked)
        .into_iter()
        .filter(|offer| action::is_wanted(offer, context.only.as_deref()))
        .filter(|offer| offer.disabled.is_none() || facts.literals && facts.disabled)
        .map(|offer| entry(facts.literals, params, offer))
        .collect()
}

fn entry(literals: bool, params: &CodeActionParams, offer: Offer) -> CodeActionOrCommand {
    let diagnostic = offer.diagnostic.and_then(|at| params.context.diagnostics.get(at)).cloned();
    let argument = Argument {
        uri: params.text_document.uri.clone(),
        range: params.range,
        instruction: None,
        diagnostic: diagnostic.clone(),
    };
    let command = Command {
        title: offer.title.clone(),
        command: action::command(offer.action),
        arguments: serde_json::to_value(argument).ok().map(|argument| vec![argument]),
    };
    if !literals {
        return CodeActionOrCommand::Command(command);
    }
    CodeActionOrCommand::CodeAction(CodeAction {
        title: offer.title,
        kind: Some(action::kind(offer.action)),
        diagnostics: diagnostic.map(|diagnostic| vec![diagnostic]),
        // Clients that find neither a command nor an edit ask again, and some of them block while they wait.
        command: Some(command),
        disabled: offer.disabled.map(|why| CodeActionDisabled { reason: why.to_string() }),
        ..CodeAction::default()
    })
}
