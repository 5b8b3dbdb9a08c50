//! From a snapshot and a caret to a prompt.

use text::Buffer;
use tokenizer::Tokenizer;
use workspace::{Document, Snapshot};

use crate::assemble::{Near, assemble};
use crate::header::path;
use crate::piece::{NoPrompt, Prompt};
use crate::settings::Settings;

/// Prompt for the caret at byte `offset` of `document`, which need not be the one of the snapshot. Every part is tokenised on
/// its own.
///
/// # Errors
/// [`NoPrompt`]; no prompt fails for the size of a document or of the repository.
pub fn prompt(
    snapshot: &Snapshot,
    document: &Document,
    offset: usize,
    tokenizer: &Tokenizer,
    settings: &Settings<'_>,
) -> Result<Prompt, NoPrompt> {
    let repository = document.path.as_deref().and_then(|path| snapshot.repository_name(path));
    let near = Near {
        path: &path(snapshot, document),
        repository: repository.as_deref(),
        language: document.language,
        buffer: &document.buffer,
        offset: caret_offset(&document.buffer, offset),
    };
    assemble(near, tokenizer, settings, |_| Vec::new())
}

/// Clamps `offset` to a place where a caret can stand: on a character boundary and not inside a CRLF.
pub fn caret_offset(buffer: &Buffer, offset: usize) -> usize {
    let offset = buffer.floor_char_boundary(offset);
    let before = offset.saturating_sub(1);
    if buffer.slice(before..offset.saturating_add(1)) == "\r\n" { before } else { offset }
}
