//! Sees a command through with the client: progress, the edit, and a word where there is none.

use std::time::Duration;

use tokio::time::Instant;
use tower_lsp_server::Client;
use tower_lsp_server::ls_types::request::ApplyWorkspaceEdit;
use tower_lsp_server::ls_types::{
    ApplyWorkspaceEditParams, MessageType, ProgressParams, ProgressParamsValue, ProgressToken,
    ShowDocumentParams, ShowMessageParams, Uri, WorkDoneProgress, WorkDoneProgressBegin,
    WorkDoneProgressEnd, WorkDoneProgressReport, WorkspaceEdit,
};

use crate::event::Event;
use crate::proto::action::{CommandReason, CommandResult};
use crate::queue::Events;
use crate::scratch::Scratch;
use crate::session::NoAnswer;
use crate::working::{Ended, Started, Words};

/// Between two reports; a person reads no faster.
const REPORT_INTERVAL: Duration = Duration::from_millis(250);

/// Ends the progress however the command ends, also when the client cancels it.
struct EndProgress<'a> {
    events: &'a Events,
    token: ProgressToken,
}

impl Drop for EndProgress<'_> {
    fn drop(&mut self) {
        tell(self.events, &self.token, WorkDoneProgress::End(WorkDoneProgressEnd::default()));
    }
}

pub(crate) async fn run(
    client: &Client,
    events: &Events,
    scratch: &Scratch,
    started: Started,
) -> CommandResult {
    let Started { client: facts, title, token, token_is_known, mut reports, mut ended } = started;
    let shows_progress = token_is_known
        || facts.progress && client.create_work_done_progress(token.clone()).await.is_ok();
    let progress = shows_progress.then(|| EndProgress { events, token: token.clone() });
    if shows_progress {
        let begin = WorkDoneProgressBegin {
            title: title.to_owned(),
            cancellable: Some(true),
            ..WorkDoneProgressBegin::default()
        };
        tell(events, &token, WorkDoneProgress::Begin(begin));
    }
    let mut next_report = Instant::now();
    let ended = loop {
        tokio::select! {
            biased;
            ended = &mut ended => break ended,
            Some(n_tokens) = reports.recv() => {
                if shows_progress && next_report <= Instant::now() {
                    next_report = Instant::now() + REPORT_INTERVAL;
                    let report = WorkDoneProgressReport {
                        cancellable: Some(true),
                        message: Some(format!("{n_tokens} tokens")),
                        percentage: None,
                    };
                    tell(events, &token, WorkDoneProgress::Report(report));
                }
            }
        }
    };
    drop(progress);
    match ended {
        Ok(Ended::Edit(edit)) => apply(client, events, title, edit).await,
        Ok(Ended::Show(words)) => {
            if !(facts.shows_documents && show(client, scratch, &words).await) {
                say(events, MessageType::INFO, words.text.clone());
            }
            CommandResult { applied: false, reason: None, text: Some(words.text) }
        }
        Ok(Ended::Refused(why)) => refuse(events, why),
        // The session has ended.
        Err(_) => refused(NoAnswer::new("cancelled", "The session has ended.")),
    }
}

/// Shows words beside the code, where they can be read at leisure: a message is gone with the next one, and some editors
/// have a single line for it. Whether the client did.
async fn show(client: &Client, scratch: &Scratch, words: &Words) -> bool {
    let path = match scratch.write(&words.file_name, &words.text) {
        Ok(path) => path,
        Err(error) => {
            tracing::warn!(%error, "no file for words");
            return false;
        }
    };
    let Some(uri) = Uri::from_file_path(path) else { return false };
    // The person is at work in the code, and stays there.
    let (external, take_focus) = (Some(false), Some(false));
    let params = ShowDocumentParams { uri, external, take_focus, selection: None };
    client.show_document(params).await.unwrap_or(false)
}

async fn apply(
    client: &Client,
    events: &Events,
    title: &str,
    edit: WorkspaceEdit,
) -> CommandResult {
    let params = ApplyWorkspaceEditParams { label: Some(title.to_owned()), edit };
    let why = match client.send_request::<ApplyWorkspaceEdit>(params).await {
        Ok(response) if response.applied => {
            return CommandResult { applied: true, reason: None, text: None };
        }
        Ok(response) => response.failure_reason.unwrap_or_else(|| "it gave no reason".to_owned()),
        Err(error) => error.message.into_owned(),
    };
    let message = format!("The editor did not make the change: {why}. Ask again.");
    refuse(events, NoAnswer { code: "not-applied", message })
}

fn refuse(events: &Events, why: NoAnswer) -> CommandResult {
    // Who cancels, or asks again, knows.
    if !matches!(why.code, "cancelled" | "superseded") {
        say(events, MessageType::WARNING, why.message.clone());
    }
    refused(why)
}

fn refused(why: NoAnswer) -> CommandResult {
    let reason = CommandReason { code: why.code, message: why.message };
    CommandResult { applied: false, reason: Some(reason), text: None }
}

fn say(events: &Events, typ: MessageType, message: String) {
    events.send(Event::Message(ShowMessageParams { typ, message }));
}

/// By the one way through the loop, so that the end never overtakes the beginning.
fn tell(events: &Events, token: &ProgressToken, progress: WorkDoneProgress) {
    let value = ProgressParamsValue::WorkDone(progress);
    // The loop is gone when the client is.
    events.send(Event::Progress(ProgressParams { token: token.clone(), value }));
}
