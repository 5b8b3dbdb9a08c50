//! Language Server Protocol: the only room that knows the wire.
//!
//! Modules stand in reading order: each imports only from those above it.

mod adapter;
mod ahead;
mod asking;
mod command;
pub mod config;
#[cfg(unix)]
pub mod daemon;
mod event;
mod figures;
mod frame;
mod gauge;
mod handlers;
mod host;
mod indexes;
mod main_loop;
mod models;
mod outgoing;
mod progress;
mod proto;
mod queue;
mod replacement;
mod running;
mod scratch;
mod session;
mod settings;
mod shown;
mod status;
mod times;
mod transport;
mod typing;
mod watch;
mod workers;
mod working;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime;
use tokio::sync::oneshot;
use tower_lsp_server::LspService;
use workspace::Exclusion;

use crate::adapter::Adapter;
use crate::config::{Layer, Source};
use crate::proto::ext;
use crate::session::{Session, Ways};
use crate::settings::Settings;

pub use crate::figures::{LatencyReport, SessionReport};
pub use crate::host::Host;
pub use crate::indexes::IndexReport;
pub use crate::models::Models;
pub use crate::times::TimesReport;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot start the thread that owns the session: {0}")]
    Thread(#[from] std::io::Error),
}

/// What a session knows before its client says anything.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The user's configuration file, whether it exists or not.
    pub user_file: Option<PathBuf>,
    /// Settings that were given as flags, as an object; they win over all others.
    pub command_line: serde_json::Value,
}

impl Options {
    /// The settings that hold before an editor says anything, in a workspace folder or outside of any.
    pub fn resolve(&self, folder: Option<&Path>) -> config::Resolved {
        let command_line = Layer { source: Source::CommandLine, values: self.command_line.clone() };
        let user = self.user_file.as_deref().map(config::read_user_file).transpose();
        let workspace = folder.map(config::read_workspace_file).transpose();
        let mut layers = vec![command_line];
        let mut problems = Vec::new();
        for read in [user, workspace] {
            match read {
                Ok(layer) => layers.extend(layer.flatten()),
                Err(problem) => problems.push(problem),
            }
        }
        let mut resolved = match folder {
            Some(folder) => config::resolve_in(folder, &layers),
            None => config::resolve(&layers),
        };
        resolved.problems.extend(problems);
        resolved
    }

    /// What `context.exclude` says of files before an editor says anything.
    pub fn exclusion(&self, folder: &Path) -> Exclusion {
        let mut settings = Settings::new(self.clone());
        settings.reload(&[folder.to_owned()]);
        settings.exclusion()
    }
}

/// How a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The client sent `shutdown` before it left.
    pub after_shutdown: bool,
}

impl Ended {
    /// Exit status of a process that served this one client (LSP 3.17, `exit`).
    pub fn exit_code(self) -> u8 {
        match self.after_shutdown {
            true => 0,
            false => 1,
        }
    }
}

/// Serves one client until it sends `exit`, closes `input`, or no longer takes `output`.
///
/// Must run on a tokio runtime; requests wait for the model on its blocking threads.
/// A process that passes its own stdin should exit when this returns: tokio cannot interrupt a read of stdin.
pub async fn serve<I, O>(
    input: I,
    output: O,
    host: Arc<Host>,
    options: Options,
) -> Result<Ended, Error>
where
    I: AsyncRead + Unpin,
    O: AsyncWrite + Unpin,
{
    let (outgoing, messages) = outgoing::channel();
    let (events, queue) = queue::channel();
    let (process_id, client_process) = oneshot::channel();
    let (service, socket) = LspService::build(|client| Adapter::new(events.clone(), client))
        .custom_method("$/setTrace", Adapter::set_trace)
        .custom_method("textDocument/didShowCompletion", Adapter::did_show_completion)
        .custom_method(
            "textDocument/didPartiallyAcceptCompletion",
            Adapter::did_partially_accept_completion,
        )
        .custom_method("textDocument/inlineCompletion", Adapter::inline_completion)
        .custom_method(ext::DOCUMENT_STATE, Adapter::document_state)
        .custom_method(ext::EXPLAIN, Adapter::explain)
        .custom_method("window/workDoneProgress/cancel", Adapter::cancel_progress)
        .finish();
    let ways = Ways {
        events: events.clone(),
        outgoing: outgoing.clone(),
        client: service.inner().client().clone(),
        process_id: Some(process_id),
        runtime: runtime::Handle::current(),
    };
    let session = Session::new(&host, options, ways);
    thread::Builder::new()
        .name("dacapo-session".into())
        .spawn(move || main_loop::run(session, &queue))?;

    let connection =
        transport::Connection { service, socket, events, outgoing, messages, client_process };
    Ok(Ended { after_shutdown: transport::run(input, output, connection).await })
}
