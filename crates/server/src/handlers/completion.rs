//! `textDocument/completion`: the same suggestion as an item of the menu, for editors without inline completion.

use assist::{Completion, Suggestion, Trigger};
use tokio::sync::oneshot;
use tower_lsp_server::ls_types::{
    CompletionItem, CompletionItemKind, CompletionList, CompletionParams, CompletionTextEdit,
    Documentation, InsertTextFormat, InsertTextMode, MarkupContent, MarkupKind, TextEdit,
};
use workspace::Document;

use crate::event::Request;
use crate::handlers;
use crate::proto::from::ClientFacts;
use crate::proto::to;
use crate::replacement;
use crate::running::Waiting;
use crate::session::Session;

/// Characters of a label; editors give a menu no more room than this.
const MAX_LABEL: usize = 60;

pub(crate) fn handle(session: &mut Session, request: Request<CompletionParams, CompletionList>) {
    let Request { params, cancel, reply } = request;
    // Editors say "invoked" while the user types too (LSP 3.17, `CompletionTriggerKind`), so it tells nothing.
    let trigger = Trigger::Automatic;
    handlers::start(
        session,
        &params.text_document_position,
        trigger,
        cancel,
        Waiting::Completion { reply },
    );
}

pub(crate) fn answer(
    client: &ClientFacts,
    document: &Document,
    caret: usize,
    completion: Completion,
    reply: oneshot::Sender<CompletionList>,
) {
    let items = completion
        .suggestion
        .ok()
        .and_then(|suggestion| item(client, document, caret, &suggestion))
        .into_iter()
        .collect();
    let _ = reply.send(CompletionList { items, ..empty() });
}

/// Always incomplete: the next character may make another suggestion right.
pub(crate) fn empty() -> CompletionList {
    CompletionList { is_incomplete: true, ..CompletionList::default() }
}

fn item(
    client: &ClientFacts,
    document: &Document,
    caret: usize,
    suggestion: &Suggestion,
) -> Option<CompletionItem> {
    let word = replacement::word(&document.buffer, caret);
    let typed_word = document.buffer.slice(word.clone()).into_owned();
    let replacement = replacement::widen(&document.buffer, suggestion, word)?;
    let range = to::range(&document.buffer, client.encoding, &replacement.range);
    Some(CompletionItem {
        label: label(&replacement.text),
        kind: Some(CompletionItemKind::TEXT),
        detail: Some("dacapo".into()),
        documentation: Some(documentation(client, document, &replacement.text)),
        // Sorts before what other servers offer for the same word.
        sort_text: Some("0".into()),
        // An empty one would count as absent in some editors and as "never matches" in others.
        filter_text: (!typed_word.is_empty()).then_some(typed_word),
        insert_text_format: Some(InsertTextFormat::PLAIN_TEXT),
        insert_text_mode: client.insert_as_is.then_some(InsertTextMode::AS_IS),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit { range, new_text: replacement.text })),
        ..CompletionItem::default()
    })
}

/// First line that is not blank, cut to [`MAX_LABEL`] characters.
fn label(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("whitespace");
    match line.char_indices().nth(MAX_LABEL) {
        Some(_) => line.chars().take(MAX_LABEL - 1).chain(['…']).collect(),
        None => line.into(),
    }
}

fn documentation(client: &ClientFacts, document: &Document, text: &str) -> Documentation {
    if !client.markdown_documentation {
        return Documentation::String(text.into());
    }
    let longest_run = text.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(3.max(longest_run + 1));
    let language =
        document.language.map(|language| language.name().to_lowercase()).unwrap_or_default();
    let value = format!("{fence}{language}\n{}\n{fence}", text.trim_end_matches(['\r', '\n']));
    Documentation::MarkupContent(MarkupContent { kind: MarkupKind::Markdown, value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_one_short_line() {
        assert_eq!(label("\n\n    foo(bar)\n    baz"), "foo(bar)");
        assert_eq!(label("   \n"), "whitespace");
        assert_eq!(label(&"é".repeat(60)), "é".repeat(60));
        assert_eq!(label(&"é".repeat(61)), format!("{}…", "é".repeat(59)));
    }
}
