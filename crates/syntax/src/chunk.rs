//! Cuts a file into chunks on syntax boundaries: whole items where they fit, long ones between their members or statements.

use std::ops::Range;

use text::Buffer;
use tree_sitter::Node;

use crate::Tree;
use crate::place::is_comment;

/// Items are put together up to this share of the longest chunk, so that imports and constants do not make a chunk each.
const JOINED_SHARE: usize = 3;

/// Deeper nesting is cut by lines.
const MAX_DEPTH: usize = 48;

/// Byte ranges of about `max_bytes` at most that lie in order and hold all lines that are not blank; `tree` is that of `buffer`, or `None`,
/// whereupon chunks are cut between paragraphs.
///
/// A chunk begins at the start of a line and ends behind the last character of one. Comments, attributes and decorators stay with the item
/// below them. Only a line that is longer than `max_bytes` makes a longer chunk.
pub fn chunks(tree: Option<&Tree>, buffer: &Buffer, max_bytes: usize) -> Vec<Range<usize>> {
    let whole = 0..buffer.len();
    let mut cuts = Vec::new();
    if let Some(tree) = tree {
        let mut cutter = Cutter { buffer, max_bytes, cuts: &mut cuts };
        cutter.cut(tree.root(), whole.clone(), MAX_DEPTH);
    }
    cuts.push(whole.end);
    let mut start = 0;
    let mut chunks = Vec::new();
    for end in cuts {
        let mut lines = Vec::new();
        // A long comment or literal has no syntax to be cut at.
        cut_lines(buffer, &(start..end), max_bytes, &mut lines);
        lines.push(end);
        for end in lines {
            if start < end {
                chunks.extend(trim(buffer, start..end));
                start = end;
            }
        }
    }
    chunks
}

struct Cutter<'a> {
    buffer: &'a Buffer,
    max_bytes: usize,
    /// Where chunks begin, in ascending order.
    cuts: &'a mut Vec<usize>,
}

impl Cutter<'_> {
    /// Cuts `range`, which holds `node` and what belongs to it.
    fn cut(&mut self, node: Node<'_>, range: Range<usize>, depth: usize) {
        if range.len() <= self.max_bytes {
            // The file as a whole is no item: even a short one is cut between those it has.
            if node.parent().is_some() || range.len() <= self.max_bytes / JOINED_SHARE {
                return;
            }
        }
        let container = node.child_by_field_name("body").unwrap_or(node);
        let units = self.units(container, &range);
        if depth == 0 || units.is_empty() {
            return;
        }
        let joined = self.max_bytes / JOINED_SHARE;
        // The header of an item stays with its first member.
        let mut chunk_start = range.start;
        let mut is_first = true;
        for (idx, (start, child)) in units.iter().enumerate() {
            let start = if is_first { range.start } else { *start };
            let end = units.get(idx + 1).map_or(range.end, |(next, _)| *next);
            if !is_first && joined < end - chunk_start {
                self.cuts.push(start);
                chunk_start = start;
            }
            if self.max_bytes < end - start {
                self.cut(*child, start..end, depth - 1);
                // Whatever follows is not joined to the last piece of a long item.
                chunk_start = start;
            }
            is_first = false;
        }
    }

    /// The children of `node` that begin on a line of their own, each with the start of the first comment or attribute above it.
    fn units<'tree>(&self, node: Node<'tree>, range: &Range<usize>) -> Vec<(usize, Node<'tree>)> {
        let mut units: Vec<(usize, Node<'_>)> = Vec::new();
        let mut above: Option<usize> = None;
        let mut cursor = node.walk();
        for child in node.named_children(&mut cursor) {
            let Some(start) = self.line_start(child.start_byte()) else { continue };
            if start < range.start {
                continue;
            }
            let start = *above.get_or_insert(start);
            if belongs_below(child.kind()) && !self.blank_line_after(child.end_byte()) {
                continue;
            }
            above = None;
            if units.last().is_none_or(|(last, _)| *last < start) {
                units.push((start, child));
            }
        }
        units
    }

    /// Where the line of `offset` begins, if only white space stands before it there.
    fn line_start(&self, offset: usize) -> Option<usize> {
        let start = self.buffer.line_range(self.buffer.line_of(offset)).start;
        self.buffer.slice(start..offset).trim().is_empty().then_some(start)
    }

    fn blank_line_after(&self, end: usize) -> bool {
        // Some line comments hold their terminator.
        let line = self.buffer.line_of(end.saturating_sub(1));
        let next = self.buffer.line_range(line + 1);
        self.buffer.slice(next).trim().is_empty()
    }
}

fn belongs_below(kind: &str) -> bool {
    is_comment(kind)
        || matches!(
            kind,
            "annotation"
                | "attribute_item"
                | "attribute_list"
                | "decorator"
                | "inner_attribute_item"
        )
}

/// Cuts before the line that would make a chunk too long, or before an earlier blank line in its second half.
fn cut_lines(buffer: &Buffer, range: &Range<usize>, max_bytes: usize, cuts: &mut Vec<usize>) {
    let mut chunk_start = range.start;
    let mut paragraph: Option<usize> = None;
    let mut line = buffer.line_of(range.start);
    while line < buffer.n_lines() {
        let Range { start, end } = buffer.line_range(line);
        if range.end <= start {
            break;
        }
        // What follows a cut at an earlier paragraph may still be too long with this line.
        while max_bytes < end - chunk_start && chunk_start < start {
            let cut = paragraph.filter(|cut| max_bytes / 2 < cut - chunk_start).unwrap_or(start);
            cuts.push(cut);
            chunk_start = cut;
            paragraph = None;
        }
        if buffer.slice(start..end).trim().is_empty() {
            paragraph = Some(buffer.line_range(line + 1).start).filter(|next| *next < range.end);
        }
        line += 1;
    }
}

/// `range` without blank lines at its start and white space at its end.
fn trim(buffer: &Buffer, range: Range<usize>) -> Option<Range<usize>> {
    let text = buffer.slice(range.clone());
    let end = range.start + text.trim_end().len();
    let first = range.start + (text.len() - text.trim_start().len());
    let start = buffer.line_range(buffer.line_of(first)).start.max(range.start);
    (start < end).then_some(start..end)
}
