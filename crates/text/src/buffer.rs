//! The rope buffer: lines, offsets, positions, slices, edits.
//!
//! Every argument is clamped: an offset to the buffer and down to a character boundary, a line to the end of the text, a column to its line.
//! Clients send positions that are stale by a keystroke, and none of them may cost more than a slightly wrong answer.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use ropey::Rope;

use crate::{Applied, Edit, Encoding, LineEnding, Position};

/// A document's text; a clone is O(1) and immutable with respect to later edits of the original.
///
/// Lines end with `\n`, `\r\n` or `\r` and nothing else, as in LSP.
#[derive(Debug, Clone, Default)]
pub struct Buffer {
    pub(crate) rope: Rope,
}

impl From<&str> for Buffer {
    fn from(text: &str) -> Self {
        Self { rope: Rope::from_str(text) }
    }
}

impl fmt::Display for Buffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chunks().try_for_each(|chunk| f.write_str(chunk))
    }
}

impl Buffer {
    /// Length in bytes of UTF-8.
    pub fn len(&self) -> usize {
        self.rope.len_bytes()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of lines, at least 1; a text that ends in a terminator has an empty last line.
    pub fn n_lines(&self) -> usize {
        self.rope.len_lines()
    }

    /// Line that holds the byte at `offset`; the last line for the end of the text and past it.
    pub fn line_of(&self, offset: usize) -> usize {
        self.rope.byte_to_line(offset.min(self.len()))
    }

    /// Byte range of a line without its terminator; the empty range at the end of the text for a line past it.
    pub fn line_range(&self, line: usize) -> Range<usize> {
        if self.n_lines() <= line {
            return self.len()..self.len();
        }
        let start = self.rope.line_to_byte(line);
        let next = self.rope.line_to_byte(line + 1);
        start..next - self.terminator_len(start, next)
    }

    /// Text of a byte range; empty when the range ends before it starts. Borrowed where it lies in one chunk.
    pub fn slice(&self, range: Range<usize>) -> Cow<'_, str> {
        let range = self.clamp(range);
        self.rope.byte_slice(range).into()
    }

    /// Largest character boundary not above `offset`.
    pub fn floor_char_boundary(&self, offset: usize) -> usize {
        if self.len() <= offset {
            return self.len();
        }
        self.rope.char_to_byte(self.rope.byte_to_char(offset))
    }

    /// The contiguous chunk that holds the byte at `offset`, and the offset at which it begins; an empty chunk at and past the end.
    pub fn chunk_at(&self, offset: usize) -> (&str, usize) {
        if self.len() <= offset {
            return ("", self.len());
        }
        let (chunk, start, _, _) = self.rope.chunk_at_byte(offset);
        (chunk, start)
    }

    /// The text in order, in pieces of about a kilobyte that end on character boundaries.
    pub fn chunks(&self) -> impl Iterator<Item = &str> {
        self.rope.chunks()
    }

    /// Byte offset of a position.
    ///
    /// A column past the end of its line clamps to before the terminator, a column inside a character rounds down to it, and a line past
    /// the end is the end of the text.
    pub fn offset(&self, position: Position, encoding: Encoding) -> usize {
        let line = usize::try_from(position.line).unwrap_or(usize::MAX);
        let column = usize::try_from(position.column).unwrap_or(usize::MAX);
        let Range { start, end } = self.line_range(line);
        match encoding {
            Encoding::Utf8 => self.floor_char_boundary(start.saturating_add(column).min(end)),
            Encoding::Utf16 => {
                let unit = self.utf16_of(start).saturating_add(column).min(self.utf16_of(end));
                self.rope.char_to_byte(self.rope.utf16_cu_to_char(unit))
            }
            Encoding::Utf32 => {
                let first = self.rope.byte_to_char(start);
                let last = self.rope.byte_to_char(end);
                self.rope.char_to_byte(first.saturating_add(column).min(last))
            }
        }
    }

    /// Position of a byte offset; an offset inside a `\r\n` is at the end of its line, for no column is left to name it.
    pub fn position(&self, offset: usize, encoding: Encoding) -> Position {
        let offset = self.floor_char_boundary(offset);
        let line = self.line_of(offset);
        let Range { start, end } = self.line_range(line);
        let offset = offset.min(end);
        let column = match encoding {
            Encoding::Utf8 => offset - start,
            Encoding::Utf16 => self.utf16_of(offset) - self.utf16_of(start),
            Encoding::Utf32 => self.rope.byte_to_char(offset) - self.rope.byte_to_char(start),
        };
        Position { line: saturating_u32(line), column: saturating_u32(column) }
    }

    /// Replaces a range by a text; a range that ends before it starts is read as the empty range at its start.
    pub fn apply(&mut self, edit: &Edit) -> Applied {
        let Range { start, end: old_end } = self.clamp(edit.range.clone());
        let new_end = start + edit.text.len();
        if start == 0 && old_end == self.len() {
            // Building a rope anew is many times faster than inserting megabytes into an emptied one.
            self.rope = Rope::from_str(&edit.text);
            return Applied { start, old_end, new_end };
        }
        let first = self.rope.byte_to_char(start);
        let last = self.rope.byte_to_char(old_end);
        self.rope.remove(first..last);
        self.rope.insert(first, &edit.text);
        Applied { start, old_end, new_end }
    }

    /// The terminator of the first terminated line, LF when there is none.
    pub fn line_ending(&self) -> LineEnding {
        let Range { end, .. } = self.line_range(0);
        match &*self.slice(end..end.saturating_add(2)) {
            "\r\n" => LineEnding::CrLf,
            terminator if terminator.starts_with('\r') => LineEnding::Cr,
            _ => LineEnding::Lf,
        }
    }

    fn clamp(&self, range: Range<usize>) -> Range<usize> {
        let start = self.floor_char_boundary(range.start);
        let end = self.floor_char_boundary(range.end);
        start..end.max(start)
    }

    /// Length of the terminator that closes `start..next`, a line together with its terminator.
    fn terminator_len(&self, start: usize, next: usize) -> usize {
        if next == start {
            return 0;
        }
        let before = start < next - 1 && self.rope.byte(next - 2) == b'\r';
        match self.rope.byte(next - 1) {
            b'\n' if before => 2,
            b'\n' | b'\r' => 1,
            _ => 0,
        }
    }

    fn utf16_of(&self, offset: usize) -> usize {
        self.rope.char_to_utf16_cu(self.rope.byte_to_char(offset))
    }
}

fn saturating_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}
