//! `workspace/didChangeWatchedFiles`.

use std::ffi::OsStr;

use tower_lsp_server::ls_types::DidChangeWatchedFilesParams;

use crate::handlers::did_change_configuration;
use crate::proto::from;
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, params: &DidChangeWatchedFilesParams) {
    let mut paths = params.changes.iter().filter_map(|change| from::path(&change.uri));
    if paths.any(|path| path.file_name() == Some(OsStr::new(".dacapo.toml"))) {
        did_change_configuration::apply(session);
    }
}
