//! What the user changed a short while ago, as it stands now.

use workspace::Snapshot;

use crate::gather::Caret;
use crate::gather::around::around;
use crate::gather::excerpt::Excerpt;
use crate::moved::line_now;
use crate::piece::PieceKind;
use crate::snippet::Snippet;

/// Edits looked at, the latest first, and pieces made of them.
const MAX_EDITS: usize = 24;
const MAX_FOUND: usize = 6;

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
        let Some(Excerpt { lines, text }) = around(document, line) else { continue };
        let score = 1.0 / (1.0 + found.len() as f64);
        found.push(Snippet { kind: PieceKind::Edited, path, lines, text, score });
    }
    found
}
