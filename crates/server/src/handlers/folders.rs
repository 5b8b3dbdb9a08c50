//! The folders of the workspace and their indexes; what several methods have to do with them.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use workspace::Index;

use crate::progress;
use crate::session::Session;

/// Files of clients that watch none are looked at again when a document is opened, and not sooner after the last time.
const BETWEEN_SCANS: Duration = Duration::from_secs(60);

/// Takes part in the indexes of the folders that the workspace has now, as far as the settings want that.
pub(crate) fn follow(session: &mut Session) {
    let settings = &session.settings;
    let mut wanted: Vec<PathBuf> = session.workspace.roots().to_vec();
    wanted.retain(|root| {
        let config = &settings.at(Some(root)).config;
        config.enabled && config.context.repository
    });
    let workspace = &mut session.workspace;
    session.indexes.retain(|subscription| {
        let stays = wanted.iter().any(|root| root == subscription.root());
        if !stays {
            workspace.remove_index(subscription.root());
        }
        stays
    });
    for root in wanted {
        if session.indexes.iter().any(|subscription| subscription.root() == root) {
            continue;
        }
        let events = session.ways.events.clone();
        let subscription = session.host.indexes.subscribe(&root, events);
        progress::show_index(session, subscription.progress());
        session.indexes.push(subscription);
    }
}

pub(crate) fn indexed(session: &mut Session, index: Index) {
    // It may have been on its way while its folder went.
    if session.indexes.iter().any(|subscription| subscription.root() == index.root()) {
        session.workspace.set_index(index);
    }
}

/// Files that may have changed.
pub(crate) fn refresh(session: &Session, paths: &[PathBuf]) {
    for subscription in &session.indexes {
        let mut inside = paths.to_vec();
        inside.retain(|path| path.starts_with(subscription.root()));
        if !inside.is_empty() {
            subscription.refresh(inside);
        }
    }
}

/// Looks at all files of clients that watch none, now and then.
pub(crate) fn scan(session: &mut Session) {
    let is_due = session.last_scan.is_none_or(|last| BETWEEN_SCANS < last.elapsed());
    if session.client.registers_watchers || !is_due {
        return;
    }
    // The first time is that of the subscription.
    if session.last_scan.replace(Instant::now()).is_some() {
        session.indexes.iter().for_each(|subscription| subscription.scan());
    }
}
