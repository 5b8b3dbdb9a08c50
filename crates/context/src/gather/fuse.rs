//! Many lists of candidates made one: fused by rank, and without what is there already.

use std::collections::HashSet;

use crate::gather::Caret;
use crate::snippet::Snippet;
use crate::window::with_line_feeds;

/// How slowly the score falls with the rank (Cormack, Clarke and Buettcher 2009 use 60 for lists of a thousand; these have ten).
const RANK_OFFSET: f64 = 8.0;

/// Two texts are the same when they share so much.
const SAME: f64 = 0.5;

/// Candidates of one source, best first.
#[derive(Debug)]
pub(crate) struct Ranked {
    pub(crate) weight: f64,
    pub(crate) found: Vec<Snippet>,
}

/// Candidates by the sum of what their ranks are worth, best first. One that says what the window says already is left out,
/// and so is one that says what a better one says.
pub(crate) fn fuse(lists: Vec<Ranked>, caret: &Caret<'_>) -> Vec<Snippet> {
    let mut fused: Vec<Snippet> = Vec::new();
    for Ranked { weight, found } in lists {
        for (rank, snippet) in found.into_iter().enumerate() {
            let score = weight * (RANK_OFFSET + 1.0) / (RANK_OFFSET + 1.0 + rank as f64);
            let mut merged = Snippet { score, ..snippet };
            fused.retain_mut(|known| {
                let overlaps = known.path == merged.path
                    && known.lines.start < merged.lines.end
                    && merged.lines.start < known.lines.end;
                if overlaps {
                    merged = one_of(known, &merged, caret.max_bytes / 3);
                }
                !overlaps
            });
            fused.push(merged);
        }
    }
    fused.sort_by(|one, other| {
        other
            .score
            .total_cmp(&one.score)
            .then_with(|| one.path.cmp(&other.path))
            .then_with(|| one.lines.start.cmp(&other.lines.start))
    });
    let buffer = &caret.document.buffer;
    let start = buffer.line_range(caret.window.start).start;
    let window = buffer.slice(start..buffer.line_range(caret.window.end).end);
    let window = with_line_feeds(&window);
    let window = lines_of(&window);
    let mut kept: Vec<Snippet> = Vec::new();
    for snippet in fused {
        let lines = lines_of(&snippet.text);
        let n_in_window = lines.intersection(&window).count();
        let repeats = |known: &Snippet| {
            let other = lines_of(&known.text);
            let n_common = lines.intersection(&other).count();
            SAME < 2.0 * n_common as f64 / (lines.len() + other.len()).max(1) as f64
        };
        // The window is much longer than a snippet, so what counts is the share of the snippet that it holds.
        let is_shown = SAME < n_in_window as f64 / lines.len().max(1) as f64;
        if !lines.is_empty() && !is_shown && !kept.iter().any(repeats) {
            kept.push(snippet);
        }
    }
    kept
}

/// Of two snippets of the same place the longer one, unless it takes more than its share; with what speaks for both.
fn one_of(known: &Snippet, other: &Snippet, share: usize) -> Snippet {
    let (short, long) = match known.text.len() < other.text.len() {
        true => (known, other),
        false => (other, known),
    };
    let kept = if long.text.len() <= share { long } else { short };
    Snippet { kind: known.kind, score: known.score + other.score, ..kept.clone() }
}

/// What the lines say, without brackets alone.
fn lines_of(text: &str) -> HashSet<&str> {
    let trimmed = text.lines().map(str::trim);
    trimmed.filter(|line| line.chars().any(char::is_alphanumeric)).collect()
}
