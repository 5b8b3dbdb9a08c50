//! `workspace/executeCommand`: runs the model for an action, and makes of its answer an edit of the text as it is now.

use std::path::{Path, PathBuf};

use assist::{
    Action, ActionAnswer, ActionRequest, Change, Concern, Diagnostic, Effect, Reason, Refusal,
    Target, Trigger, Watch,
};
use tokio::sync::{mpsc, oneshot};
use tower_lsp_server::jsonrpc;
use tower_lsp_server::ls_types::{self, ExecuteCommandParams, NumberOrString, ProgressToken, Uri};
use workspace::{Document, DocumentId};

use crate::event::{Event, Request};
use crate::handlers::switched_off;
use crate::progress;
use crate::proto::action::{self, Argument, Edits};
use crate::proto::from;
use crate::session::{NoAnswer, Session};
use crate::working::{Ended, Started, Words, Working};

pub(crate) fn handle(
    session: &mut Session,
    request: Request<ExecuteCommandParams, jsonrpc::Result<Started>>,
) {
    let Request { params, cancel, reply } = request;
    let parsed = parse(&params);
    let (action, argument) = match parsed {
        Ok(parsed) => parsed,
        Err(message) => {
            let _ = reply.send(Err(jsonrpc::Error::invalid_params(message)));
            return;
        }
    };
    let number = session.commands.number();
    let given = params.work_done_progress_params.work_done_token;
    let token_is_known = given.is_some();
    let token = given.unwrap_or_else(|| NumberOrString::String(format!("dacapo-action-{number}")));
    let (report, reports) = mpsc::unbounded_channel();
    let (ended, receiver) = oneshot::channel();
    let _ = reply.send(Ok(Started {
        client: session.client.actions,
        title: action.title(),
        token: token.clone(),
        token_is_known,
        reports,
        ended: receiver,
    }));

    let id = from::document_id(&argument.uri);
    let document = match ready(session, &id) {
        Ok(document) => document,
        Err(why) => {
            let _ = ended.send(Ended::Refused(why));
            return;
        }
    };
    let request = action_request(session, &document, action, argument);
    let model = session.model_at(document.path.as_deref());
    let working = Working {
        action,
        document,
        selection: request.selection.clone(),
        token,
        cancel: cancel.clone(),
        reply: ended,
    };
    if let Some(replaced) = session.commands.insert(number, working) {
        replaced.refuse(NoAnswer::new("superseded", "The same was asked for again."));
    }
    progress::show_load(session);
    let snapshot = session.workspace.snapshot();
    let slow = session.lanes.slow.clone();
    let events = session.ways.events.clone();
    let work = move || {
        // Nobody may be left to listen, and the model need not know.
        let report = |n_tokens| {
            let _ = report.send(n_tokens);
        };
        let watch = Watch { cancel: &cancel, report: &report };
        match model.for_request(Trigger::Invoked) {
            Ok(assistant) => assistant.act(&snapshot, &request, watch),
            Err(reason) => ActionAnswer::from(reason),
        }
    };
    session.ways.runtime.spawn(async move {
        // A panic costs this one answer; the hook has reported it already.
        events.send(Event::Acted(number, slow.run(work).await.map(Box::new)));
    });
}

fn parse(params: &ExecuteCommandParams) -> Result<(Action, Argument), String> {
    let command = &params.command;
    let Some(action) = action::action(command) else {
        return Err(format!(
            "there is no command {command}; the commands are {}",
            action::commands().join(", ")
        ));
    };
    let shape = "one argument { uri, range, instruction?, diagnostic? }";
    let [argument] = params.arguments.as_slice() else {
        return Err(format!("{command} takes {shape}"));
    };
    match serde_json::from_value(argument.clone()) {
        Ok(argument) => Ok((action, argument)),
        Err(error) => Err(format!("{command} takes {shape}: {error}")),
    }
}

fn ready(session: &Session, id: &DocumentId) -> Result<std::sync::Arc<Document>, NoAnswer> {
    let Some(document) = session.workspace.document(id) else {
        return Err(NoAnswer::from(&Reason::NotOpen));
    };
    if let Some(why) = switched_off(session, document, Trigger::Invoked) {
        return Err(why);
    }
    if session.commands.is_full() {
        return Err(NoAnswer::new(
            "busy",
            "The model is working on several actions already; wait for one of them, or cancel it.",
        ));
    }
    Ok(document.clone())
}

fn action_request(
    session: &Session,
    document: &Document,
    action: Action,
    argument: Argument,
) -> ActionRequest {
    let range = |range: ls_types::Range| {
        let offset = |at| document.buffer.offset(from::position(at), session.client.encoding);
        let start = offset(range.start);
        start..offset(range.end).max(start)
    };
    ActionRequest {
        action,
        document: document.id.clone(),
        selection: range(argument.range),
        instruction: argument.instruction,
        diagnostic: argument.diagnostic.map(|it| Diagnostic {
            range: range(it.range),
            related: related(&it),
            message: it.message,
        }),
    }
}

/// Files and lines that a diagnostic names beside its own.
fn related(diagnostic: &ls_types::Diagnostic) -> Vec<(PathBuf, usize)> {
    let related = diagnostic.related_information.iter().flatten();
    related
        .filter_map(|it| {
            let line = usize::try_from(it.location.range.start.line).ok()?;
            Some((from::path(&it.location.uri)?, line))
        })
        .collect()
}

/// The model is done with the command of this number; `None` when it panicked.
pub(crate) fn finish(session: &mut Session, number: u64, answer: Option<Box<ActionAnswer>>) {
    let Some(answer) = settled(session, number, answer) else {
        return;
    };
    let Some(working) = session.commands.remove(number) else {
        return;
    };
    let Some(answer) = answer else {
        tracing::error!(number, "an action panicked");
        let message = "An internal error; the log has more.";
        return working.refuse(NoAnswer::new("internal-error", message));
    };
    tracing::debug!(
        action = %working.action,
        reason = answer.effect.as_ref().err().map(Refusal::code),
        n_prompt = answer.outcome.map(|it| it.n_prompt),
        n_generated = answer.outcome.map(|it| it.n_generated),
        "action finished"
    );
    let ended = match answer.effect {
        Ok(Effect::Edit(change)) => edit(session, &change),
        Ok(Effect::Show(text)) => Ok(Ended::Show(words(number, &working, text))),
        Err(refusal) => Err(refusal),
    };
    match ended {
        Ok(ended) => drop(working.reply.send(ended)),
        Err(refusal) => working.refuse(NoAnswer::new(refusal.code(), &refusal.to_string())),
    }
}

/// The name is that of no other words, since an editor may still show those of the last time.
fn words(number: u64, working: &Working, text: String) -> Words {
    let path = working.document.path.as_deref();
    let file = path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    let file_name = match file {
        Some(file) => format!("{}-{number}-{file}.md", working.action),
        None => format!("{}-{number}.md", working.action),
    };
    Words { file_name, text }
}

/// The answer, unless it is for a text that has changed since: then it comes back for the text as it is now. That takes a
/// parse, which is not for this thread, and so the text may have changed again by then.
fn settled(
    session: &Session,
    number: u64,
    answer: Option<Box<ActionAnswer>>,
) -> Option<Option<Box<ActionAnswer>>> {
    let Some(mut answer) = answer else { return Some(None) };
    let Ok(Effect::Edit(change)) = &answer.effect else { return Some(Some(answer)) };
    let Target::Open { document, version } = &change.target else { return Some(Some(answer)) };
    let now = session.workspace.document(document).cloned();
    let Some(now) = now.filter(|now| now.version != *version) else { return Some(Some(answer)) };
    let (change, events) = (change.clone(), session.ways.events.clone());
    session.work(&session.lanes.quick, move || {
        let reanchored = assist::reanchored(&change, &now);
        answer.effect = reanchored.map(Effect::Edit).map_err(|_| Refusal::Moved);
        events.send(Event::Acted(number, Some(answer)));
    });
    None
}

/// The change in the client's form.
fn edit(session: &Session, change: &Change) -> Result<Ended, Refusal> {
    let client = &session.client;
    let question = match change.concern {
        None => None,
        Some(Concern::NoLongerParses) if client.actions.annotations => {
            Some("With this change the file would no longer parse.".to_owned())
        }
        Some(Concern::NoLongerParses) => return Err(Refusal::NoLongerParses),
    };
    let edit = match &change.target {
        Target::Open { document, .. } => {
            let now = session.workspace.document(document).ok_or(Reason::NotOpen)?;
            let uri: Uri = document.0.parse().map_err(|_| Reason::NotOpen)?;
            action::workspace_edit(
                &client.actions,
                client.encoding,
                Edits {
                    uri,
                    version: Some(now.version),
                    before: &now.buffer,
                    edits: &change.edits,
                    creates: false,
                    question,
                },
            )
        }
        Target::File { path, exists } => action::workspace_edit(
            &client.actions,
            client.encoding,
            Edits {
                uri: Uri::from_file_path(path).ok_or(Reason::NotOpen)?,
                version: None,
                before: &change.before,
                edits: &change.edits,
                creates: !exists,
                question,
            },
        ),
    };
    Ok(Ended::Edit(edit))
}

/// The user has had enough of the work behind this token.
pub(crate) fn cancelled(session: &mut Session, token: &ProgressToken) {
    for working in session.commands.cancel_token(token) {
        working.refuse(NoAnswer::from(&Reason::Cancelled));
    }
}
