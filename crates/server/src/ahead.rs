//! What the model does before anybody asks, and drops as soon as somebody does.

use std::time::Duration;

use assist::{Assistant, CancelFlag, Status, Suggestion};
use workspace::{Document, DocumentId, Snapshot};

use crate::session::Session;

/// How long nothing may come in before the processors are taken: the request that belongs to a keystroke comes right behind
/// it, and what answers it should not have to wait for one.
const PAUSE: Duration = Duration::from_millis(10);

/// Lets the model read the prompt that a request at byte `caret` would have.
pub(crate) fn read(session: &mut Session, id: DocumentId, caret: usize) {
    start(session, &id.clone(), move |assistant, snapshot, cancel| {
        assistant.warm_up(snapshot, &id, caret, cancel);
    });
}

/// Lets the model write what would follow if the suggestion that is shown now were taken.
pub(crate) fn look(session: &mut Session, document: &Document, suggestion: Suggestion) {
    if !session.settings.at(document.path.as_deref()).config.completion.look_ahead {
        return;
    }
    let id = document.id.clone();
    start(session, &document.id, move |assistant, snapshot, cancel| {
        assistant.look_ahead(snapshot, &id, &suggestion, cancel);
    });
}

/// One thing at a time, and nothing while the weights are not there.
fn start(
    session: &mut Session,
    id: &DocumentId,
    work: impl FnOnce(&Assistant, &Snapshot, &CancelFlag) + Send + 'static,
) {
    session.ahead.raise();
    let path = session.workspace.document(id).and_then(|document| document.path.clone());
    let Some(assistant) = session.model_at(path.as_deref()).at_hand() else { return };
    if assistant.engine().status() != Status::Ready {
        return;
    }
    let cancel = CancelFlag::default();
    session.ahead = cancel.clone();
    let snapshot = session.workspace.snapshot();
    session.work(&session.lanes.ahead, move || {
        if cancel.is_raised() {
            return;
        }
        std::thread::sleep(PAUSE);
        if !cancel.is_raised() {
            work(&assistant, &snapshot, &cancel);
        }
    });
}
