//! The text around the caret, further than a prompt reaches, and text from elsewhere: to be counted, not to be read by a model.

use tokenizer::Tokenizer;
use workspace::{Document, Snapshot};

use crate::encoder::Encoder;
use crate::gather::{Caret, Focus, Memo, Wanted, gather};
use crate::header::path;
use crate::prompt::caret_offset;
use crate::secret::masked;
use crate::sources::Sources;
use crate::window::with_line_feeds;

/// Bytes of the caret's file, before the caret and behind it.
const MAX_BEFORE: usize = 32 * 1024;
const MAX_AFTER: usize = 16 * 1024;

/// Bytes of text from elsewhere.
const MAX_ELSEWHERE: usize = 24 * 1024;

/// Texts in tokens, each on its own, without their secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Up to the caret.
    pub before: Vec<u32>,
    /// From the caret on.
    pub after: Vec<u32>,
    /// What was found elsewhere, the best first.
    pub elsewhere: Vec<Vec<u32>>,
}

/// Of the caret at byte `offset` of `document`, which need not be the one of the snapshot.
pub fn surroundings(
    snapshot: &Snapshot,
    document: &Document,
    offset: usize,
    tokenizer: &Tokenizer,
    sources: Sources,
    memo: Option<&Memo>,
) -> Surroundings {
    let offset = caret_offset(&document.buffer, offset);
    let buffer = masked(&document.buffer, offset, MAX_BEFORE);
    let start = buffer.floor_char_boundary(offset.saturating_sub(MAX_BEFORE));
    let end = buffer.floor_char_boundary(offset.saturating_add(MAX_AFTER));
    let encoder = Encoder::new(tokenizer);
    let encode = |text: &str| encoder.encode(&with_line_feeds(text));
    let before = encode(&buffer.slice(start..offset));
    let after = encode(&buffer.slice(offset..end));
    let mut elsewhere = Vec::new();
    if sources != Sources::NONE {
        let path = path(snapshot, document);
        let window = buffer.line_of(start)..buffer.line_of(end) + 1;
        let caret = Caret { document, path: &path, offset, window, max_bytes: MAX_ELSEWHERE };
        let wanted = Wanted { sources, related: &[], own: false, memo };
        let mut n_left = MAX_ELSEWHERE;
        for snippet in gather(snapshot, &caret, &Focus::new(&caret), wanted) {
            if let Some(left) = n_left.checked_sub(snippet.text.len()) {
                n_left = left;
                elsewhere.push(encoder.encode(&snippet.text));
            }
        }
    }
    Surroundings { before, after, elsewhere }
}
