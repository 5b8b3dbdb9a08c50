//! The least edits that turn a stretch of a document into a new text.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices};
use text::{Buffer, Edit, LineEnding};

/// A line with its end; the last one of a text has none.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    content: &'a str,
    end: &'a str,
}

impl Line<'_> {
    /// What two lines must share to be the same; how they end is the document's own affair.
    fn key(&self) -> (&str, bool) {
        (self.content, !self.end.is_empty())
    }

    fn len(&self) -> usize {
        self.content.len() + self.end.len()
    }
}

/// Edits, in ascending order, after which `range` of `buffer` reads `text`. Lines that stay are left alone, whatever
/// they end with; new ones end as the document's do.
pub(crate) fn edits(buffer: &Buffer, range: &Range<usize>, text: &str) -> Vec<Edit> {
    let old = buffer.slice(range.clone());
    let ending = buffer.line_ending();
    let old_lines = lines(&old);
    let new_lines = lines(text);
    let keys = |lines: &[Line<'_>]| -> Vec<(String, bool)> {
        lines.iter().map(|line| (line.content.to_owned(), line.key().1)).collect()
    };
    let ops = capture_diff_slices(Algorithm::Myers, &keys(&old_lines), &keys(&new_lines));
    let offsets: Vec<usize> = std::iter::once(0)
        .chain(old_lines.iter().scan(0, |at, line| {
            *at += line.len();
            Some(*at)
        }))
        .map(|at| range.start + at)
        .collect();
    let offset = |line: usize| offsets.get(line).copied().unwrap_or(range.start + old.len());
    ops.iter()
        .filter(|op| op.tag() != DiffTag::Equal)
        .map(|op| {
            let old_range = offset(op.old_range().start)..offset(op.old_range().end);
            let new_lines = new_lines.get(op.new_range()).unwrap_or_default();
            trimmed(buffer, Edit { range: old_range, text: joined(new_lines, ending) })
        })
        .collect()
}

/// `edit` without what its two sides share at either end.
fn trimmed(buffer: &Buffer, edit: Edit) -> Edit {
    let old = buffer.slice(edit.range.clone());
    let new = edit.text.as_str();
    let n_head: usize = old
        .chars()
        .zip(new.chars())
        .take_while(|(one, other)| one == other)
        .map(|(character, _)| character.len_utf8())
        .sum();
    // A cut between CR and LF would leave half a line end on either side.
    let n_head = if old.get(..n_head).is_some_and(|head| head.ends_with('\r')) {
        n_head - 1
    } else {
        n_head
    };
    let (old_rest, new_rest) =
        (old.get(n_head..).unwrap_or_default(), new.get(n_head..).unwrap_or_default());
    let n_tail: usize = old_rest
        .chars()
        .rev()
        .zip(new_rest.chars().rev())
        .take_while(|(one, other)| one == other)
        .map(|(character, _)| character.len_utf8())
        .sum();
    let without_tail =
        |text: &str, n_tail: usize| text.get(..text.len() - n_tail).unwrap_or_default().to_owned();
    let splits = [old_rest, new_rest].iter().any(|rest| without_tail(rest, n_tail).ends_with('\r'));
    let n_tail = if splits { n_tail.saturating_sub(1) } else { n_tail };
    Edit {
        range: edit.range.start + n_head..edit.range.end - n_tail,
        text: without_tail(new_rest, n_tail),
    }
}

fn joined(lines: &[Line<'_>], ending: LineEnding) -> String {
    let mut text = String::new();
    for line in lines {
        text.push_str(line.content);
        if !line.end.is_empty() {
            text.push_str(ending.as_str());
        }
    }
    text
}

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let n_end = if rest.get(at..).is_some_and(|end| end.starts_with("\r\n")) { 2 } else { 1 };
        lines.push(Line {
            content: rest.get(..at).unwrap_or_default(),
            end: rest.get(at..at + n_end).unwrap_or_default(),
        });
        rest = rest.get(at + n_end..).unwrap_or_default();
    }
    lines.push(Line { content: rest, end: "" });
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn applied(buffer: &Buffer, edits: &[Edit]) -> String {
        let mut after = buffer.clone();
        for edit in edits.iter().rev() {
            after.apply(edit);
        }
        after.to_string()
    }

    #[track_caller]
    fn check(old: &str, new: &str, expected: &[(&str, &str)]) {
        let buffer = Buffer::from(old);
        let edits = edits(&buffer, &(0..old.len()), new);
        let found: Vec<(String, &str)> = edits
            .iter()
            .map(|edit| (buffer.slice(edit.range.clone()).into_owned(), edit.text.as_str()))
            .collect();
        let found: Vec<(&str, &str)> =
            found.iter().map(|(old, new)| (old.as_str(), *new)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_stays_is_not_touched() {
        check("a\nb\nc\n", "a\nb\nc\n", &[]);
        check("a\nfoo(1);\nc\n", "a\nfoo(2);\nc\n", &[("1", "2")]);
        check("a\nc\n", "a\nb\nc\n", &[("", "b\n")]);
        check("a\nb\nc\n", "a\nc\n", &[("b\n", "")]);
        check("a\nb\nc\nd\n", "A\nb\nc\nD\n", &[("a", "A"), ("d", "D")]);
        check("a", "a\nb", &[("", "\nb")]);
        check("", "a\n", &[("", "a\n")]);
    }

    #[test]
    fn line_ends_are_the_documents_own() {
        check("a\r\nb\r\n", "a\nx\nb\n", &[("", "x\r\n")]);
        check("a\r\nb\r\n", "a\nb\n", &[]);
        check("a\rb", "a\nc", &[("b", "c")]);
        check("a\r\n", "a\nb\n", &[("", "b\r\n")]);
        check("a\r\nb", "a", &[("\r\nb", "")]);
    }

    proptest! {
        #[test]
        fn the_text_comes_out(old in "[ab\n]{0,12}", new in "[ab\n]{0,12}", before in "[ab\n]{0,3}", after in "[ab\n]{0,3}") {
            let buffer = Buffer::from(format!("{before}{old}{after}").as_str());
            let edits = edits(&buffer, &(before.len()..before.len() + old.len()), &new);
            prop_assert_eq!(applied(&buffer, &edits), format!("{before}{new}{after}"));
            prop_assert!(edits.windows(2).all(|pair| pair[0].range.end <= pair[1].range.start));
        }

        #[test]
        fn with_any_line_ends(old in "(a|é|\n|\r\n){0,12}", new in "[aé\n]{0,12}") {
            let buffer = Buffer::from(old.as_str());
            let after = applied(&buffer, &edits(&buffer, &(0..old.len()), &new));
            prop_assert_eq!(context::with_line_feeds(&after), new);
        }
    }
}
