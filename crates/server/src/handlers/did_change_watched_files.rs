//! `workspace/didChangeWatchedFiles`, and `textDocument/didSave` for clients that watch no files.

use std::ffi::OsStr;
use std::path::PathBuf;

use tower_lsp_server::ls_types::{DidChangeWatchedFilesParams, DidSaveTextDocumentParams};

use crate::handlers::{did_change_configuration, folders};
use crate::proto::from;
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, params: &DidChangeWatchedFilesParams) {
    let paths = params.changes.iter().filter_map(|change| from::path(&change.uri)).collect();
    changed(session, paths);
}

pub(crate) fn saved(session: &mut Session, params: &DidSaveTextDocumentParams) {
    changed(session, from::path(&params.text_document.uri).into_iter().collect());
}

fn changed(session: &mut Session, paths: Vec<PathBuf>) {
    if paths.iter().any(|path| path.file_name() == Some(OsStr::new(".dacapo.toml"))) {
        did_change_configuration::apply(session);
    }
    folders::refresh(session, &paths);
}
