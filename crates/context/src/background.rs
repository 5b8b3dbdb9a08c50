//! Text from elsewhere for a model that is told what to do with a piece of code.

use std::ops::Range;
use std::path::PathBuf;

use syntax::Language;
use tokenizer::Tokenizer;
use workspace::{Document, Snapshot, mask};

use crate::choose::choose;
use crate::encoder::Encoder;
use crate::gather::{Caret, Focus, Wanted, gather};
use crate::header::path;
use crate::piece::{Piece, PieceKind};
use crate::sources::Sources;
use crate::style::Style;
use crate::window::{BYTES_PER_TOKEN, with_line_feeds};

/// What a model is told to do something with.
#[derive(Debug, Clone)]
pub struct Subject<'a> {
    /// Need not be the one of the snapshot.
    pub document: &'a Document,
    /// Bytes of the document that the model is shown in any case.
    pub range: Range<usize>,
    /// Byte in that range near to which names count the most.
    pub at: usize,
    /// What it is told; names in it count, too.
    pub words: &'a str,
    /// Files and zero-based lines that belong to it, the most important first.
    pub related: &'a [(PathBuf, usize)],
}

/// What of the repository helps with `subject`, in fenced blocks below their paths, the better the later; `n_tokens` at most.
pub fn background(
    snapshot: &Snapshot,
    subject: &Subject<'_>,
    tokenizer: &Tokenizer,
    sources: Sources,
    n_tokens: usize,
) -> Vec<Piece> {
    if sources == Sources::NONE || n_tokens == 0 {
        return Vec::new();
    }
    let Subject { document, range, at, words, related } = subject;
    let buffer = &document.buffer;
    let line_of = |offset: usize| buffer.line_of(offset);
    let window = line_of(range.start)..line_of(range.end) + 1;
    let code = buffer.slice(range.clone());
    let code = with_line_feeds(&code);
    let line = line_of(*at).saturating_sub(window.start);
    let focus = Focus::on(&code, line, words, document.language);
    let path = path(snapshot, document);
    let max_bytes = n_tokens.saturating_mul(BYTES_PER_TOKEN / 2);
    let caret = Caret { document, path: &path, offset: *at, window: window.clone(), max_bytes };
    // The rest of the subject's own file is elsewhere, too.
    let snapshot = snapshot.with_document((*document).clone());
    let wanted = Wanted { sources, related, own: true, memo: None };
    let mut found = gather(&snapshot, &caret, &focus, wanted);
    found.retain(|snippet| {
        let is_own = snippet.path == path && snippet.kind != PieceKind::Enclosing;
        !(is_own && snippet.lines.start < window.end && window.start < snippet.lines.end)
    });
    let parts = choose(found, &[], Style::Blocks, Encoder::new(tokenizer), n_tokens);
    parts.into_iter().map(|part| part.piece).collect()
}

/// Code in a fenced block of Markdown that no fence in the code can end, with secrets masked and a line feed behind it.
pub fn fenced(language: Option<Language>, code: &str) -> String {
    let longest = code.split(|character| character != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.saturating_add(1).max(3));
    let language = language.map(Language::name).unwrap_or_default();
    format!("{fence}{language}\n{}\n{fence}\n", mask(code))
}
