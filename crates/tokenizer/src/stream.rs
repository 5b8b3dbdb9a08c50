//! Decoding id by id without ever splitting a character.

use crate::tokenizer::Tokenizer;

/// Decodes id by id and holds back the bytes of an unfinished character.
#[derive(Debug)]
pub struct DecodeStream<'a> {
    tokenizer: &'a Tokenizer,
    /// A proper beginning of a character, so never more than three bytes between calls.
    held: Vec<u8>,
    /// Whether the dummy prefix of a run of text may come next.
    expects_space: bool,
}

impl<'a> DecodeStream<'a> {
    pub(crate) fn new(tokenizer: &'a Tokenizer, expects_space: bool) -> Self {
        Self { tokenizer, held: Vec::new(), expects_space }
    }

    /// Text that became complete with this id; may be empty. A special token has no text.
    pub fn push(&mut self, id: u32) -> String {
        let bytes = self.tokenizer.text_bytes(id, &mut self.expects_space);
        if bytes.is_empty() {
            return String::new();
        }
        self.held.extend_from_slice(bytes);
        let (text, n_read) = complete(&self.held);
        self.held.drain(..n_read);
        text
    }

    /// What was held back, with U+FFFD for a character that was never finished.
    pub fn finish(self) -> String {
        String::from_utf8_lossy(&self.held).into_owned()
    }
}

/// Text of all but an unfinished character at the end of `bytes`, with U+FFFD for what can become none, and the
/// number of bytes it took.
fn complete(bytes: &[u8]) -> (String, usize) {
    let mut text = String::new();
    let mut n_read = 0;
    let mut chunks = bytes.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        text.push_str(chunk.valid());
        n_read += chunk.valid().len();
        let is_last = chunks.peek().is_none();
        let invalid = chunk.invalid();
        let is_unfinished =
            is_last && std::str::from_utf8(invalid).is_err_and(|error| error.error_len().is_none());
        if !invalid.is_empty() && !is_unfinished {
            text.push(char::REPLACEMENT_CHARACTER);
            n_read += invalid.len();
        }
    }
    (text, n_read)
}
