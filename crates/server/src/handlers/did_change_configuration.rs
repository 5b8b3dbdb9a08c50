//! `workspace/didChangeConfiguration`, and what the client answers to `workspace/configuration`.

use serde_json::Value;
use tower_lsp_server::ls_types::{DidChangeConfigurationParams, MessageType, ShowMessageParams};

use crate::event::Request;
use crate::handlers::folders;
use crate::session::Session;
use crate::status;

/// Answered with whether the client is to be asked for its settings, because what it sends along is not for us to rely on.
pub(crate) fn handle(session: &mut Session, request: Request<DidChangeConfigurationParams, bool>) {
    let pulls = session.client.pulls_configuration;
    let _ = request.reply.send(pulls);
    if !pulls {
        session.settings.set_client(request.params.settings);
    }
    // A user who saves settings may have changed the files as well.
    apply(session);
}

pub(crate) fn pulled(session: &mut Session, settings: Value) {
    session.settings.set_client(settings);
    apply(session);
}

/// Makes the settings as they now stand hold, and says what is wrong with them.
pub(crate) fn apply(session: &mut Session) {
    let folders = session.workspace.roots().to_vec();
    let problems = session.settings.reload(&folders);
    for problem in &problems {
        tracing::warn!(%problem, "configuration");
    }
    if !problems.is_empty() {
        let lines: Vec<String> = problems.iter().map(|problem| format!("\n{problem}")).collect();
        let message = format!("Dacapo leaves out some of its configuration:{}", lines.concat());
        session
            .notify("window/showMessage", ShowMessageParams { typ: MessageType::WARNING, message });
    }
    session.workspace.set_excluded(session.settings.exclusion());
    folders::follow(session);
    session.choose_model();
    if session.settings.session().model.preload {
        session.preload(session.model.clone());
    }
    status::begin(session);
}
