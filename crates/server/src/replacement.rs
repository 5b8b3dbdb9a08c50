//! A suggestion as one replacement on one line, over the range an editor asks for.

use std::ops::Range;

use assist::Suggestion;
use text::Buffer;

/// Longest typed part of a line, in bytes, that is repeated in an answer.
const MAX_TYPED: usize = 256;

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Replacement {
    /// Bytes of the document, on one line.
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

/// `suggestion` as a replacement of at least `range`; `None` when that is not on one line.
pub(crate) fn widen(
    buffer: &Buffer,
    suggestion: &Suggestion,
    range: Range<usize>,
) -> Option<Replacement> {
    let wide = range.start.min(suggestion.range.start)..range.end.max(suggestion.range.end);
    if buffer.line_of(wide.start) != buffer.line_of(wide.end) {
        return None;
    }
    let before = buffer.slice(wide.start..suggestion.range.start);
    let after = buffer.slice(suggestion.range.end..wide.end);
    Some(Replacement { text: format!("{before}{}{after}", suggestion.text), range: wide })
}

/// From the first character typed on the caret's line to the caret, or from the word's start where that is long.
pub(crate) fn typed_part(buffer: &Buffer, caret: usize) -> Range<usize> {
    let line_start = buffer.line_range(buffer.line_of(caret)).start.min(caret);
    if MAX_TYPED < caret - line_start {
        return word(buffer, caret);
    }
    let typed = buffer.slice(line_start..caret);
    let n_indent = typed.len() - typed.trim_start().len();
    line_start + n_indent..caret
}

/// The word that ends at the caret; empty where none does.
pub(crate) fn word(buffer: &Buffer, caret: usize) -> Range<usize> {
    let line_start = buffer.line_range(buffer.line_of(caret)).start.min(caret);
    let near = buffer.floor_char_boundary(caret.saturating_sub(MAX_TYPED).max(line_start));
    let typed = buffer.slice(near..caret);
    let n_word: usize = typed
        .chars()
        .rev()
        .take_while(|character| character.is_alphanumeric() || *character == '_')
        .map(char::len_utf8)
        .sum();
    caret - n_word..caret
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_caret(marked: &str) -> (Buffer, usize) {
        let caret = marked.find('|').unwrap();
        (Buffer::from(marked.replacen('|', "", 1).as_str()), caret)
    }

    fn suggestion(range: Range<usize>, text: &str) -> Suggestion {
        Suggestion { range, text: text.into(), version: 1 }
    }

    #[track_caller]
    fn check_ranges(marked: &str, typed: &str, typed_word: &str) {
        let (buffer, caret) = at_caret(marked);
        assert_eq!(buffer.slice(typed_part(&buffer, caret)), typed);
        assert_eq!(buffer.slice(word(&buffer, caret)), typed_word);
    }

    #[test]
    fn typed_parts_and_words() {
        check_ranges("fn main() {\n    let größe = abc|d", "let größe = abc", "abc");
        check_ranges("    |", "", "");
        check_ranges("a\r\n\tö_1|\r\n", "ö_1", "ö_1");
        check_ranges("|", "", "");
        check_ranges(&format!("{} ab|", "é".repeat(200)), "ab", "ab");
        check_ranges("a.\n|", "", "");
    }

    #[test]
    fn widening_repeats_what_is_typed() {
        let (buffer, caret) = at_caret("  pri|)");
        let found = widen(&buffer, &suggestion(caret..caret + 1, "nt(1)"), word(&buffer, caret));
        assert_eq!(found, Some(Replacement { range: 2..6, text: "print(1)".into() }));
        let found = widen(&buffer, &suggestion(0..caret, "    print()"), word(&buffer, caret));
        assert_eq!(found, Some(Replacement { range: 0..5, text: "    print()".into() }));
        let found = widen(&buffer, &suggestion(caret..caret, "nt"), 2..6);
        assert_eq!(found, Some(Replacement { range: 2..6, text: "print)".into() }));
    }

    #[test]
    fn a_range_over_two_lines_is_refused() {
        let (buffer, caret) = at_caret("a|\nb");
        assert_eq!(widen(&buffer, &suggestion(caret..caret + 2, "c"), word(&buffer, caret)), None);
    }
}
