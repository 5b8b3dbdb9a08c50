//! What the client is told about the model and the last completion: `dacapo/status`.

use assist::Status as EngineStatus;

use crate::proto::ext::{Status, StatusKind};
use crate::session::Session;

/// Whether only an event can bring news; nothing tells the loop when the weights have been read.
pub(crate) fn is_settled(session: &Session) -> bool {
    session.shown_status.is_none()
        || match session.model.status() {
            EngineStatus::Ready | EngineStatus::Failed(_) => true,
            EngineStatus::Loading => false,
            EngineStatus::Unloaded => !is_at_work(session),
        }
}

/// Tells the client that is told at all, if there is news.
pub(crate) fn tell(session: &mut Session) {
    if session.shown_status.is_none() || session.ways.outgoing.is_full() {
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
    if !session.settings.session().status || session.shown_status.is_some() {
        return;
    }
    let status = current(session);
    send(session, status);
}

fn send(session: &mut Session, status: Status) {
    session.notify(session.status_method, &status);
    session.shown_status = Some(status);
}

/// Somebody waits for an answer, for which the weights may be about to be read.
fn is_at_work(session: &Session) -> bool {
    !session.running.is_empty() || !session.commands.is_empty()
}

fn current(session: &Session) -> Status {
    match session.model.status() {
        EngineStatus::Failed(message) => {
            Status { busy: false, message, kind: StatusKind::Error, reason: Some("model-failed") }
        }
        EngineStatus::Unloaded if !is_at_work(session) => {
            let message = "the model is loaded at the first request".into();
            Status { busy: false, message, kind: StatusKind::Inactive, reason: None }
        }
        EngineStatus::Unloaded | EngineStatus::Loading => {
            let message = "the model is being loaded".into();
            Status { busy: true, message, kind: StatusKind::Normal, reason: Some("loading") }
        }
        EngineStatus::Ready => Status {
            busy: !session.running.is_empty(),
            message: session.last_reason.as_ref().map(|it| it.message.clone()).unwrap_or_default(),
            kind: StatusKind::Normal,
            reason: session.last_reason.as_ref().map(|it| it.code),
        },
    }
}
