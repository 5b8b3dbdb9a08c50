//! From a snapshot and a caret to a prompt.

use text::Buffer;
use tokenizer::Tokenizer;
use workspace::{Document, Snapshot, holds_secrets};

use crate::assemble::{Near, assemble};
use crate::gather::{Caret, Focus, Wanted, gather};
use crate::header::path;
use crate::piece::{NoPrompt, Prompt};
use crate::secret::masked;
use crate::settings::Settings;
use crate::window::BYTES_PER_TOKEN;

/// Code takes some three bytes a token.
const TYPICAL_BYTES_PER_TOKEN: usize = 3;

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
    if document.path.as_deref().is_some_and(holds_secrets) {
        return Err(NoPrompt::SecretFile);
    }
    let offset = caret_offset(&document.buffer, offset);
    let reach = settings.budget.n_prompt.saturating_mul(BYTES_PER_TOKEN);
    let buffer = masked(&document.buffer, offset, reach);
    let path = path(snapshot, document);
    let repository = document.path.as_deref().and_then(|path| snapshot.repository_name(path));
    let near = Near {
        path: &path,
        repository: repository.as_deref(),
        language: document.language,
        buffer: &buffer,
        offset,
    };
    assemble(near, tokenizer, settings, |window, n_tokens| {
        let max_bytes = n_tokens.saturating_mul(TYPICAL_BYTES_PER_TOKEN);
        let caret = Caret { document, path: &path, offset, window, max_bytes };
        let (sources, memo) = (settings.sources, settings.memo);
        let wanted = Wanted { sources, related: &[], own: false, memo };
        gather(snapshot, &caret, &Focus::new(&caret), wanted)
    })
}

/// Clamps `offset` to a place where a caret can stand: on a character boundary and not inside a CRLF.
pub fn caret_offset(buffer: &Buffer, offset: usize) -> usize {
    let offset = buffer.floor_char_boundary(offset);
    let before = offset.saturating_sub(1);
    if buffer.slice(before..offset.saturating_add(1)) == "\r\n" { before } else { offset }
}
