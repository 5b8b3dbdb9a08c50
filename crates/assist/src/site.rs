//! Where a suggestion is to go: the text around the caret, and how far a suggestion may reach there.

use context::with_line_feeds;
use syntax::{Language, Place};
use text::LineEnding;
use workspace::Document;

use crate::brackets::{n_unopened, unclosed};
use crate::completion::Trigger;
use crate::lines::{indentation, is_blank};

/// Text looked at on either side of the caret, in bytes.
const WINDOW: usize = 8192;

/// How far a suggestion may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Line,
    /// A line, with the block that it opens.
    Statement,
    Block,
}

/// The caret and its surroundings, with line feeds for line ends.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) before: String,
    pub(crate) after: String,
    /// Brackets that are open before the caret and that nothing after it closes, the innermost last.
    pub(crate) unclosed: Vec<char>,
    pub(crate) place: Place,
    pub(crate) extent: Extent,
    pub(crate) trigger: Trigger,
    pub(crate) language: Option<Language>,
    pub(crate) line_ending: LineEnding,
}

impl Site {
    /// `offset` must be a character boundary of the document.
    pub(crate) fn new(document: &Document, offset: usize, trigger: Trigger) -> Self {
        let buffer = &document.buffer;
        let start = buffer.floor_char_boundary(offset.saturating_sub(WINDOW));
        let end = buffer.floor_char_boundary(offset.saturating_add(WINDOW));
        let before = with_line_feeds(&buffer.slice(start..offset)).into_owned();
        let after = with_line_feeds(&buffer.slice(offset..end)).into_owned();
        let mut open = unclosed(document.language, &before);
        // Closing brackets belong to the outermost ones, for it is the latest ones that are being typed.
        open.drain(..n_unopened(document.language, &after).min(open.len()));
        let mut site = Self {
            before,
            after,
            unclosed: open,
            place: document.tree().map_or(Place::Code, |tree| tree.place(offset)),
            extent: Extent::Line,
            trigger,
            language: document.language,
            line_ending: buffer.line_ending(),
        };
        let (in_empty_body, in_body) = match document.tree() {
            Some(tree) => (tree.caret_in_empty_body(offset), !tree.scopes(offset).is_empty()),
            None => (site.looks_like_empty_body(), false),
        };
        site.extent = site.allowed_extent(in_empty_body, in_body);
        site
    }

    /// A block where a body is missing, or where one is asked for at the end of a line; a statement where a body goes on
    /// on a line of its own; a line otherwise.
    fn allowed_extent(&self, in_empty_body: bool, in_body: bool) -> Extent {
        let ends_line = is_blank(self.line_after());
        if in_empty_body || (ends_line && self.trigger == Trigger::Invoked) {
            return Extent::Block;
        }
        match in_body && ends_line && is_blank(self.line_before()) {
            true => Extent::Statement,
            false => Extent::Line,
        }
    }

    /// What can be said without a tree: a line that opens a block, and nothing deeper below.
    fn looks_like_empty_body(&self) -> bool {
        if !is_blank(self.line_after()) {
            return false;
        }
        let Some(opener) = self.before.lines().rev().find(|line| !is_blank(line)) else {
            return false;
        };
        let is_deeper = |line: &str| indentation(opener) < indentation(line);
        opener.trim_end().ends_with(['{', ':']) && !self.next_line().is_some_and(is_deeper)
    }

    /// The caret's line up to the caret.
    pub(crate) fn line_before(&self) -> &str {
        self.before.rsplit('\n').next().unwrap_or_default()
    }

    /// The caret's line from the caret on.
    pub(crate) fn line_after(&self) -> &str {
        self.after.split('\n').next().unwrap_or_default()
    }

    /// The next line with something on it below the caret's line.
    pub(crate) fn next_line(&self) -> Option<&str> {
        self.after.split('\n').skip(1).find(|line| !is_blank(line))
    }

    /// The last thing on the caret's line opens a block or a list.
    pub(crate) fn follows_opener(&self) -> bool {
        self.line_before().trim_end().ends_with(['{', '(', '[', ':'])
    }
}
