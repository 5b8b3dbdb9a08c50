//! Shows the client that the weights are being read, or that a folder is being indexed (LSP 3.17, "Work Done Progress").

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assist::Status;
use tower_lsp_server::ls_types::ProgressToken;
use workspace::Progress;

use crate::session::Session;

/// What is done sooner than this is not shown: a bar that flashes tells nothing.
const SHORT: Duration = Duration::from_millis(400);
const POLL: Duration = Duration::from_millis(100);

/// Shows the load that has begun or is about to; once, however often it is called meanwhile.
pub(crate) fn show_load(session: &Session) {
    let is_done = matches!(session.model.status(), Status::Ready | Status::Failed(_));
    if is_done || !session.client.shows_progress {
        return;
    }
    if session.shows_progress.swap(true, Ordering::AcqRel) {
        return;
    }
    let client = session.ways.client.clone();
    let model = session.model.clone();
    let shows_progress = Arc::clone(&session.shows_progress);
    session.ways.runtime.spawn(async move {
        tokio::time::sleep(SHORT).await;
        let token = ProgressToken::String("dacapo-load".into());
        let is_loading = || matches!(model.status(), Status::Loading);
        if is_loading() && client.create_work_done_progress(token.clone()).await.is_ok() {
            let progress = client.progress(token, "Dacapo: reading the model").begin().await;
            while is_loading() {
                tokio::time::sleep(POLL).await;
            }
            match model.status() {
                Status::Failed(why) => progress.finish_with_message(why).await,
                _ => progress.finish().await,
            }
        }
        shows_progress.store(false, Ordering::Release);
    });
}

/// Shows how far the first look at a folder has come; `progress` is `None` once that is done.
pub(crate) fn show_index(
    session: &Session,
    progress: impl Fn() -> Option<Progress> + Send + 'static,
) {
    // Before `initialized` there is nobody to show it to, and after that this is called again.
    if !session.client.shows_progress {
        return;
    }
    let client = session.ways.client.clone();
    let token = ProgressToken::String(format!("dacapo-index-{}", session.indexes.len()));
    session.ways.runtime.spawn(async move {
        tokio::time::sleep(SHORT).await;
        if progress().is_none() || client.create_work_done_progress(token.clone()).await.is_err() {
            return;
        }
        let shown = client.progress(token, "Dacapo: reading the workspace").with_percentage(0);
        let shown = shown.begin().await;
        while let Some(Progress { n_done, n_files }) = progress() {
            let percentage = (100 * n_done).checked_div(n_files).unwrap_or(0).min(100);
            shown.report(percentage as u32).await;
            tokio::time::sleep(POLL).await;
        }
        shown.finish().await;
    });
}
