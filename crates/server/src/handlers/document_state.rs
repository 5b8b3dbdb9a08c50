//! `dacapo/documentState`: what the server believes a document to be, for checks of synchronisation.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use text::Buffer;

use crate::event::Request;
use crate::proto::ext::{DocumentState, DocumentStateParams};
use crate::proto::from;
use crate::session::Session;

pub(crate) fn handle(
    session: &Session,
    request: Request<DocumentStateParams, Option<DocumentState>>,
) {
    let id = from::document_id(&request.params.text_document.uri);
    let Some(document) = session.workspace.document(&id).cloned() else {
        let _ = request.reply.send(None);
        return;
    };
    session.work(&session.lanes.quick, move || {
        let state = DocumentState {
            version: document.version,
            sha256: sha256(&document.buffer),
            lines: document.buffer.n_lines(),
            parsed: document.is_parsed(),
        };
        let _ = request.reply.send(Some(state));
    });
}

fn sha256(buffer: &Buffer) -> String {
    let mut hash = Sha256::new();
    let mut offset = 0;
    while offset < buffer.len() {
        let (chunk, start) = buffer.chunk_at(offset);
        hash.update(chunk);
        offset = start + chunk.len();
    }
    hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a string cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_all_chunks() {
        assert_eq!(
            sha256(&Buffer::from("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            sha256(&Buffer::from("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let million = "a".repeat(1_000_000);
        assert_eq!(
            sha256(&Buffer::from(million.as_str())),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        );
    }
}
