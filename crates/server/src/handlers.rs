//! What the main loop does for each message; one file a method, named after it.

pub(crate) mod completion;
pub(crate) mod did_change;
pub(crate) mod did_change_configuration;
pub(crate) mod did_close;
pub(crate) mod did_open;
pub(crate) mod document_state;
pub(crate) mod explain;
pub(crate) mod initialize;
pub(crate) mod initialized;
pub(crate) mod inline_completion;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use assist::{CancelFlag, Completion, Reason, Trigger};
use tower_lsp_server::ls_types::TextDocumentPositionParams;
use workspace::Document;

use crate::event::Event;
use crate::proto::from;
use crate::running::{Running, Waiting};
use crate::session::{NoAnswer, Session};

/// Sends a request for a completion to the assistant, on a thread that may wait; a request that it replaces is answered now.
fn start(
    session: &mut Session,
    at: &TextDocumentPositionParams,
    trigger: Trigger,
    cancel: CancelFlag,
    waiting: Waiting,
) {
    let id = from::document_id(&at.text_document.uri);
    let Some(document) = session.workspace.document(&id).cloned() else {
        return refuse(session, waiting, NoAnswer::from(&Reason::NotOpen));
    };
    if let Some(why) = switched_off(session, &document, trigger) {
        return refuse(session, waiting, why);
    }
    let caret = document.buffer.offset(from::position(at.position), session.client.encoding);
    let running = Running {
        document,
        caret,
        asked_at: Instant::now(),
        cancel: cancel.clone(),
        waiting,
        stale: false,
    };
    let (number, replaced) = session.running.insert(running);
    if let Some(replaced) = replaced {
        replaced.waiting.decline("superseded", "a newer request for the same document came".into());
    }

    session.load_requested = true;
    let model = session.model.clone();
    let snapshot = session.workspace.snapshot();
    let events = session.events.clone();
    session.runtime.spawn_blocking(move || {
        // A panic costs this one answer; the hook has reported it already.
        let completion = catch_unwind(AssertUnwindSafe(|| match model.for_request(trigger) {
            Ok(assistant) => assistant.complete(&snapshot, &id, caret, trigger, &cancel),
            Err(reason) => Completion::refused(reason),
        }))
        .ok();
        // The loop is gone when the client is.
        let _ = events.send(Event::Finished(number, completion.map(Box::new)));
    });
}

/// Why the settings ask for no suggestion here.
fn switched_off(session: &Session, document: &Document, trigger: Trigger) -> Option<NoAnswer> {
    let scope = session.settings.at(document.path.as_deref());
    let config = &scope.config;
    if !config.enabled {
        let message = "Dacapo is switched off by the setting `enabled`.";
        return Some(NoAnswer::new("disabled", message));
    }
    if !config.completion.automatic && trigger == Trigger::Automatic {
        let message = "The setting `completion.automatic` is off, so suggestions come when asked for by hand.";
        return Some(NoAnswer::new("automatic-off", message));
    }
    let language_id = session.language_ids.get(&document.id);
    if language_id.is_some_and(|id| config.completion.disabled_languages.contains(id)) {
        let message = "The setting `completion.disabledLanguages` names this language.";
        return Some(NoAnswer::new("language-disabled", message));
    }
    if document.path.as_deref().is_some_and(|path| scope.excludes(path)) {
        let message = "The setting `context.exclude` keeps this file from the model.";
        return Some(NoAnswer::new("excluded", message));
    }
    None
}

fn refuse(session: &mut Session, waiting: Waiting, why: NoAnswer) {
    waiting.decline(why.code, why.message.clone());
    session.last_reason = Some(why);
}

/// Answers the request that the assistant is done with.
pub(crate) fn finish(
    session: &mut Session,
    number: u64,
    completion: Option<Box<assist::Completion>>,
) {
    let Some(running) = session.running.remove(number) else {
        return;
    };
    let Some(completion) = completion else {
        tracing::error!(number, "a completion panicked");
        return running
            .waiting
            .decline("internal-error", "an internal error; the log has more".into());
    };
    log(&running, &completion);
    session.counted.answered(running.asked_at.elapsed());
    session.last_reason = match &completion.suggestion {
        Ok(_) | Err(Reason::Loading | Reason::Cancelled) => None,
        Err(reason) => Some(NoAnswer::from(reason)),
    };
    let client = &session.client;
    match running.waiting {
        Waiting::Explain { reply } => {
            explain::answer(client, &running.document, *completion, reply)
        }
        _ if running.stale => {
            running.waiting.decline("stale", "the document has changed since".into())
        }
        Waiting::InlineCompletion { selected, reply } => {
            inline_completion::answer(
                client,
                &running.document,
                running.caret,
                *completion,
                selected,
                reply,
            );
        }
        Waiting::Completion { reply } => {
            completion::answer(client, &running.document, running.caret, *completion, reply);
        }
    }
}

/// Answers everything that still waits, because the client is about to go.
pub(crate) fn cancel_all(session: &mut Session) {
    for running in session.running.cancel_all() {
        running.waiting.decline(Reason::Cancelled.code(), Reason::Cancelled.to_string());
    }
}

impl Waiting {
    /// The empty answer; a client that has gone away does not mind.
    fn decline(self, code: &'static str, message: String) {
        tracing::debug!(reason = code, "empty answer");
        match self {
            Self::InlineCompletion { reply, .. } => drop(reply.send(inline_completion::empty())),
            Self::Completion { reply } => drop(reply.send(completion::empty())),
            Self::Explain { reply } => {
                drop(reply.send(crate::proto::to::no_explanation(code, message)))
            }
        }
    }
}

fn log(running: &Running, completion: &assist::Completion) {
    let outcome = completion.outcome;
    tracing::debug!(
        version = running.document.version,
        stale = running.stale,
        reason = completion.suggestion.as_ref().err().map(Reason::code),
        n_prompt = outcome.map(|it| it.n_prompt),
        n_reused = outcome.map(|it| it.n_reused),
        n_generated = outcome.map(|it| it.n_generated),
        queued = ?outcome.map(|it| it.queued),
        prefill = ?outcome.map(|it| it.prefill),
        decode = ?outcome.map(|it| it.decode),
        "completion finished"
    );
}
