//! Every cause of work that reaches the main loop.

use assist::{ActionAnswer, CancelFlag};
use serde_json::Value;
use tokio::sync::oneshot;
use tower_lsp_server::jsonrpc;
use tower_lsp_server::ls_types::{
    CodeActionParams, CodeActionResponse, CompletionList, CompletionParams,
    DidChangeConfigurationParams, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
    DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DidSaveTextDocumentParams, ExecuteCommandParams, InitializeParams, InitializeResult,
    InlineCompletionList, InlineCompletionParams, ProgressParams, ProgressToken, Registration,
    SetTraceParams, ShowMessageParams,
};
use workspace::{DocumentId, Index};

use crate::proto::ext::{
    DocumentState, DocumentStateParams, ExplainParams, Explanation, ShownParams,
};
use crate::proto::from;
use crate::running::Answered;
use crate::working::Started;

/// A request that waits for its one answer; letting go of `reply` unanswered makes it an internal error.
#[derive(Debug)]
pub(crate) struct Request<P, R> {
    pub(crate) params: P,
    /// Raised when the client cancelled the request.
    pub(crate) cancel: CancelFlag,
    pub(crate) reply: oneshot::Sender<R>,
}

/// What the client is to be asked once it may be spoken to.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) registrations: Vec<Registration>,
    pub(crate) configuration: bool,
}

#[derive(Debug)]
pub(crate) enum Event {
    Initialize(Box<Request<InitializeParams, InitializeResult>>),
    Initialized(Request<(), Wanted>),
    /// Answered with whether the client is to be asked for its settings.
    DidChangeConfiguration(Request<DidChangeConfigurationParams, bool>),
    /// The client's settings, as it was asked for them.
    Configured(Value),
    Shutdown(Request<(), ()>),
    DidChangeWorkspaceFolders(DidChangeWorkspaceFoldersParams),
    DidChangeWatchedFiles(DidChangeWatchedFilesParams),
    SetTrace(SetTraceParams),
    /// The client tells that the user sees a suggestion.
    Shown(ShownParams),
    /// The client tells that the user took the last suggestion, or a part of it.
    Accepted,
    DidOpen(DidOpenTextDocumentParams),
    DidChange(DidChangeTextDocumentParams),
    DidClose(DidCloseTextDocumentParams),
    InlineCompletion(Request<InlineCompletionParams, InlineCompletionList>),
    Completion(Request<CompletionParams, CompletionList>),
    DocumentState(Request<DocumentStateParams, Option<DocumentState>>),
    Explain(Request<ExplainParams, Explanation>),
    CodeAction(Request<CodeActionParams, CodeActionResponse>),
    ExecuteCommand(Request<ExecuteCommandParams, jsonrpc::Result<Started>>),
    /// The model is done with the command of this number; `None` when it panicked.
    Acted(u64, Option<Box<ActionAnswer>>),
    /// The user cancelled the work behind a token.
    ProgressCancelled(ProgressToken),
    /// News for the client of the work behind a token.
    Progress(ProgressParams),
    /// Words for the person; by the same way, since Helix clears its line of messages when a progress ends.
    Message(ShowMessageParams),
    /// The assistant is done with the request of this number; `None` when it panicked.
    Finished(u64, Option<Box<Answered>>),
    DidSave(DidSaveTextDocumentParams),
    /// The index of a folder as it now is.
    Indexed(Index),
    /// The client is gone; answered with whether it had asked for `shutdown`.
    End(oneshot::Sender<bool>),
}

impl Event {
    /// The document whose text this event replaces.
    pub(crate) fn changed_document(&self) -> Option<DocumentId> {
        match self {
            Self::DidOpen(params) => Some(from::document_id(&params.text_document.uri)),
            Self::DidChange(params) => Some(from::document_id(&params.text_document.uri)),
            _ => None,
        }
    }
}
