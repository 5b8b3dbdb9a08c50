//! The state of one client's session. The main loop owns it and is its only writer.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use assist::Reason;
use futures::channel::mpsc::UnboundedSender;
use serde::Serialize;
use serde_json::Value;
use text::Encoding;
use tokio::runtime;
use tower_lsp_server::jsonrpc;
use workspace::{DocumentId, Workspace};

use crate::config::Config;
use crate::event::Event;
use crate::figures::Counted;
use crate::models::{Limits, SessionModel};
use crate::proto::ext;
use crate::proto::from::ClientFacts;
use crate::running::Table;
use crate::settings::Settings;
use crate::{Host, Options};

/// A message to the client.
#[derive(Debug)]
pub(crate) enum Message {
    /// A request or a notification.
    Request(jsonrpc::Request),
    Response(jsonrpc::Response),
}

/// Why an answer is empty: a code for machines and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoAnswer {
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

impl NoAnswer {
    pub(crate) fn new(code: &'static str, message: &str) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<&Reason> for NoAnswer {
    fn from(reason: &Reason) -> Self {
        Self { code: reason.code(), message: reason.to_string() }
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) model: SessionModel,
    pub(crate) host: Arc<Host>,
    pub(crate) counted: Counted,
    pub(crate) settings: Settings,
    pub(crate) workspace: Workspace,
    /// Written by `initialize`.
    pub(crate) client: ClientFacts,
    pub(crate) running: Table,
    pub(crate) shutdown_received: bool,
    /// Why the last completion was empty; `None` when it was not.
    pub(crate) last_reason: Option<NoAnswer>,
    /// What the client calls the languages of its open documents.
    pub(crate) language_ids: HashMap<DocumentId, String>,
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
        host: &Arc<Host>,
        options: Options,
        events: Sender<Event>,
        outgoing: UnboundedSender<Message>,
        runtime: runtime::Handle,
    ) -> Self {
        let settings = Settings::new(options);
        Self {
            model: model(host, settings.session()),
            host: Arc::clone(host),
            counted: host.figures.count(),
            settings,
            workspace: Workspace::new(Vec::new()),
            client: ClientFacts {
                encoding: Encoding::Utf16,
                registers_inline_completion: false,
                markdown_documentation: false,
                insert_as_is: false,
                pulls_configuration: false,
                registers_configuration: false,
            },
            running: Table::default(),
            shutdown_received: false,
            last_reason: None,
            language_ids: HashMap::new(),
            load_requested: false,
            shown_status: None,
            events,
            outgoing,
            runtime,
        }
    }

    /// Takes the model and the limits that the settings name; what is the same stays, with its memory of suggestions.
    pub(crate) fn choose_model(&mut self) {
        let config = self.settings.session();
        if !self.model.is(&config.model.name, limits(config)) {
            self.model = model(&self.host, config);
            self.load_requested = false;
        }
    }

    /// Has the weights read; returns at once.
    pub(crate) fn preload(&mut self) {
        if self.load_requested {
            return;
        }
        self.load_requested = true;
        let model = self.model.clone();
        self.runtime.spawn_blocking(move || model.preload());
    }

    /// Sends a notification; a client that has gone away does not mind.
    pub(crate) fn notify(&self, method: &'static str, params: impl Serialize) {
        let params = serde_json::to_value(params).unwrap_or(Value::Null);
        let notification = jsonrpc::Request::build(method).params(params).finish();
        let _ = self.outgoing.unbounded_send(Message::Request(notification));
    }
}

fn model(host: &Host, config: &Config) -> SessionModel {
    SessionModel::new(Arc::clone(&host.pool), config.model.name.clone(), limits(config))
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_tokens: config.completion.max_tokens as usize,
        n_prompt: config.completion.max_prompt_tokens as usize,
    }
}
