//! The suggestion that the user sees, and what becomes of it as the text changes: seen in the text itself, as not every
//! editor tells.

use text::Buffer;
use workspace::DocumentId;

/// The last suggestion that was answered.
#[derive(Debug)]
pub(crate) struct Shown {
    document: DocumentId,
    /// Where it goes, in bytes.
    start: usize,
    text: String,
    is_seen: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The text has more and more of it, but not all.
    Open,
    Taken,
    Left,
}

impl Shown {
    pub(crate) fn new(document: DocumentId, start: usize, text: String) -> Self {
        Self { document, start, text, is_seen: false }
    }

    pub(crate) fn document(&self) -> &DocumentId {
        &self.document
    }

    /// The client has told that it shows it.
    pub(crate) fn is_seen(&self) -> bool {
        self.is_seen
    }

    /// The client shows it, or another of several: the one that puts `text` at `start`, as far as it says so.
    pub(crate) fn seen(&mut self, buffer: &Buffer, start: Option<usize>, text: Option<&str>) {
        self.is_seen = true;
        let start = start.unwrap_or(self.start);
        let (Some(text), true) = (text, start <= self.start && self.start <= buffer.len()) else {
            return;
        };
        // What stands before the caret is no part of what is suggested.
        let typed = buffer.slice(start..self.start);
        if let Some(rest) = text.strip_prefix(&*typed) {
            self.text = rest.to_owned();
        }
    }

    pub(crate) fn is_of(&self, document: &DocumentId) -> bool {
        self.document == *document
    }

    /// After a change of the document that ended at byte `caret`.
    pub(crate) fn fate(&self, buffer: &Buffer, caret: usize) -> Fate {
        if caret < self.start || buffer.len() < self.start {
            return Fate::Left;
        }
        let end = buffer.floor_char_boundary(self.start.saturating_add(self.text.len()));
        let now = buffer.slice(self.start..end.max(self.start));
        let n_same = self.text.bytes().zip(now.bytes()).take_while(|(a, b)| a == b).count();
        let n_typed = caret - self.start;
        match n_same {
            _ if n_same == self.text.len() => Fate::Taken,
            _ if n_typed <= n_same => Fate::Open,
            // Who took most of it word by word and went on in another way has taken it.
            _ if self.text.len() <= 2 * n_same => Fate::Taken,
            _ => Fate::Left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `marked` has the caret; the suggestion `print(1)` was shown at its third byte.
    #[track_caller]
    fn check(marked: &str, expected: Fate) {
        let caret = marked.find('|').unwrap();
        let buffer = Buffer::from(marked.replacen('|', "", 1).as_str());
        let shown = Shown::new(DocumentId("a".into()), 2, "print(1)".into());
        assert_eq!(shown.fate(&buffer, caret), expected, "{marked}");
    }

    #[test]
    fn the_client_says_which_of_several_is_seen() {
        let buffer = Buffer::from("  let a = ");
        let mut shown = Shown::new(DocumentId("a".into()), 10, "one".into());
        shown.seen(&buffer, Some(2), Some("let a = two"));
        assert_eq!((shown.is_seen(), shown.text.as_str()), (true, "two"));
        shown.seen(&buffer, Some(2), Some("if a"));
        shown.seen(&buffer, Some(99), Some("three"));
        shown.seen(&buffer, None, None);
        assert_eq!(shown.text, "two");
        shown.seen(&buffer, None, Some("four"));
        assert_eq!(shown.text, "four");
    }

    #[test]
    fn what_becomes_of_a_suggestion_is_seen_in_the_text() {
        check("  |\n", Fate::Open);
        check("  pr|\n", Fate::Open);
        check("  p|rint(1)", Fate::Taken);
        check("  print(1)|\n", Fate::Taken);
        check("  print(1)\nmore|", Fate::Taken);
        check("  prx|\n", Fate::Left);
        check("  print(2|\n", Fate::Taken);
        check(" |", Fate::Left);
        check("|", Fate::Left);
        check("  ö|", Fate::Left);
    }
}
