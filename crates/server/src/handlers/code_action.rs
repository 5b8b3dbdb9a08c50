//! `textDocument/codeAction`: a menu, answered at once; the model is asked only when a command of it is run.

use assist::{Assistant, Diagnostic, Offer, Trigger};
use text::Buffer;
use tower_lsp_server::ls_types::{
    self, CodeAction, CodeActionDisabled, CodeActionOrCommand, CodeActionParams,
    CodeActionResponse, CodeActionTriggerKind, Command,
};
use workspace::{Document, Snapshot};

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
    let at = from::position(params.range.end);
    session.workspace.visit(&id, document.buffer.offset(at, client.encoding));
    let (model, snapshot) =
        (session.model_at(document.path.as_deref()), session.workspace.snapshot());
    // The text may have to be parsed first, and the model opened, which is not for the thread of the session.
    session.work(&session.lanes.quick, move || {
        let menu = model
            .for_request(Trigger::Automatic)
            .map(|assistant| menu(&assistant, &client, &snapshot, &document, &params));
        let _ = reply.send(menu.unwrap_or_default());
    });
}

fn menu(
    assistant: &Assistant,
    client: &ClientFacts,
    snapshot: &Snapshot,
    document: &Document,
    params: &CodeActionParams,
) -> CodeActionResponse {
    let selection = selection(client, &document.buffer, params.range);
    let range = |range: &ls_types::Range| {
        let offset = |at| document.buffer.offset(from::position(at), client.encoding);
        let start = offset(range.start);
        start..offset(range.end).max(start)
    };
    let context = &params.context;
    let diagnostics: Vec<Diagnostic> = context
        .diagnostics
        .iter()
        .map(|it| Diagnostic {
            range: range(&it.range),
            message: it.message.clone(),
            related: Vec::new(),
        })
        .collect();
    // A client that does not say is one that asks when the user does.
    let asked = context.trigger_kind != Some(CodeActionTriggerKind::AUTOMATIC);
    let facts = client.actions;
    assistant
        .offers(snapshot, document, &range(&selection), &diagnostics, asked)
        .into_iter()
        .filter(|offer| action::is_wanted(offer, context.only.as_deref()))
        .filter(|offer| offer.disabled.is_none() || facts.literals && facts.disabled)
        .map(|offer| entry(facts.literals, params, selection, offer))
        .collect()
}

/// What is selected: nothing, where it is only the character below a cursor that is always on one.
fn selection(client: &ClientFacts, buffer: &Buffer, range: ls_types::Range) -> ls_types::Range {
    let offset = |at| buffer.offset(from::position(at), client.encoding);
    let (start, end) = (offset(range.start), offset(range.end));
    if !client.actions.block_cursor || end <= start {
        return range;
    }
    let selected = buffer.slice(start..end);
    if selected.chars().count() == 1 || selected == "\r\n" {
        return ls_types::Range::new(range.start, range.start);
    }
    range
}

fn entry(
    literals: bool,
    params: &CodeActionParams,
    selection: ls_types::Range,
    offer: Offer,
) -> CodeActionOrCommand {
    let diagnostic = offer.diagnostic.and_then(|at| params.context.diagnostics.get(at)).cloned();
    let argument = Argument {
        uri: params.text_document.uri.clone(),
        range: selection,
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tower_lsp_server::ls_types::{InitializeParams, Position, Range};

    use super::*;

    /// Both ranges as start and end, each a line and a column.
    #[track_caller]
    fn check(client: &str, text: &str, given: [u32; 4], expected: [u32; 4]) {
        let params = json!({"capabilities": {}, "clientInfo": {"name": client}});
        let params: InitializeParams = serde_json::from_value(params).unwrap();
        let range = |[line, column, end_line, end_column]: [u32; 4]| {
            Range::new(Position::new(line, column), Position::new(end_line, end_column))
        };
        let found = selection(&from::client_facts(&params), &Buffer::from(text), range(given));
        assert_eq!(found, range(expected));
    }

    #[test]
    fn a_block_cursor_selects_nothing() {
        check("helix", "a🦀b", [0, 1, 0, 3], [0, 1, 0, 1]);
        check("helix", "ab\r\ncd", [0, 2, 1, 0], [0, 2, 0, 2]);
        check("helix", "abc", [0, 0, 0, 2], [0, 0, 0, 2]);
        check("helix", "abc", [0, 3, 0, 3], [0, 3, 0, 3]);
        check("other", "abc", [0, 1, 0, 2], [0, 1, 0, 2]);
    }
}
