//! What the user changed a short while ago, as it stands now.

use std::ops::Range;

use workspace::{Document, Snapshot, mask};

use crate::gather::Caret;
use crate::gather::excerpt::excerpt;
use crate::moved::line_now;
use crate::piece::PieceKind;
use crate::snippet::Snippet;

/// Edits looked at, the latest first, and pieces made of them.
const MAX_EDITS: usize = 24;
const MAX_FOUND: usize = 6;

/// Longer pieces are cut to the lines around the edit.
const MAX_LINES: usize = 24;

/// Lines above and below an edit that is in no short piece.
const BESIDE: usize = 4;

pub(crate) fn find(snapshot: &Snapshot, caret: &Caret<'_>) -> Vec<Snippet> {
    let edits = snapshot.edits();
    let mut found: Vec<Snippet> = Vec::new();
    for (idx, edit) in edits.iter().enumerate().rev().take(MAX_EDITS) {
        if found.len() == MAX_FOUND {
            break;
        }
        let Some(document) = snapshot.document(&edit.document) else { continue };
        let is_own = document.id == caret.document.id;
        let line = line_now(edit, edits.get(idx + 1..).unwrap_or_default());
        let Some(path) = &document.path else { continue };
        if snapshot.withholds(path)
            || document.is_large()
            || (is_own && caret.window.contains(&line))
        {
            continue;
        }
        let path = snapshot.relative_path(path);
        let is_known = |known: &Snippet| known.path == path && known.lines.contains(&line);
        if found.iter().any(is_known) {
            continue;
        }
        let lines = piece_around(document, line);
        let buffer = &document.buffer;
        let start = buffer.line_range(lines.start).start;
        let text = buffer.slice(start..buffer.line_range(lines.end.saturating_sub(1)).end);
        let text = mask(&text);
        let Some(cut) = excerpt(&text, 0..text.len()) else { continue };
        let score = 1.0 / (1.0 + found.len() as f64);
        let lines = lines.start + cut.lines.start..lines.start + cut.lines.end;
        found.push(Snippet { kind: PieceKind::Edited, path, lines, text: cut.text, score });
    }
    found
}

/// Lines of the largest short construct that holds a line, else the lines beside it.
fn piece_around(document: &Document, line: usize) -> Range<usize> {
    let buffer = &document.buffer;
    let offset = buffer.line_range(line).end;
    let scopes = document.tree().map(|tree| tree.scopes(offset)).unwrap_or_default();
    let lines = |range: &Range<usize>| buffer.line_of(range.start)..buffer.line_of(range.end) + 1;
    let mut short =
        scopes.iter().map(|scope| lines(&scope.range)).filter(|lines| lines.len() <= MAX_LINES);
    // The outermost comes last.
    short.next_back().unwrap_or_else(|| {
        line.saturating_sub(BESIDE)..line.saturating_add(BESIDE + 1).min(buffer.n_lines())
    })
}
