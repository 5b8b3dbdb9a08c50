//! `workspace/didChangeWorkspaceFolders`.

use tower_lsp_server::ls_types::DidChangeWorkspaceFoldersParams;

use crate::handlers::did_change_configuration;
use crate::proto::from;
use crate::session::Session;

pub(crate) fn handle(session: &mut Session, params: &DidChangeWorkspaceFoldersParams) {
    let added = from::folders(&params.event.added);
    let removed = from::folders(&params.event.removed);
    let mut folders = session.workspace.roots().to_vec();
    folders.retain(|folder| !removed.contains(folder) && !added.contains(folder));
    folders.extend(added);
    session.workspace.set_roots(folders.clone());
    session.counted.set_folders(folders);
    did_change_configuration::apply(session);
}
