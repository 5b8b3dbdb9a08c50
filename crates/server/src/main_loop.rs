//! The one loop that owns the session; it runs on a thread of its own, because edits parse and parsing takes time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use crate::event::Event;
use crate::handlers::{
    self, code_action, completion, did_change, did_change_configuration, did_change_watched_files,
    did_change_workspace_folders, did_close, did_open, did_show_completion, document_state,
    execute_command, explain, folders, initialize, initialized, inline_completion,
};
use crate::queue::Queue;
use crate::session::Session;
use crate::status;

/// How often the model's state is looked at while it loads; never otherwise.
const LOADING_POLL: Duration = Duration::from_millis(100);

/// Handles events in the order they were sent until the client is gone.
pub(crate) fn run(mut session: Session, events: &Queue) {
    while let Some(event) = next(&mut session, events) {
        if let Event::End(reply) = event {
            handlers::cancel_all(&mut session);
            let after_shutdown = session.shutdown_received;
            // Who waits for the end counts the sessions that are left.
            drop(session);
            let _ = reply.send(after_shutdown);
            return;
        }
        let changed_document = event.changed_document();
        let handled = catch_unwind(AssertUnwindSafe(|| handle(&mut session, event)));
        session.counted.set_sizes(session.language_ids.len(), session.running.len());
        if handled.is_err() {
            tracing::error!("a handler panicked; the session goes on");
            // A half-applied change would make every later answer wrong; a document that is not open makes them empty.
            if let Some(id) = changed_document {
                let _ = session.workspace.close(&id);
            }
        }
    }
}

fn next(session: &mut Session, events: &Queue) -> Option<Event> {
    loop {
        // Asked before the client is told, so that it is told of a state that lasts.
        let is_settled = status::is_settled(session);
        status::tell(session);
        if is_settled {
            return events.next();
        }
        match events.next_within(LOADING_POLL) {
            Ok(event) => return Some(event),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return None,
        }
    }
}

fn handle(session: &mut Session, event: Event) {
    match event {
        Event::Initialize(request) => initialize::handle(session, *request),
        Event::Initialized(request) => initialized::handle(session, request),
        Event::Shutdown(request) => {
            session.shutdown_received = true;
            handlers::cancel_all(session);
            let _ = request.reply.send(());
        }
        Event::DidChangeConfiguration(request) => {
            did_change_configuration::handle(session, request);
        }
        Event::Configured(settings) => did_change_configuration::pulled(session, settings),
        Event::DidChangeWorkspaceFolders(params) => {
            did_change_workspace_folders::handle(session, &params);
        }
        Event::DidChangeWatchedFiles(params) => did_change_watched_files::handle(session, &params),
        Event::DidSave(params) => did_change_watched_files::saved(session, &params),
        Event::Indexed(index) => folders::indexed(session, index),
        Event::SetTrace(params) => session.trace = params.value,
        Event::Shown(params) => did_show_completion::handle(session, &params),
        Event::Accepted => session.typing.taken(),
        Event::DidOpen(params) => did_open::handle(session, params),
        Event::DidChange(params) => did_change::handle(session, params),
        Event::DidClose(params) => did_close::handle(session, &params),
        Event::InlineCompletion(request) => inline_completion::handle(session, request),
        Event::Completion(request) => completion::handle(session, request),
        Event::DocumentState(request) => document_state::handle(session, request),
        Event::Explain(request) => explain::handle(session, request),
        Event::CodeAction(request) => code_action::handle(session, request),
        Event::ExecuteCommand(request) => execute_command::handle(session, request),
        Event::Acted(number, answer) => execute_command::finish(session, number, answer),
        Event::ProgressCancelled(token) => execute_command::cancelled(session, &token),
        Event::Progress(params) => session.notify("$/progress", params),
        Event::Message(params) => session.notify("window/showMessage", params),
        Event::Finished(number, completion) => handlers::finish(session, number, completion),
        Event::End(_) => {}
    }
}
