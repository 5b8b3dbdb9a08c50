//! The prompt and what it was made of.

use text::Buffer;
use tokenizer::Tokenizer;
use workspace::{Document, Snapshot};

use crate::budget::Budget;
use crate::header::{header, path};
use crate::prefix::prefix;
use crate::suffix::suffix;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PieceKind {
    Path,
    Suffix,
    Prefix,
}

/// A part of the prompt and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub kind: PieceKind,
    /// Path of the file the text came from.
    pub source: String,
    /// With line feeds for line ends, whatever the document has.
    pub text: String,
    /// Tokens of `text`; the control token before it is not counted.
    pub n_tokens: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    pub tokens: Vec<u32>,
    /// In the order of the prompt.
    pub pieces: Vec<Piece>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPrompt {
    /// The model has no infilling tokens.
    NoFimTokens,
    /// The budget does not even hold the control tokens.
    BudgetTooSmall,
}

/// Fill-in-the-middle prompt for the caret at byte `offset` of `document`, in suffix-prefix-middle order:
/// `<|file_sep|>{path}\n<|fim_suffix|>{suffix}<|fim_prefix|>{prefix}<|fim_middle|>`. Typing then changes the end of the
/// prompt alone. The line of the path, the suffix and the prefix are tokenised each on its own; a vocabulary without
/// `<|file_sep|>` has no line of the path.
pub fn fim_prompt(
    snapshot: &Snapshot,
    document: &Document,
    offset: usize,
    tokenizer: &Tokenizer,
    budget: Budget,
) -> Result<Prompt, NoPrompt> {
    prompt_of(&path(snapshot, document), &document.buffer, offset, tokenizer, budget)
}

pub(crate) fn prompt_of(
    path: &str,
    buffer: &Buffer,
    offset: usize,
    tokenizer: &Tokenizer,
    budget: Budget,
) -> Result<Prompt, NoPrompt> {
    let fim = tokenizer.fim().ok_or(NoPrompt::NoFimTokens)?;
    let mut n_left = budget.n_prompt.checked_sub(3).ok_or(NoPrompt::BudgetTooSmall)?;
    let offset = caret_offset(buffer, offset);
    let mut tokens = Vec::with_capacity(budget.n_prompt.min(8192));
    let mut pieces = Vec::with_capacity(3);
    let mut piece = |kind, text, n_tokens| {
        pieces.push(Piece { kind, source: path.to_owned(), text, n_tokens });
    };

    if let Some(file_sep) = fim.file_sep
        && let Some((line, ids)) = header(path, tokenizer, (n_left / 4).saturating_sub(1))
    {
        n_left -= ids.len() + 1;
        piece(PieceKind::Path, line, ids.len());
        tokens.push(file_sep);
        tokens.extend(ids);
    }

    let suffix = suffix(buffer, offset, tokenizer, budget.n_suffix.min(n_left));
    n_left -= suffix.tokens.len();
    piece(PieceKind::Suffix, suffix.text, suffix.tokens.len());
    tokens.push(fim.suffix);
    tokens.extend(suffix.tokens);

    let prefix = prefix(buffer, offset, tokenizer, budget.n_prefix.min(n_left));
    piece(PieceKind::Prefix, prefix.text, prefix.tokens.len());
    tokens.push(fim.prefix);
    tokens.extend(prefix.tokens);

    tokens.push(fim.middle);
    Ok(Prompt { tokens, pieces })
}

/// Clamps `offset` to a place where a caret can stand: on a character boundary and not inside a CRLF.
pub fn caret_offset(buffer: &Buffer, offset: usize) -> usize {
    let offset = buffer.floor_char_boundary(offset);
    let before = offset.saturating_sub(1);
    if buffer.slice(before..offset.saturating_add(1)) == "\r\n" { before } else { offset }
}
