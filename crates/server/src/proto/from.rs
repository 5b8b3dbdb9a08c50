//! From the wire's types to ours.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assist::Trigger;
use text::Encoding;
use tower_lsp_server::ls_types::{
    ClientCapabilities, InitializeParams, InlineCompletionTriggerKind, InsertTextMode, MarkupKind,
    Position, PositionEncodingKind, TextDocumentContentChangeEvent, Uri, WorkspaceFolder,
};
use workspace::{Change, DocumentId, Language};

use crate::proto::action::{ActionFacts, action_facts};

/// What the client told about itself at `initialize`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientFacts {
    pub(crate) encoding: Encoding,
    /// Registers `textDocument/inlineCompletion` when asked to, so it is not announced beforehand.
    pub(crate) registers_inline_completion: bool,
    pub(crate) markdown_documentation: bool,
    pub(crate) insert_as_is: bool,
    pub(crate) actions: ActionFacts,
    /// Answers `workspace/configuration`.
    pub(crate) pulls_configuration: bool,
    /// Sends `workspace/didChangeConfiguration` when asked to.
    pub(crate) registers_configuration: bool,
    /// Watches files when asked to.
    pub(crate) registers_watchers: bool,
    /// Shows progress that the server begins.
    pub(crate) shows_progress: bool,
}

pub(crate) fn client_facts(params: &InitializeParams) -> ClientFacts {
    let text_document = params.capabilities.text_document.as_ref();
    let workspace = params.capabilities.workspace.as_ref();
    let item = text_document
        .and_then(|it| it.completion.as_ref())
        .and_then(|it| it.completion_item.as_ref());
    ClientFacts {
        encoding: encoding(&params.capabilities),
        registers_inline_completion: text_document
            .and_then(|it| it.inline_completion.as_ref())
            .and_then(|it| it.dynamic_registration)
            .unwrap_or(false),
        markdown_documentation: item
            .and_then(|it| it.documentation_format.as_ref())
            .is_some_and(|formats| formats.contains(&MarkupKind::Markdown)),
        insert_as_is: item
            .and_then(|it| it.insert_text_mode_support.as_ref())
            .is_some_and(|support| support.value_set.contains(&InsertTextMode::AS_IS)),
        actions: action_facts(params),
        pulls_configuration: workspace.and_then(|it| it.configuration).unwrap_or(false),
        registers_configuration: workspace
            .and_then(|it| it.did_change_configuration.as_ref())
            .and_then(|it| it.dynamic_registration)
            .unwrap_or(false),
        registers_watchers: workspace
            .and_then(|it| it.did_change_watched_files.as_ref())
            .and_then(|it| it.dynamic_registration)
            .unwrap_or(false),
        shows_progress: params
            .capabilities
            .window
            .as_ref()
            .and_then(|it| it.work_done_progress)
            .unwrap_or(false),
    }
}

/// UTF-8 where offered because buffers are UTF-8; UTF-16 where nothing is offered (LSP 3.17, `PositionEncodingKind`).
fn encoding(capabilities: &ClientCapabilities) -> Encoding {
    let offered = capabilities
        .general
        .as_ref()
        .and_then(|it| it.position_encodings.as_deref())
        .unwrap_or_default();
    match offered {
        _ if offered.contains(&PositionEncodingKind::UTF8) => Encoding::Utf8,
        [] => Encoding::Utf16,
        _ if offered.contains(&PositionEncodingKind::UTF16) => Encoding::Utf16,
        _ if offered.contains(&PositionEncodingKind::UTF32) => Encoding::Utf32,
        _ => Encoding::Utf16,
    }
}

/// Folders that the client works in; empty for a client without any.
#[expect(deprecated, reason = "clients from before workspace folders send these fields alone")]
pub(crate) fn roots(params: &InitializeParams) -> Vec<PathBuf> {
    let folders = folders(params.workspace_folders.as_deref().unwrap_or_default());
    if !folders.is_empty() {
        return folders;
    }
    params
        .root_uri
        .as_ref()
        .and_then(path)
        .or_else(|| params.root_path.as_ref().map(PathBuf::from))
        .into_iter()
        .collect()
}

pub(crate) fn folders(folders: &[WorkspaceFolder]) -> Vec<PathBuf> {
    folders.iter().filter_map(|folder| path(&folder.uri)).collect()
}

pub(crate) fn document_id(uri: &Uri) -> DocumentId {
    DocumentId(Arc::from(uri.as_str()))
}

/// `None` for a document that is on no disk.
pub(crate) fn path(uri: &Uri) -> Option<PathBuf> {
    if !uri.scheme().as_str().eq_ignore_ascii_case("file") {
        return None;
    }
    uri.to_file_path().map(|path| path.into_owned())
}

pub(crate) fn language(language_id: &str, path: Option<&Path>) -> Option<Language> {
    Language::from_lsp_id(language_id).or_else(|| path.and_then(Language::from_path))
}

pub(crate) fn position(position: Position) -> text::Position {
    text::Position { line: position.line, column: position.character }
}

pub(crate) fn change(change: TextDocumentContentChangeEvent) -> Change {
    match change.range {
        Some(range) => Change::Range {
            start: position(range.start),
            end: position(range.end),
            text: change.text,
        },
        None => Change::Full(change.text),
    }
}

pub(crate) fn trigger(kind: InlineCompletionTriggerKind) -> Trigger {
    match kind {
        InlineCompletionTriggerKind::INVOKED => Trigger::Invoked,
        _ => Trigger::Automatic,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn facts(params: serde_json::Value) -> ClientFacts {
        client_facts(&serde_json::from_value(params).unwrap())
    }

    #[track_caller]
    fn check_encoding(offered: serde_json::Value, expected: Encoding) {
        let params = json!({"capabilities": {"general": {"positionEncodings": offered}}});
        assert_eq!(facts(params).encoding, expected);
    }

    #[test]
    fn encodings_are_negotiated() {
        check_encoding(json!(["utf-16", "utf-8"]), Encoding::Utf8);
        check_encoding(json!(["utf-32", "utf-16"]), Encoding::Utf16);
        check_encoding(json!(["utf-32"]), Encoding::Utf32);
        check_encoding(json!(["utf-7"]), Encoding::Utf16);
        check_encoding(json!([]), Encoding::Utf16);
        assert_eq!(facts(json!({"capabilities": {}})).encoding, Encoding::Utf16);
    }

    #[track_caller]
    fn check_path(uri: &str, expected: Option<&str>) {
        assert_eq!(path(&uri.parse().unwrap()), expected.map(PathBuf::from));
    }

    #[test]
    fn only_files_have_a_path() {
        check_path("file:///a%20b/%D1%84.rs", Some("/a b/ф.rs"));
        check_path("FILE:///a.rs", Some("/a.rs"));
        check_path("untitled:Untitled-1", None);
        check_path("vscode-notebook-cell:/a.ipynb#W0", None);
    }

    #[test]
    fn roots_come_from_the_newest_field_that_is_there() {
        let roots = |params| roots(&serde_json::from_value(params).unwrap());
        let folders = json!([{"uri": "file:///a", "name": "a"}, {"uri": "file:///b", "name": "b"}]);
        assert_eq!(
            roots(json!({"capabilities": {}, "rootUri": "file:///c", "workspaceFolders": folders})),
            [PathBuf::from("/a"), PathBuf::from("/b")]
        );
        assert_eq!(
            roots(json!({"capabilities": {}, "rootUri": "file:///c", "rootPath": "/d"})),
            [PathBuf::from("/c")]
        );
        assert_eq!(
            roots(json!({"capabilities": {}, "rootUri": null, "rootPath": "/d"})),
            [PathBuf::from("/d")]
        );
        assert!(roots(json!({"capabilities": {}, "rootUri": null})).is_empty());
    }
}
