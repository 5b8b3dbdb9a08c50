//! What the client is told about the model and the last completion: `dacapo/status`.

use assist::Status as EngineStatus;
use serde_json::Value;
use tower_lsp_server::jsonrpc;

use crate::proto::ext::{self, Status, StatusKind};
use crate::session::{Message, Session};

/// Whether only an event can bring news; nothing tells the loop when the weights have been read.
pub(crate) fn is_settled(session: &Session) -> bool {
    session.shown_status.is_none()
        || !session.load_requested
        || matches!(
            session.assistant.engine().status(),
            EngineStatus::Ready | EngineStatus::Failed(_)
        )
}

/// Tells the client that is told at all, if there is news.
pub(crate) fn tell(session: &mut Session) {
    if session.shown_status.is_none() {
        return;
    }
    let status = current(session);
    if session.shown_status.as_ref() == Some(&status) {
        return;
    }
    send(session, status);
}

/// The first word to a client that wants to be told.
pub(crate) fn begin(session: &mut Session) {
    if !session.client.wants_status {
        return;
    }
    let status = current(session);
    send(session, status);
}

fn send(session: &mut Session, status: Status) {
    let params = serde_json::to_value(&status).unwrap_or(Value::Null);
    let notification = jsonrpc::Request::build(ext::STATUS).params(params).finish();
    // The channel is closed only when the client is gone.
    let _ = session.outgoing.unbounded_send(Message::Request(notification));
    session.shown_status = Some(status);
}

fn current(session: &Session) -> Status {
    match session.assistant.engine().status() {
        EngineStatus::Failed(message) => {
            Status { busy: false, message, kind: StatusKind::Error, reason: Some("model-failed") }
        }
        EngineStatus::Unloaded if !session.load_requested => {
            let message = "the model is loaded at the first request".into();
            Status { busy: false, message, kind: StatusKind::Inactive, reason: None }
        }
        EngineStatus::Unloaded | EngineStatus::Loading => {
            let message = "the model is being loaded".into();
            Status { busy: true, message, kind: StatusKind::Normal, reason: Some("loading") }
        }
        EngineStatus::Ready => Status {
            busy: !session.running.is_empty(),
            message: session.last_reason.as_ref().map(ToString::to_string).unwrap_or_default(),
            kind: StatusKind::Normal,
            reason: session.last_reason.as_ref().map(|reason| reason.code()),
        },
    }
}
