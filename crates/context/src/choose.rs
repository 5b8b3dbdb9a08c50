//! The choice of what of the text from elsewhere fits into a prompt.

use std::cmp::Ordering;
use std::ops::Range;

use crate::encoder::Encoder;
use crate::piece::{Part, Piece, PieceKind};
use crate::snippet::Snippet;
use crate::style::Style;
use crate::window::BYTES_PER_TOKEN;

/// What was in the last prompt counts for so much more than what was not, so that the choice stays as it is while the user
/// types and the scores change a little.
const KEPT_WEIGHT: f64 = 1.5;

/// Candidates that are looked at; the rest is far down in the order anyway.
const MAX_CANDIDATES: usize = 24;

/// What of `candidates` fits into `n_tokens`, in the order of the prompt: first what was in the `previous` prompt, in the
/// order it had there; then what is new, the better the nearer to the caret; and last what the user is editing, which
/// changes the most.
pub(crate) fn choose(
    mut candidates: Vec<Snippet>,
    previous: &[Piece],
    style: Style,
    encoder: Encoder<'_>,
    n_tokens: usize,
) -> Vec<Part> {
    let position = |snippet: &Snippet| previous.iter().position(|piece| is_same(snippet, piece));
    for candidate in &mut candidates {
        if position(candidate).is_some() {
            candidate.score *= KEPT_WEIGHT;
        }
    }
    candidates.sort_by(best_first);
    let mut n_left = n_tokens;
    let mut chosen: Vec<(Snippet, Part)> = Vec::new();
    for candidate in candidates.into_iter().take(MAX_CANDIDATES) {
        // No text takes fewer tokens than this, so a long one need not be tokenised to see that it does not fit.
        if n_left.saturating_mul(BYTES_PER_TOKEN) < candidate.text.len() {
            continue;
        }
        let part = style.snippet(&candidate, encoder);
        if n_left < part.tokens.len() {
            continue;
        }
        n_left -= part.tokens.len();
        chosen.push((candidate, part));
    }
    chosen.sort_by(|(one, _), (other, _)| {
        let is_edited = |snippet: &Snippet| snippet.kind == PieceKind::Edited;
        let age = |snippet: &Snippet| position(snippet).unwrap_or(usize::MAX);
        is_edited(one)
            .cmp(&is_edited(other))
            .then_with(|| age(one).cmp(&age(other)))
            .then_with(|| best_first(other, one))
    });
    chosen.into_iter().map(|(_, part)| part).collect()
}

fn is_same(snippet: &Snippet, piece: &Piece) -> bool {
    let overlap = |lines: &Range<usize>| {
        lines.start < snippet.lines.end.max(1) && snippet.lines.start < lines.end.max(1)
    };
    piece.kind.is_snippet()
        && piece.source == snippet.path
        && piece.lines.as_ref().is_some_and(overlap)
}

/// Ties are broken by place, so that the order is the same on every machine.
fn best_first(one: &Snippet, other: &Snippet) -> Ordering {
    other
        .score
        .total_cmp(&one.score)
        .then_with(|| one.path.cmp(&other.path))
        .then_with(|| one.lines.start.cmp(&other.lines.start))
}
