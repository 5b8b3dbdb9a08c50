//! Messages of our own, described in docs/lsp-extensions.md.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tower_lsp_server::ls_types::{
    InlineCompletionTriggerKind, Position, Range, TextDocumentIdentifier,
};

pub(crate) const DOCUMENT_STATE: &str = "dacapo/documentState";
pub(crate) const EXPLAIN: &str = "dacapo/explain";
pub(crate) const STATUS: &str = "dacapo/status";

/// Clients that were written for another completion server listen for another name, and tell of themselves in `editorInfo`.
pub(crate) fn status_method(initialization_options: Option<&Value>) -> &'static str {
    match initialization_options.and_then(|options| options.get("editorInfo")) {
        Some(_) => "didChangeStatus",
        None => STATUS,
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DocumentStateParams {
    pub(crate) text_document: TextDocumentIdentifier,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DocumentState {
    pub(crate) version: i32,
    /// Lower-case hexadecimal, of the text in UTF-8.
    pub(crate) sha256: String,
    pub(crate) lines: usize,
    /// The syntax tree of this version is made, or there is none to make.
    pub(crate) parsed: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainParams {
    pub(crate) text_document: TextDocumentIdentifier,
    pub(crate) position: Position,
    /// Which request to explain; automatic when absent.
    pub(crate) trigger_kind: Option<InlineCompletionTriggerKind>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Explanation {
    pub(crate) suggestion: Option<ExplainedSuggestion>,
    pub(crate) reason: Option<ExplainedReason>,
    /// What the model wrote before it was trimmed.
    pub(crate) raw: String,
    /// As in [`assist::Completion::stopped_by`].
    pub(crate) stopped_by: &'static str,
    pub(crate) pieces: Vec<ExplainedPiece>,
    pub(crate) timings: Option<Timings>,
    pub(crate) prompt_tokens: Option<PromptTokens>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedSuggestion {
    pub(crate) text: String,
    pub(crate) range: Range,
    pub(crate) version: i32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedReason {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExplainedPiece {
    pub(crate) kind: &'static str,
    pub(crate) source: String,
    pub(crate) lines: Option<ExplainedLines>,
    pub(crate) text: String,
    pub(crate) tokens: usize,
    pub(crate) score: Option<f64>,
}

/// Zero-based, the end excluded.
#[derive(Debug, Serialize)]
pub(crate) struct ExplainedLines {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Timings {
    pub(crate) queued_ms: f64,
    pub(crate) prefill_ms: f64,
    pub(crate) decode_ms: f64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PromptTokens {
    pub(crate) new: usize,
    pub(crate) reused: usize,
}

/// Of `textDocument/didShowCompletion`: the item as it was answered.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct ShownParams {
    #[serde(default)]
    pub(crate) item: ShownItem,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownItem {
    insert_text: Option<InsertedText>,
    pub(crate) range: Option<Range>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum InsertedText {
    Plain(String),
    Value { value: String },
}

impl ShownItem {
    pub(crate) fn text(&self) -> Option<&str> {
        match self.insert_text.as_ref()? {
            InsertedText::Plain(text) | InsertedText::Value { value: text } => Some(text),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) busy: bool,
    pub(crate) message: String,
    pub(crate) kind: StatusKind,
    /// Code of the reason why there is nothing to suggest.
    pub(crate) reason: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum StatusKind {
    Normal,
    Inactive,
    Error,
}
