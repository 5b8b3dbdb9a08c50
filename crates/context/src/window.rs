//! Bounded stretches of text beside the caret, and the line ends that a model knows.

use std::borrow::Cow;

use tokenizer::Tokenizer;

/// Code takes some three bytes a token. Text that takes more than this is cut sooner than the budget asks, and never
/// does a huge file cost more than a window of it.
pub(crate) const BYTES_PER_TOKEN: usize = 8;

/// `text` with every CRLF and CR turned into LF, the only line end that models see in training.
pub fn with_line_feeds(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

/// A cut of the document as the model gets it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Cut {
    pub(crate) text: String,
    pub(crate) tokens: Vec<u32>,
}

/// Whether a cut before this token would tear a character.
pub(crate) fn begins_inside_character(tokenizer: &Tokenizer, id: u32) -> bool {
    tokenizer.bytes(id).first().is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000)
}
