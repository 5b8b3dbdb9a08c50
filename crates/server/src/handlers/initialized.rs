//! `initialized`: from here on the client may be spoken to.

use serde_json::json;
use tower_lsp_server::ls_types::Registration;

use crate::event::{Request, Wanted};
use crate::handlers::did_change_configuration;
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, request: Request<(), Wanted>) {
    let client = &session.client;
    let mut registrations = Vec::new();
    if client.registers_inline_completion {
        registrations.push(Registration {
            id: "dacapo-inline-completion".into(),
            method: "textDocument/inlineCompletion".into(),
            // The client's own selector applies: any language can be completed.
            register_options: Some(json!({ "documentSelector": null })),
        });
    }
    if client.registers_configuration {
        registrations.push(Registration {
            id: "dacapo-configuration".into(),
            method: "workspace/didChangeConfiguration".into(),
            register_options: Some(json!({ "section": "dacapo" })),
        });
    }
    if client.registers_watchers {
        registrations.push(Registration {
            id: "dacapo-files".into(),
            method: "workspace/didChangeWatchedFiles".into(),
            register_options: Some(json!({ "watchers": [{ "globPattern": "**/*" }] })),
        });
    }
    let configuration = client.pulls_configuration;
    let _ = request.reply.send(Wanted { registrations, configuration });
    // A client that is asked for its settings is told what is wrong once these are there.
    did_change_configuration::apply(session);
}
