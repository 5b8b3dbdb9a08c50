//! `initialized`: from here on the client may be spoken to.

use serde_json::json;
use tower_lsp_server::ls_types::Registration;

use crate::event::Request;
use crate::session::Session;
use crate::status;

pub(crate) fn handle(session: &mut Session, request: Request<(), Vec<Registration>>) {
    let registrations = match session.client.registers_inline_completion {
        true => vec![Registration {
            id: "dacapo-inline-completion".into(),
            method: "textDocument/inlineCompletion".into(),
            // The client's own selector applies: any language can be completed.
            register_options: Some(json!({ "documentSelector": null })),
        }],
        false => Vec::new(),
    };
    let _ = request.reply.send(registrations);
    if session.options.preload {
        session.assistant.engine().preload();
        session.load_requested = true;
    }
    status::begin(session);
}
