//! `textDocument/inlineCompletion` (LSP 3.18): the suggestion as ghost text.

use assist::Suggestion;
use tokio::sync::oneshot;
use tower_lsp_server::ls_types::{
    InlineCompletionItem, InlineCompletionList, InlineCompletionParams, SelectedCompletionInfo,
};
use workspace::Document;

use crate::event::Request;
use crate::handlers;
use crate::proto::from::ClientFacts;
use crate::proto::{from, to};
use crate::replacement;
use crate::running::Waiting;
use crate::session::Session;

pub(crate) fn handle(
    session: &mut Session,
    request: Request<InlineCompletionParams, InlineCompletionList>,
) {
    let Request { params, cancel, reply } = request;
    let trigger = from::trigger(params.context.trigger_kind);
    let waiting =
        Waiting::InlineCompletion { selected: params.context.selected_completion_info, reply };
    handlers::start(session, &params.text_document_position, trigger, cancel, waiting);
}

pub(crate) fn answer(
    client: &ClientFacts,
    document: &Document,
    caret: usize,
    suggestions: impl Iterator<Item = Suggestion>,
    selected: Option<SelectedCompletionInfo>,
    reply: oneshot::Sender<InlineCompletionList>,
) {
    let items = suggestions
        .filter_map(|suggestion| item(client, document, caret, &suggestion, selected.as_ref()))
        .collect();
    let _ = reply.send(InlineCompletionList { items });
}

pub(crate) fn empty() -> InlineCompletionList {
    InlineCompletionList { items: Vec::new() }
}

/// With `selected`, an item that does not extend the selected one is not shown, so there is none.
fn item(
    client: &ClientFacts,
    document: &Document,
    caret: usize,
    suggestion: &Suggestion,
    selected: Option<&SelectedCompletionInfo>,
) -> Option<InlineCompletionItem> {
    let buffer = &document.buffer;
    let wanted = match selected {
        Some(selected) => {
            let offset = |position| buffer.offset(from::position(position), client.encoding);
            offset(selected.range.start)..offset(selected.range.end)
        }
        None => replacement::typed_part(buffer, caret),
    };
    let replacement = replacement::widen(buffer, suggestion, wanted.clone())?;
    if let Some(selected) = selected
        && (replacement.range != wanted || !replacement.text.starts_with(&selected.text))
    {
        return None;
    }
    // Shown where the text that it replaces is a prefix of this (LSP 3.18, `InlineCompletionItem.filterText`), as what is
    // typed is of a text that goes on from it; a name that replaces another goes on from nothing.
    let typed = buffer.slice(replacement.range.start..caret.max(replacement.range.start));
    let filter_text = match replacement.text.starts_with(&*typed) {
        true => replacement.text.clone(),
        false => buffer.slice(replacement.range.clone()).into_owned(),
    };
    Some(InlineCompletionItem {
        filter_text: Some(filter_text),
        insert_text: replacement.text,
        range: Some(to::range(buffer, client.encoding, &replacement.range)),
        command: None,
        insert_text_format: None,
    })
}
