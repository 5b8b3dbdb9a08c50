//! What the main loop does for each message; one file a method, named after it.

pub(crate) mod code_action;
pub(crate) mod completion;
pub(crate) mod did_change;
pub(crate) mod did_change_configuration;
pub(crate) mod did_change_watched_files;
pub(crate) mod did_change_workspace_folders;
pub(crate) mod did_close;
pub(crate) mod did_open;
pub(crate) mod did_show_completion;
pub(crate) mod document_state;
pub(crate) mod execute_command;
pub(crate) mod explain;
pub(crate) mod folders;
pub(crate) mod initialize;
pub(crate) mod initialized;
pub(crate) mod inline_completion;

use std::time::{Duration, Instant};

use assist::{CancelFlag, Finish, Reason, Several, Trigger};
use tower_lsp_server::ls_types::{LogTraceParams, TextDocumentPositionParams, TraceValue};
use workspace::{Document, DocumentId};

use crate::ahead;
use crate::asking::{self, Question};
use crate::progress;
use crate::proto::{ext, from};
use crate::running::{Answered, Running, Waiting};
use crate::session::{NoAnswer, Session};
use crate::shown::Shown;

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
    session.workspace.visit(&id, caret);
    let line = document.buffer.line_range(document.buffer.line_of(caret)).start;
    let starts_line = document.buffer.slice(line.min(caret)..caret).trim().is_empty();
    let most = session.settings.at(document.path.as_deref()).config.completion.max_delay_ms;
    let most = Duration::from_millis(most.into());
    let delay = delay(session, trigger, &waiting, starts_line).min(most);
    let several =
        trigger == Trigger::Invoked && matches!(waiting, Waiting::InlineCompletion { .. });
    // What it has read stays, and is what this request needs.
    session.ahead.raise();
    let model = session.model_at(document.path.as_deref());
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

    progress::show_load(session);
    let question = Question {
        model,
        snapshot: session.workspace.snapshot(),
        document: id,
        caret,
        trigger,
        several,
        cancel,
    };
    asking::ask(session, number, question, delay);
}

/// How long the model is left alone after a keystroke; who asks by hand, or for an explanation, waits for nothing.
fn delay(session: &Session, trigger: Trigger, waiting: &Waiting, starts_line: bool) -> Duration {
    match (trigger, waiting) {
        (Trigger::Invoked, _) | (_, Waiting::Explain { .. }) => Duration::ZERO,
        (Trigger::Automatic, _) => session.typing.delay(Instant::now(), starts_line),
    }
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

/// Whether the settings allow suggestions in a document while the user types.
pub(crate) fn may_suggest(session: &Session, id: &DocumentId) -> bool {
    let document = session.workspace.document(id);
    document.is_some_and(|document| switched_off(session, document, Trigger::Automatic).is_none())
}

fn refuse(session: &mut Session, waiting: Waiting, why: NoAnswer) {
    waiting.decline(why.code, why.message.clone());
    session.last_reason = Some(why);
}

/// Answers the request that the assistant is done with.
pub(crate) fn finish(session: &mut Session, number: u64, answer: Option<Box<Answered>>) {
    if let Some(time) = answer.as_ref().and_then(|answer| answer.cancel_to_idle) {
        session.counted.let_go(time);
    }
    let Some(running) = session.running.remove(number) else {
        return;
    };
    let Some(answer) = answer else {
        tracing::error!(number, "a completion panicked");
        return running
            .waiting
            .decline("internal-error", "an internal error; the log has more".into());
    };
    let Answered { several: Several { first: completion, others }, waited, .. } = *answer;
    log(session, number, &running, &completion);
    if let Some(outcome) = completion.outcome
        && outcome.finish != Finish::Cancelled
    {
        session.typing.answered(outcome.queued + outcome.prefill + outcome.decode);
        session.counted.asked_model(waited, &outcome);
    }
    if let Ok(suggestion) = &completion.suggestion
        && !running.stale
        && !matches!(running.waiting, Waiting::Explain { .. })
    {
        let id = running.document.id.clone();
        session.shown = Some(Shown::new(id, suggestion.range.start, suggestion.text.clone()));
        ahead::look(session, &running.document, suggestion.clone());
    }
    session.counted.answered(running.asked_at.elapsed());
    session.last_reason = match &completion.suggestion {
        Ok(_) | Err(Reason::Loading | Reason::Cancelled) => None,
        Err(reason) => Some(NoAnswer::from(reason)),
    };
    let client = &session.client;
    match running.waiting {
        Waiting::Explain { reply } => explain::answer(client, &running.document, completion, reply),
        _ if running.stale => {
            running.waiting.decline("stale", "the document has changed since".into())
        }
        Waiting::InlineCompletion { selected, reply } => {
            inline_completion::answer(
                client,
                &running.document,
                running.caret,
                completion.suggestion.ok().into_iter().chain(others),
                selected,
                reply,
            );
        }
        Waiting::Completion { reply } => {
            completion::answer(client, &running.document, running.caret, completion, reply);
        }
    }
}

/// Answers everything that still waits, because the client is about to go.
pub(crate) fn cancel_all(session: &mut Session) {
    for working in session.commands.cancel_all() {
        working.refuse(NoAnswer::from(&Reason::Cancelled));
    }
    for running in session.running.cancel_all() {
        running.waiting.decline(Reason::Cancelled.code(), Reason::Cancelled.to_string());
    }
}

impl Waiting {
    fn method(&self) -> &'static str {
        match self {
            Self::InlineCompletion { .. } => "textDocument/inlineCompletion",
            Self::Completion { .. } => "textDocument/completion",
            Self::Explain { .. } => ext::EXPLAIN,
        }
    }

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

/// Figures and codes; never text of the user's.
fn log(session: &Session, number: u64, running: &Running, completion: &assist::Completion) {
    let outcome = completion.outcome;
    let elapsed = running.asked_at.elapsed();
    let reason = completion.suggestion.as_ref().err().map(Reason::code);
    tracing::debug!(
        session = session.counted.number(),
        request = number,
        method = running.waiting.method(),
        version = running.document.version,
        stale = running.stale,
        reason,
        stopped_by = completion.stopped_by,
        n_prompt = outcome.map(|it| it.n_prompt),
        n_reused = outcome.map(|it| it.n_reused),
        n_generated = outcome.map(|it| it.n_generated),
        queued = ?outcome.map(|it| it.queued),
        prefill = ?outcome.map(|it| it.prefill),
        decode = ?outcome.map(|it| it.decode),
        ?elapsed,
        "completion finished"
    );
    if session.trace == TraceValue::Off || session.ways.outgoing.is_full() {
        return;
    }
    let message = format!(
        "{}: {} after {:.1} ms",
        running.waiting.method(),
        reason.unwrap_or("a suggestion"),
        elapsed.as_secs_f64() * 1e3
    );
    let verbose = (session.trace == TraceValue::Verbose).then(|| format!("{outcome:?}"));
    session.notify("$/logTrace", LogTraceParams { message, verbose });
}
