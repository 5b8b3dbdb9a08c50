//! What is shown of a place that the user was at: the construct around it.

use std::ops::Range;

use workspace::{Document, File, mask};

use crate::gather::excerpt::{Excerpt, excerpt};

/// Longer constructs are cut to the lines around the place.
const MAX_LINES: usize = 24;

/// Lines above and below a place that is in no short construct.
const BESIDE: usize = 4;

/// The largest short construct of an open document that holds a line, else the lines beside it.
pub(crate) fn around(document: &Document, line: usize) -> Option<Excerpt> {
    let buffer = &document.buffer;
    let offset = buffer.line_range(line).end;
    let scopes = document.tree().map(|tree| tree.scopes(offset)).unwrap_or_default();
    let lines = |range: &Range<usize>| buffer.line_of(range.start)..buffer.line_of(range.end) + 1;
    // The outermost comes last.
    let lines = scopes
        .iter()
        .map(|scope| lines(&scope.range))
        .rfind(is_short)
        .unwrap_or_else(|| beside(line, buffer.n_lines()));
    let start = buffer.line_range(lines.start).start;
    let text = buffer.slice(start..buffer.line_range(lines.end.saturating_sub(1)).end);
    let text = mask(&text);
    let cut = excerpt(&text, 0..text.len())?;
    let lines = lines.start + cut.lines.start..lines.start + cut.lines.end;
    Some(Excerpt { lines, ..cut })
}

/// The same of a file that is not open, whose masked text is `text`.
pub(crate) fn around_in(file: File<'_>, text: &str, line: usize) -> Option<Excerpt> {
    let starts: Vec<usize> =
        std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
    let line_of = |offset: usize| starts.partition_point(|start| *start <= offset) - 1;
    let lines = |range: Range<usize>| line_of(range.start)..line_of(range.end) + 1;
    // An outer definition comes before those in it.
    let lines = file
        .definitions()
        .map(|definition| lines(definition.range()))
        .find(|lines| lines.contains(&line) && is_short(lines))
        .unwrap_or_else(|| beside(line, starts.len()));
    let start = *starts.get(lines.start)?;
    let end = starts.get(lines.end).map_or(text.len(), |next| next - 1);
    excerpt(text, start..end)
}

fn is_short(lines: &Range<usize>) -> bool {
    lines.len() <= MAX_LINES
}

fn beside(line: usize, n_lines: usize) -> Range<usize> {
    line.saturating_sub(BESIDE)..line.saturating_add(BESIDE + 1).min(n_lines)
}
