//! `initialize`: what the client can do, and what this server offers it.

use tower_lsp_server::ls_types::{
    CodeActionOptions, CodeActionProviderCapability, CompletionOptions, ExecuteCommandOptions,
    InitializeParams, InitializeResult, InlineCompletionOptions, OneOf, ServerCapabilities,
    ServerInfo, TextDocumentSyncCapability, TextDocumentSyncKind, TextDocumentSyncOptions,
    TextDocumentSyncSaveOptions, TraceValue, WorkDoneProgressOptions,
    WorkspaceFoldersServerCapabilities, WorkspaceServerCapabilities,
};
use workspace::Workspace;

use crate::event::Request;
use crate::proto::from::ClientFacts;
use crate::proto::{action, ext, from, to};
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, request: Request<InitializeParams, InitializeResult>) {
    session.client = from::client_facts(&request.params);
    session.workspace = Workspace::new(from::roots(&request.params));
    session.trace = request.params.trace.unwrap_or(TraceValue::Off);
    if let (Some(way), Some(id)) = (session.ways.process_id.take(), request.params.process_id) {
        let _ = way.send(id);
    }
    let options = request.params.initialization_options;
    session.status_method = ext::status_method(options.as_ref());
    session.settings.set_initialization(options);
    let client = request.params.client_info.as_ref();
    let folders = session.workspace.roots().to_vec();
    session.counted.introduce(client.map(|it| it.name.clone()), folders);
    tracing::info!(
        client = client.map(|it| it.name.as_str()),
        version = client.and_then(|it| it.version.as_deref()),
        encoding = ?session.client.encoding,
        "initialize"
    );
    let result = InitializeResult {
        capabilities: capabilities(&session.client),
        server_info: Some(ServerInfo {
            name: "dacapo".into(),
            version: Some(env!("CARGO_PKG_VERSION").into()),
        }),
        offset_encoding: None,
    };
    let _ = request.reply.send(result);
}

fn capabilities(client: &ClientFacts) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(to::position_encoding(client.encoding)),
        text_document_sync: Some(TextDocumentSyncCapability::Options(TextDocumentSyncOptions {
            open_close: Some(true),
            change: Some(TextDocumentSyncKind::INCREMENTAL),
            save: Some(TextDocumentSyncSaveOptions::Supported(true)),
            ..TextDocumentSyncOptions::default()
        })),
        workspace: Some(WorkspaceServerCapabilities {
            workspace_folders: Some(WorkspaceFoldersServerCapabilities {
                supported: Some(true),
                change_notifications: Some(OneOf::Left(true)),
            }),
            file_operations: None,
        }),
        code_action_provider: client.actions.applies_edits.then(|| {
            CodeActionProviderCapability::Options(CodeActionOptions {
                code_action_kinds: Some(action::kinds()),
                resolve_provider: Some(false),
                ..CodeActionOptions::default()
            })
        }),
        execute_command_provider: client.actions.applies_edits.then(|| ExecuteCommandOptions {
            commands: action::commands(),
            work_done_progress_options: WorkDoneProgressOptions { work_done_progress: Some(true) },
        }),
        completion_provider: Some(CompletionOptions::default()),
        inline_completion_provider: match client.registers_inline_completion {
            true => None,
            false => Some(OneOf::Right(InlineCompletionOptions::default())),
        },
        ..ServerCapabilities::default()
    }
}
