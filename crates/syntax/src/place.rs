//! Whether the caret stands in code, a comment or a string.

use tree_sitter::Node;

use crate::Tree;
use crate::unclosed::place_at_end;

/// Lines longer than this are generated, and typing in them is nobody's habit.
const MAX_LINE: usize = 4096;

/// What an offset lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Code,
    Comment,
    String,
}

impl Tree {
    /// What a character typed at `offset` would belong to.
    ///
    /// Behind a closed string or block comment that is code; at the end of a line comment it is the comment. Interpolations inside strings
    /// are code, character and regex literals are strings. A string or comment that is still open on the line of `offset` counts although
    /// no grammar accepts it yet.
    pub fn place(&self, offset: usize) -> Place {
        let offset = self.buffer.floor_char_boundary(offset);
        match self.parsed_place(offset) {
            Place::Code if self.has_error() => self.place_on_broken_line(offset),
            place => place,
        }
    }

    fn parsed_place(&self, offset: usize) -> Place {
        let Some(last) = offset.checked_sub(1) else { return Place::Code };
        for node in self.path(last).into_iter().rev().filter(Node::is_named) {
            let at_end = node.end_byte() == offset;
            match node.kind() {
                "interpolation" | "template_substitution" | "template_type"
                    if !(at_end && is_closed(node)) =>
                {
                    return Place::Code;
                }
                kind if is_string(kind) && !(at_end && is_closed(node)) => return Place::String,
                kind if is_comment(kind) && !(at_end && self.comment_is_closed(node)) => {
                    return Place::Comment;
                }
                _ => {}
            }
        }
        Place::Code
    }

    fn place_on_broken_line(&self, offset: usize) -> Place {
        let start = self.buffer.line_range(self.buffer.line_of(offset)).start;
        // A line that begins inside a string or comment has its quotes the other way round.
        if MAX_LINE < offset - start || self.parsed_place(start) != Place::Code {
            return Place::Code;
        }
        place_at_end(self.language(), &self.buffer.slice(start..offset))
    }

    /// A block comment with its end, or a line comment with its terminator, which some grammars count in.
    fn comment_is_closed(&self, comment: Node<'_>) -> bool {
        let range = comment.byte_range();
        let tail = self.buffer.slice(range.end.saturating_sub(2).max(range.start)..range.end);
        let head = self.buffer.slice(range.start..range.end.min(range.start + 2));
        tail.ends_with(['\n', '\r'])
            || (head == "/*" && tail == "*/")
            || (head == "<!" && tail == "->")
    }
}

pub(crate) fn is_comment(kind: &str) -> bool {
    matches!(kind, "block_comment" | "comment" | "html_comment" | "line_comment")
}

pub(crate) fn is_string(kind: &str) -> bool {
    matches!(
        kind,
        "char_literal"
            | "interpreted_string_literal"
            | "raw_string_literal"
            | "regex"
            | "rune_literal"
            | "string"
            | "string_literal"
            | "verbatim_string_literal"
            | "character_literal"
            | "raw_string"
            | "heredoc_body"
            | "ansi_c_string"
            | "interpolated_string_expression"
            | "system_lib_string"
            | "template_literal_type"
            | "template_string"
    )
}

/// A leaf cannot end without its delimiter; a parent may have been given one that is not there.
fn is_closed(node: Node<'_>) -> bool {
    match node.child_count().checked_sub(1).and_then(|last| node.child(last)) {
        Some(last) => !last.is_missing(),
        None => true,
    }
}
