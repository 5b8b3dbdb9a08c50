//! What can be wrong with a tokenizer file.

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `path` is `tokenizer.json` where the bytes came from memory.
    #[error("{path}: {reason}")]
    Load { path: String, reason: String },
    #[error(transparent)]
    Gguf(#[from] gguf::Error),
    #[error("the chat template cannot be rendered: {reason}")]
    Template { reason: String },
}
