//! A document with a hole in it: what the model is to fill, and what is fixed around that.

use std::ops::Range;

use text::{Buffer, Edit};
use workspace::{Document, Snapshot};

/// Lines looked at for the unit of indentation.
const N_LINES: usize = 2000;

/// What goes in place of `range`: `before`, then what the model writes, then `after`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hole {
    /// Bytes of the document.
    pub(crate) range: Range<usize>,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// The document as the model sees it, and where it writes.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) snapshot: Snapshot,
    pub(crate) document: Document,
    pub(crate) caret: usize,
}

impl Hole {
    pub(crate) fn open(&self, snapshot: &Snapshot, document: &Document) -> Opened {
        let text = format!("{}{}", self.before, self.after);
        let document = document.edited(&Edit { range: self.range.clone(), text });
        Opened {
            caret: self.range.start + self.before.len(),
            snapshot: snapshot.with_document(document.clone()),
            document,
        }
    }

    /// What comes in place of the range.
    pub(crate) fn filled(&self, written: &str) -> String {
        format!("{}{written}{}", self.before, self.after)
    }
}

/// White space that begins the line of `offset`.
pub(crate) fn indent_of(buffer: &Buffer, offset: usize) -> String {
    let line = buffer.line_range(buffer.line_of(offset));
    let text = buffer.slice(line);
    text.chars().take_while(|character| matches!(character, ' ' | '\t')).collect()
}

/// How the document indents by one level; four spaces where it does not show.
pub(crate) fn indent_unit(buffer: &Buffer) -> String {
    let lines = 0..buffer.n_lines().min(N_LINES);
    let mut least = usize::MAX;
    for line in lines {
        let text = buffer.slice(buffer.line_range(line));
        if text.starts_with('\t') {
            return "\t".to_owned();
        }
        let n_spaces = text.len() - text.trim_start_matches(' ').len();
        // A single space is that of a block comment.
        if 2 <= n_spaces && n_spaces < text.len() {
            least = least.min(n_spaces);
        }
    }
    " ".repeat(if least <= 8 { least } else { 4 })
}

/// `range` without the white space at its ends.
pub(crate) fn without_margins(buffer: &Buffer, range: &Range<usize>) -> Range<usize> {
    let text = buffer.slice(range.clone());
    let start = range.start + (text.len() - text.trim_start().len());
    start..(range.start + text.trim_end().len()).max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indentation_is_read_off_the_document() {
        let unit = |text: &str| indent_unit(&Buffer::from(text));
        assert_eq!(unit("a\n  b\n    c\n"), "  ");
        assert_eq!(unit("/*\n * x\n */\nf() {\n    a\n}\n"), "    ");
        assert_eq!(unit("f\n\ta\n"), "\t");
        assert_eq!(unit("a\n"), "    ");
        assert_eq!(indent_of(&Buffer::from("a\n \t b"), 5), " \t ");
    }

    #[test]
    fn margins() {
        let buffer = Buffer::from("é  \n ab c \n");
        assert_eq!(without_margins(&buffer, &(2..buffer.len())), 6..10);
        assert_eq!(without_margins(&buffer, &(2..5)), 5..5);
    }
}
