//! Whether a whole block may be generated at the caret.

use std::ops::Range;

use tree_sitter::Node;

use crate::place::is_comment;
use crate::{Place, Tree};

/// Comments passed over in search of code; a longer run of them is a page of prose.
const MAX_COMMENTS: usize = 64;

impl Tree {
    /// The caret stands on an otherwise empty line inside a block that has no code yet, or at the end of the header that opens one
    /// (`fn f() {`, `def f():`); a whole block may be generated there.
    ///
    /// Comments are no code, and neither is the doc string of a Python function. A block that is not closed yet ends before the next line that
    /// is not indented deeper than its header, for a grammar gives it everything that follows.
    pub fn caret_in_empty_body(&self, offset: usize) -> bool {
        let offset = self.buffer.floor_char_boundary(offset);
        let line = self.buffer.line_range(self.buffer.line_of(offset));
        let rest = self.buffer.slice(offset..line.end);
        let closed_here =
            !self.language().indentation_blocks() && rest.trim_start().starts_with('}');
        if !closed_here && !rest.trim().is_empty() {
            return false;
        }
        if self.place(offset) != Place::Code {
            return false;
        }
        let Some(opener) = self.opener_before(offset) else { return false };
        let blank_before = self.buffer.slice(line.start..offset).trim().is_empty();
        if opener.end_byte() <= line.start && !blank_before {
            return false;
        }
        if closed_here {
            return true;
        }
        let Some(next) = self.next_code(offset) else { return true };
        if self.indentation(opener.start_byte()) < self.indentation(next) {
            return false;
        }
        self.language().indentation_blocks() || self.has_error() || is_empty_block(opener)
    }

    /// The token before `offset`, if it opens a block: comments and a doc string may stand between.
    fn opener_before(&self, offset: usize) -> Option<Node<'_>> {
        let path = self.path(self.previous_code(offset)?);
        if !self.language().indentation_blocks() {
            return path.last().copied().filter(|&leaf| opens_bracket_block(leaf));
        }
        let token = match doc_string(&path) {
            Some(doc_string) => self.path(self.previous_code(doc_string.start)?).last().copied()?,
            None => path.last().copied()?,
        };
        Some(token).filter(|&token| self.opens_indented_block(token))
    }

    fn opens_indented_block(&self, token: Node<'_>) -> bool {
        if token.kind() != ":" {
            return false;
        }
        let Some(parent) = token.parent() else { return false };
        if !parent.is_error() {
            let kind = parent.kind();
            return ["_clause", "_definition", "_statement"]
                .iter()
                .any(|suffix| kind.ends_with(suffix));
        }
        let line = self.buffer.line_range(self.buffer.line_of(token.start_byte()));
        let text = self.buffer.slice(line.start..token.start_byte());
        let word = text
            .trim_start()
            .split(|character: char| !character.is_alphanumeric() && character != '_')
            .next();
        matches!(
            word,
            Some(
                "async"
                    | "case"
                    | "class"
                    | "def"
                    | "elif"
                    | "else"
                    | "except"
                    | "finally"
                    | "for"
                    | "if"
                    | "match"
                    | "try"
                    | "while"
                    | "with"
            )
        )
    }

    /// Offset of the last byte of code before `offset`.
    fn previous_code(&self, mut offset: usize) -> Option<usize> {
        for _ in 0..MAX_COMMENTS {
            let last = self.trim_end(offset).checked_sub(1)?;
            match self.comment_at(last) {
                Some(comment) => offset = comment.start,
                None => return Some(last),
            }
        }
        None
    }

    /// Offset of the first byte of code at or after `offset`.
    fn next_code(&self, mut offset: usize) -> Option<usize> {
        for _ in 0..MAX_COMMENTS {
            let first = self.trim_start(offset);
            if self.buffer.len() <= first {
                return None;
            }
            match self.comment_at(first) {
                Some(comment) => offset = comment.end,
                None => return Some(first),
            }
        }
        None
    }

    fn comment_at(&self, offset: usize) -> Option<Range<usize>> {
        self.path(offset)
            .into_iter()
            .find(|node| node.is_named() && is_comment(node.kind()))
            .map(|node| node.byte_range())
    }
}

/// A `{` that begins statements or members rather than a value, a pattern or a list of names.
fn opens_bracket_block(token: Node<'_>) -> bool {
    if token.kind() != "{" {
        return false;
    }
    let Some(parent) = token.parent() else { return false };
    !matches!(
        parent.kind(),
        "export_clause"
            | "field_initializer_list"
            | "initializer_list"
            | "jsx_expression"
            | "literal_value"
            | "named_imports"
            | "object"
            | "object_pattern"
            | "struct_pattern"
            | "use_list"
    )
}

fn is_empty_block(opener: Node<'_>) -> bool {
    let mut next = opener.next_sibling();
    while let Some(comment) = next.filter(|node| is_comment(node.kind())) {
        next = comment.next_sibling();
    }
    next.is_some_and(|node| node.kind() == "}")
}

/// The doc string that ends a path to a leaf: a lone string that begins a block.
fn doc_string(path: &[Node<'_>]) -> Option<Range<usize>> {
    let statement = path.iter().rposition(|node| node.kind() == "expression_statement")?;
    let [block, statement, string, ..] = path.get(statement.checked_sub(1)?..)? else {
        return None;
    };
    let first = block.kind() == "block" && block.start_byte() == statement.start_byte();
    (first && string.kind() == "string" && string.byte_range() == statement.byte_range())
        .then(|| statement.byte_range())
}
