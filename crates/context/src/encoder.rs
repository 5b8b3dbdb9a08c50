//! Text to tokens, as text that goes on where a prompt stands.

use tokenizer::Tokenizer;

/// Encodes a part of a prompt on its own. Control tokens that the part spells out become ordinary tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoder<'a> {
    pub(crate) tokenizer: &'a Tokenizer,
    /// What stands before the part: nothing, a control token, or text.
    last: Option<u32>,
}

impl<'a> Encoder<'a> {
    /// For parts at the start of a prompt or behind a control token.
    pub(crate) fn new(tokenizer: &'a Tokenizer) -> Self {
        Self { tokenizer, last: None }
    }

    /// For parts behind `tokens`.
    pub(crate) fn after(tokenizer: &'a Tokenizer, tokens: &[u32]) -> Self {
        Self { tokenizer, last: tokens.last().copied() }
    }

    pub(crate) fn encode(&self, text: &str) -> Vec<u32> {
        self.tokenizer.encode_after(self.last.as_slice(), text)
    }
}
