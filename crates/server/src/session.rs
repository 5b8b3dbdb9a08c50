//! The state of one client's session. The main loop owns it and is its only writer.

use std::sync::mpsc::Sender;

use assist::{Assistant, Reason};
use futures::channel::mpsc::UnboundedSender;
use text::Encoding;
use tokio::runtime;
use tower_lsp_server::jsonrpc;
use workspace::Workspace;

use crate::Options;
use crate::event::Event;
use crate::proto::ext;
use crate::proto::from::ClientFacts;
use crate::running::Table;

/// A message to the client.
#[derive(Debug)]
pub(crate) enum Message {
    /// A request or a notification.
    Request(jsonrpc::Request),
    Response(jsonrpc::Response),
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) assistant: Assistant,
    pub(crate) options: Options,
    pub(crate) workspace: Workspace,
    /// Written by `initialize`.
    pub(crate) client: ClientFacts,
    pub(crate) running: Table,
    pub(crate) shutdown_received: bool,
    /// Why the last completion was empty; `None` when it was not.
    pub(crate) last_reason: Option<Reason>,
    /// The engine has been given cause to read its weights.
    pub(crate) load_requested: bool,
    /// What the client was told last; `None` before `initialized`, when it may not be told anything.
    pub(crate) shown_status: Option<ext::Status>,
    /// Back into the main loop, for work done elsewhere.
    pub(crate) events: Sender<Event>,
    pub(crate) outgoing: UnboundedSender<Message>,
    /// Where work that waits or takes long is done.
    pub(crate) runtime: runtime::Handle,
}

impl Session {
    pub(crate) fn new(
        assistant: Assistant,
        options: Options,
        events: Sender<Event>,
        outgoing: UnboundedSender<Message>,
        runtime: runtime::Handle,
    ) -> Self {
        Self {
            assistant,
            options,
            workspace: Workspace::new(Vec::new()),
            client: ClientFacts {
                encoding: Encoding::Utf16,
                registers_inline_completion: false,
                markdown_documentation: false,
                insert_as_is: false,
                wants_status: false,
            },
            running: Table::default(),
            shutdown_received: false,
            last_reason: None,
            load_requested: false,
            shown_status: None,
            events,
            outgoing,
            runtime,
        }
    }
}
