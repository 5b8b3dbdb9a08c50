//! Trees: parsed whole or from an earlier tree, always within a budget of bytes and time.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use text::{Applied, Buffer};
use tree_sitter::{Node, ParseOptions, ParseState, Parser};

use crate::Language;
use crate::hunk::input_edits;

/// Texts longer than this are not parsed.
pub const MAX_BYTES: usize = 4 << 20;

/// Opening a document may take this long: some megabytes of ordinary code, and all the patience there is for hostile text.
const PARSE_LIMIT: Duration = Duration::from_secs(2);

/// A reparse stands between a keystroke and its answer.
const REPARSE_LIMIT: Duration = Duration::from_millis(500);

/// A parsed document together with the text it was parsed from; a clone is cheap.
#[derive(Debug, Clone)]
pub struct Tree {
    language: Language,
    pub(crate) buffer: Buffer,
    tree: tree_sitter::Tree,
}

impl Tree {
    /// Parses a whole buffer; `None` when it is longer than [`MAX_BYTES`] or the time limit ran out.
    pub fn parse(language: Language, buffer: &Buffer) -> Option<Self> {
        parse_within(PARSE_LIMIT, language, buffer, None)
    }

    /// The tree of `after`, re-using this one; `edits` lead in order from this tree's text to `after`. `None` as for [`Tree::parse`].
    pub fn reparse(&self, edits: &[Applied], after: &Buffer) -> Option<Self> {
        let mut old = self.tree.clone();
        for edit in input_edits(&self.buffer, edits, after) {
            old.edit(&edit);
        }
        parse_within(REPARSE_LIMIT, self.language, after, Some(&old))
    }

    pub fn language(&self) -> Language {
        self.language
    }

    pub fn has_error(&self) -> bool {
        self.root().has_error()
    }

    /// S-expression, for tests.
    pub fn to_sexp(&self) -> String {
        self.root().to_sexp()
    }

    pub(crate) fn root(&self) -> Node<'_> {
        self.tree.root_node()
    }

    /// Nodes that cover the byte at `offset`, from the root to a leaf; the root alone where nothing else does.
    pub(crate) fn path(&self, offset: usize) -> Vec<Node<'_>> {
        let mut cursor = self.tree.walk();
        let mut path = vec![cursor.node()];
        while cursor.goto_first_child_for_byte(offset).is_some()
            && cursor.node().start_byte() <= offset
        {
            path.push(cursor.node());
        }
        path
    }

    /// Offset behind the last character before `offset` that is not white space; 0 when there is none.
    pub(crate) fn trim_end(&self, mut offset: usize) -> usize {
        while 0 < offset {
            let (chunk, start) = self.buffer.chunk_at(offset - 1);
            let kept = chunk.get(..offset - start).unwrap_or(chunk).trim_end().len();
            if 0 < kept {
                return start + kept;
            }
            offset = start;
        }
        0
    }

    /// Offset of the first character at or after `offset` that is not white space; the end of the text when there is none.
    pub(crate) fn trim_start(&self, mut offset: usize) -> usize {
        while offset < self.buffer.len() {
            let (chunk, start) = self.buffer.chunk_at(offset);
            let rest = chunk.get(offset - start..).unwrap_or_default();
            let trimmed = rest.trim_start();
            offset = start + chunk.len() - trimmed.len();
            if !trimmed.is_empty() {
                break;
            }
        }
        offset
    }
}

pub(crate) fn parse_within(
    limit: Duration,
    language: Language,
    buffer: &Buffer,
    old: Option<&tree_sitter::Tree>,
) -> Option<Tree> {
    if MAX_BYTES < buffer.len() {
        return None;
    }
    let mut parser = Parser::new();
    parser.set_language(&language.grammar()).ok()?;
    let mut read = |offset: usize, _| {
        let (chunk, start) = buffer.chunk_at(offset);
        chunk.as_bytes().get(offset - start..).unwrap_or_default()
    };
    let started = Instant::now();
    let mut progress = |_: &ParseState| match limit <= started.elapsed() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    };
    let options = ParseOptions::new().progress_callback(&mut progress);
    let tree = parser.parse_with_options(&mut read, old, Some(options))?;
    Some(Tree { language, buffer: buffer.clone(), tree })
}
