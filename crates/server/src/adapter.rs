//! The framework's handlers: each sends one event before it awaits anything, so events keep the order of the messages.

use assist::CancelFlag;
use tokio::sync::oneshot;
use tower_lsp_server::ls_types::{
    CodeActionParams, CodeActionResponse, CompletionParams, CompletionResponse, ConfigurationItem,
    DidChangeConfigurationParams, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
    DidChangeWorkspaceFoldersParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams,
    DidSaveTextDocumentParams, ExecuteCommandParams, InitializeParams, InitializeResult,
    InitializedParams, InlineCompletionList, InlineCompletionParams, LSPAny, SetTraceParams,
    WillSaveTextDocumentParams, WorkDoneProgressCancelParams,
};
use tower_lsp_server::{Client, LanguageServer, jsonrpc};

use crate::command;
use crate::event::{Event, Request};
use crate::proto::ext::{
    DocumentState, DocumentStateParams, ExplainParams, Explanation, ShownParams,
};
use crate::queue::Events;
use crate::scratch::Scratch;

#[derive(Debug)]
pub(crate) struct Adapter {
    events: Events,
    client: Client,
    scratch: Scratch,
}

/// Raises the flag when the request's future is dropped, which is how the framework cancels.
struct CancelOnDrop(CancelFlag);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.raise();
    }
}

impl Adapter {
    pub(crate) fn new(events: Events, client: Client) -> Self {
        Self { events, client, scratch: Scratch::default() }
    }

    pub(crate) async fn inline_completion(
        &self,
        params: InlineCompletionParams,
    ) -> jsonrpc::Result<InlineCompletionList> {
        self.ask(params, Event::InlineCompletion).await
    }

    /// `null` for a document that is not open.
    pub(crate) async fn document_state(
        &self,
        params: DocumentStateParams,
    ) -> jsonrpc::Result<Option<DocumentState>> {
        self.ask(params, Event::DocumentState).await
    }

    pub(crate) async fn explain(&self, params: ExplainParams) -> jsonrpc::Result<Explanation> {
        self.ask(params, Event::Explain).await
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) async fn set_trace(&self, params: SetTraceParams) {
        self.send(Event::SetTrace(params));
    }

    pub(crate) async fn did_show_completion(&self, params: ShownParams) {
        self.send(Event::Shown(params));
    }

    pub(crate) async fn did_partially_accept_completion(&self, _: serde_json::Value) {
        self.send(Event::Accepted);
    }

    /// `window/workDoneProgress/cancel`, which the framework does not know.
    pub(crate) async fn cancel_progress(&self, params: WorkDoneProgressCancelParams) {
        self.send(Event::ProgressCancelled(params.token));
    }

    /// Sends the event at the first poll, then waits for the one answer.
    async fn ask<P, R>(
        &self,
        params: P,
        event: impl FnOnce(Request<P, R>) -> Event,
    ) -> jsonrpc::Result<R> {
        let (reply, answer) = oneshot::channel();
        let guard = CancelOnDrop(CancelFlag::default());
        self.send(event(Request { params, cancel: guard.0.clone(), reply }));
        answer.await.map_err(|_| jsonrpc::Error::internal_error())
    }

    /// Asks the client for its settings (LSP 3.17, `workspace/configuration`).
    async fn pull_configuration(&self) {
        let item = ConfigurationItem { scope_uri: None, section: Some("dacapo".into()) };
        match self.client.configuration(vec![item]).await {
            Ok(values) => {
                self.send(Event::Configured(values.into_iter().next().unwrap_or_default()));
            }
            Err(error) => tracing::warn!(%error, "the client did not give its settings"),
        }
    }

    fn send(&self, event: Event) {
        self.events.send(event);
    }
}

impl LanguageServer for Adapter {
    async fn initialize(&self, params: InitializeParams) -> jsonrpc::Result<InitializeResult> {
        self.ask(params, |request| Event::Initialize(Box::new(request))).await
    }

    async fn initialized(&self, _: InitializedParams) {
        let Ok(wanted) = self.ask((), Event::Initialized).await else {
            return;
        };
        if wanted.configuration {
            self.pull_configuration().await;
        }
        if wanted.registrations.is_empty() {
            return;
        }
        if let Err(error) = self.client.register_capability(wanted.registrations).await {
            tracing::warn!(%error, "the client refused a registration");
        }
    }

    async fn did_change_configuration(&self, params: DidChangeConfigurationParams) {
        if let Ok(true) = self.ask(params, Event::DidChangeConfiguration).await {
            self.pull_configuration().await;
        }
    }

    async fn shutdown(&self) -> jsonrpc::Result<()> {
        self.ask((), Event::Shutdown).await
    }

    async fn did_change_workspace_folders(&self, params: DidChangeWorkspaceFoldersParams) {
        self.send(Event::DidChangeWorkspaceFolders(params));
    }

    async fn did_change_watched_files(&self, params: DidChangeWatchedFilesParams) {
        self.send(Event::DidChangeWatchedFiles(params));
    }

    async fn did_open(&self, params: DidOpenTextDocumentParams) {
        self.send(Event::DidOpen(params));
    }

    async fn did_change(&self, params: DidChangeTextDocumentParams) {
        self.send(Event::DidChange(params));
    }

    async fn did_close(&self, params: DidCloseTextDocumentParams) {
        self.send(Event::DidClose(params));
    }

    async fn did_save(&self, params: DidSaveTextDocumentParams) {
        self.send(Event::DidSave(params));
    }

    // It changes nothing; the method is here because the framework's own complains in the log.
    async fn will_save(&self, _: WillSaveTextDocumentParams) {}

    async fn code_action(
        &self,
        params: CodeActionParams,
    ) -> jsonrpc::Result<Option<CodeActionResponse>> {
        self.ask(params, Event::CodeAction).await.map(Some)
    }

    async fn execute_command(
        &self,
        params: ExecuteCommandParams,
    ) -> jsonrpc::Result<Option<LSPAny>> {
        let (reply, answer) = oneshot::channel();
        // Kept to the end: until the client has the edit, it may still cancel.
        let guard = CancelOnDrop(CancelFlag::default());
        self.send(Event::ExecuteCommand(Request { params, cancel: guard.0.clone(), reply }));
        let started = answer.await.map_err(|_| jsonrpc::Error::internal_error())??;
        let result = command::run(&self.client, &self.events, &self.scratch, started).await;
        Ok(serde_json::to_value(result).ok())
    }

    async fn completion(
        &self,
        params: CompletionParams,
    ) -> jsonrpc::Result<Option<CompletionResponse>> {
        self.ask(params, Event::Completion).await.map(|list| Some(CompletionResponse::List(list)))
    }
}
