//! A run of edits as disjoint hunks between the first text and the last.
//!
//! tree-sitter wants rows and columns on both sides of every edit, yet the texts between the edits of a run are gone. Hunks, taken from the
//! last to the first, need positions of the first text and contents of the last alone.

use std::ops::Range;

use text::{Applied, Buffer};
use tree_sitter::{InputEdit, Point};

/// More edits than this (a replace-all) become one hunk: merging is quadratic, and that much change is parsed again anyway.
const MAX_EDITS: usize = 256;

/// `old` of the first text became `new` of the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hunk {
    pub(crate) old: Range<usize>,
    pub(crate) new: Range<usize>,
}

/// Hunks of `edits` in rising order; none touches the next.
pub(crate) fn hunks(edits: &[Applied]) -> Vec<Hunk> {
    let mut hunks: Vec<Hunk> = Vec::new();
    let one_hunk = MAX_EDITS < edits.len();
    for edit in edits {
        let touched = if one_hunk {
            0..hunks.len()
        } else {
            let first = hunks.partition_point(|hunk| hunk.new.end < edit.start);
            first..hunks.partition_point(|hunk| hunk.new.start <= edit.old_end).max(first)
        };
        // Between hunks an offset differs from its old value by what the hunks before it added.
        let to_old = |offset: usize, before: &[Hunk]| match before.last() {
            Some(hunk) if hunk.new.end <= offset => offset - hunk.new.end + hunk.old.end,
            _ => offset,
        };
        let (before, rest) = hunks.split_at(touched.start);
        let inside = &rest[..touched.len()];
        let mut merged = Hunk {
            old: to_old(edit.start, before)..to_old(edit.old_end, &hunks[..touched.end]),
            new: edit.start..edit.old_end,
        };
        if let (Some(first), Some(last)) = (inside.first(), inside.last()) {
            if first.new.start <= merged.new.start {
                (merged.old.start, merged.new.start) = (first.old.start, first.new.start);
            }
            if merged.new.end <= last.new.end {
                (merged.old.end, merged.new.end) = (last.old.end, last.new.end);
            }
        }
        let shift = |offset: usize| offset - edit.old_end + edit.new_end;
        merged.new.end = shift(merged.new.end);
        for hunk in &mut hunks[touched.end..] {
            hunk.new = shift(hunk.new.start)..shift(hunk.new.end);
        }
        hunks.splice(touched, [merged]);
    }
    hunks
}

/// The edits to make to a tree of `before`, in order, so that it can be parsed against `after`.
pub(crate) fn input_edits(before: &Buffer, edits: &[Applied], after: &Buffer) -> Vec<InputEdit> {
    let hunks = hunks(edits);
    let mut points = Vec::with_capacity(hunks.len());
    let mut at = (0, Point::new(0, 0));
    for hunk in &hunks {
        let start = advance(before, at.0..hunk.old.start, at.1);
        let old_end = advance(before, hunk.old.clone(), start);
        at = (hunk.old.end, old_end);
        points.push((start, old_end));
    }
    let edit = |(hunk, (start, old_end)): (Hunk, (Point, Point))| InputEdit {
        start_byte: hunk.old.start,
        old_end_byte: hunk.old.end,
        new_end_byte: hunk.old.start + hunk.new.len(),
        start_position: start,
        old_end_position: old_end,
        new_end_position: advance(after, hunk.new, start),
    };
    hunks.into_iter().zip(points).rev().map(edit).collect()
}

/// The point behind `range`, which begins at `point`: rows count line feeds alone, whatever the document's lines are, and columns bytes.
fn advance(buffer: &Buffer, range: Range<usize>, mut point: Point) -> Point {
    let mut at = range.start;
    while at < range.end {
        let (chunk, start) = buffer.chunk_at(at);
        let end = range.end.min(start + chunk.len());
        let Some(bytes) =
            chunk.as_bytes().get(at - start..end - start).filter(|bytes| !bytes.is_empty())
        else {
            break;
        };
        point.row += bytes.iter().filter(|&&byte| byte == b'\n').count();
        match bytes.iter().rposition(|&byte| byte == b'\n') {
            Some(line_feed) => point.column = bytes.len() - line_feed - 1,
            None => point.column += bytes.len(),
        }
        at = end;
    }
    point
}
