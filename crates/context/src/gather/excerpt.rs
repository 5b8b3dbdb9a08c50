//! Whole lines cut out of a text.

use std::ops::Range;

use crate::window::with_line_feeds;

/// Lines of a file as a snippet shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Excerpt {
    /// Zero-based.
    pub(crate) lines: Range<usize>,
    /// Without the indentation that all its lines share, with a line feed at the end.
    pub(crate) text: String,
}

/// The whole lines that hold `range` of `text`; `None` when there is nothing in them.
pub(crate) fn excerpt(text: &str, range: Range<usize>) -> Option<Excerpt> {
    let before = text.get(..range.start)?;
    let start = before.rfind('\n').map_or(0, |line_feed| line_feed + 1);
    let behind = text.get(range.end.max(range.start)..)?;
    let end =
        behind.find('\n').map_or(text.len(), |line_feed| text.len() - behind.len() + line_feed);
    let cut = with_line_feeds(text.get(start..end)?);
    let first = n_line_feeds(text.get(..start)?);
    let lines = first..first + n_line_feeds(cut.trim_end()) + 1;
    let text = dedented(cut.trim_end());
    (!text.trim().is_empty()).then_some(Excerpt { lines, text })
}

/// Without the white space that all lines begin with, and with a line feed at the end.
pub(crate) fn dedented(text: &str) -> String {
    let indentation = |line: &&str| line.len() - line.trim_start_matches([' ', '\t']).len();
    let filled = text.lines().filter(|line| !line.trim().is_empty());
    let shared = filled.map(|line| indentation(&line)).min().unwrap_or(0);
    let mut dedented = String::with_capacity(text.len() + 1);
    for line in text.lines() {
        dedented.push_str(line.get(shared..).unwrap_or_default());
        dedented.push('\n');
    }
    dedented
}

pub(crate) fn n_line_feeds(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(marked: &str, lines: Range<usize>, expected: &str) {
        let start = marked.find('<').unwrap();
        let end = marked.find('>').unwrap() - 1;
        let text = marked.replacen(['<', '>'], "", 2);
        let found = excerpt(&text, start..end).unwrap();
        assert_eq!((found.lines, found.text.as_str()), (lines, expected));
    }

    #[test]
    fn lines_are_whole_and_moved_to_the_left() {
        check("a\n  <b {\n    c\n  }>\nd\n", 1..4, "b {\n  c\n}\n");
        check("<a>", 0..1, "a\n");
        check("a\r\n  <b\r\n\r\n  c>;\r\n", 1..4, "b\n\nc;\n");
        assert_eq!(excerpt("a\n   \nb", 3..4), None);
        assert_eq!(excerpt("a", 3..4), None);
    }
}
