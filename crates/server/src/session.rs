//! The state of one client's session. The main loop owns it and is its only writer.

use std::collections::HashMap;
use std::iter;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use assist::{CancelFlag, Reason, Status as EngineStatus};
use serde::Serialize;
use tokio::runtime;
use tokio::sync::oneshot;
use tower_lsp_server::Client;
use tower_lsp_server::ls_types::{InitializeParams, TraceValue};
use workspace::{DocumentId, Workspace};

use crate::config::Config;
use crate::figures::Counted;
use crate::indexes::Subscription;
use crate::models::{Limits, SessionModel};
use crate::outgoing::Outgoing;
use crate::progress;
use crate::proto::ext;
use crate::proto::from::{self, ClientFacts};
use crate::queue::Events;
use crate::running::Table;
use crate::settings::Settings;
use crate::shown::Shown;
use crate::typing::Typing;
use crate::workers::{Lanes, Workers};
use crate::working::Commands;
use crate::{Host, Options};

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
    /// Of the first folder; the client is told of its state.
    pub(crate) model: SessionModel,
    /// Of the folders whose settings say otherwise, from the first time that they are asked.
    pub(crate) other_models: Vec<SessionModel>,
    pub(crate) host: Arc<Host>,
    pub(crate) counted: Counted,
    pub(crate) settings: Settings,
    pub(crate) workspace: Workspace,
    /// Written by `initialize`.
    pub(crate) client: ClientFacts,
    pub(crate) running: Table,
    pub(crate) commands: Commands,
    pub(crate) shutdown_received: bool,
    /// Why the last completion was empty; `None` when it was not.
    pub(crate) last_reason: Option<NoAnswer>,
    /// What the client calls the languages of its open documents.
    pub(crate) language_ids: HashMap<DocumentId, String>,
    /// What the client was told last; `None` before `initialized`, when it may not be told anything.
    pub(crate) shown_status: Option<ext::Status>,
    /// Model load is shown to the client at this moment.
    pub(crate) shows_progress: Arc<AtomicBool>,
    pub(crate) trace: TraceValue,
    /// What the client calls status notifications.
    pub(crate) status_method: &'static str,
    pub(crate) typing: Typing,
    pub(crate) shown: Option<Shown>,
    /// The client tells of each suggestion that it shows.
    pub(crate) tells_what_is_shown: bool,
    /// Raised to end what the model does ahead of any request: the warm-up or the look-ahead that may be at work.
    pub(crate) ahead: CancelFlag,
    /// Of the folders of the workspace.
    pub(crate) indexes: Vec<Subscription>,
    pub(crate) last_scan: Option<Instant>,
    pub(crate) ways: Ways,
    pub(crate) lanes: Lanes,
}

/// Ways out of the main loop.
#[derive(Debug)]
pub(crate) struct Ways {
    /// Back into it, for work done elsewhere.
    pub(crate) events: Events,
    pub(crate) outgoing: Outgoing,
    /// For requests to the client.
    pub(crate) client: Client,
    /// The transport ends the session with that process.
    pub(crate) process_id: Option<oneshot::Sender<u32>>,
    /// Where work that waits or takes long is done.
    pub(crate) runtime: runtime::Handle,
}

impl Session {
    pub(crate) fn new(host: &Arc<Host>, options: Options, ways: Ways) -> Self {
        let settings = Settings::new(options);
        Self {
            model: model(host, settings.session()),
            other_models: Vec::new(),
            host: Arc::clone(host),
            counted: host.figures.count(),
            settings,
            workspace: Workspace::new(Vec::new()),
            client: from::client_facts(&InitializeParams::default()),
            running: Table::default(),
            commands: Commands::default(),
            shutdown_received: false,
            last_reason: None,
            language_ids: HashMap::new(),
            shown_status: None,
            shows_progress: Arc::default(),
            trace: TraceValue::Off,
            status_method: ext::STATUS,
            typing: Typing::default(),
            shown: None,
            tells_what_is_shown: false,
            ahead: CancelFlag::default(),
            indexes: Vec::new(),
            last_scan: None,
            ways,
            lanes: Lanes::default(),
        }
    }

    /// Takes the model and the limits that the settings name; what is the same stays, with its memory of suggestions.
    pub(crate) fn choose_model(&mut self) {
        let config = self.settings.session();
        if !self.model.is(&config.model.name, limits(config)) {
            self.model = model(&self.host, config);
        }
        self.other_models.clear();
    }

    /// The model and the limits for a document: those of its folder.
    pub(crate) fn model_at(&mut self, path: Option<&Path>) -> SessionModel {
        let scope = Arc::clone(self.settings.at(path));
        let (name, limits) = (&scope.config.model.name, limits(&scope.config));
        let mut known = iter::once(&self.model).chain(&self.other_models);
        if let Some(known) = known.find(|known| known.is(name, limits)) {
            return known.clone();
        }
        let model = model(&self.host, &scope.config);
        self.other_models.push(model.clone());
        model
    }

    /// Has the weights of a model read; returns at once.
    pub(crate) fn preload(&self, model: SessionModel) {
        if !matches!(model.status(), EngineStatus::Unloaded) {
            return;
        }
        if !model.preload_at_hand() {
            self.work(&self.lanes.slow, move || model.preload());
        }
        progress::show_load(self);
    }

    /// Sends a notification; a client that has gone away does not mind.
    pub(crate) fn notify(&self, method: &'static str, params: impl Serialize) {
        self.ways.outgoing.notify(method, params);
    }

    /// Does work on a thread of its own.
    pub(crate) fn work(&self, workers: &Workers, work: impl FnOnce() + Send + 'static) {
        let workers = workers.clone();
        self.ways.runtime.spawn(async move { workers.run(work).await });
    }
}

fn model(host: &Host, config: &Config) -> SessionModel {
    SessionModel::new(Arc::clone(&host.pool), config.model.name.clone(), limits(config))
}

fn limits(config: &Config) -> Limits {
    Limits {
        max_tokens: config.completion.max_tokens as usize,
        n_prompt: config.completion.max_prompt_tokens as usize,
        min_confidence: config.completion.min_confidence as f32,
    }
}
