//! Why a request was not served.

#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum Error {
    /// The model could not be loaded; the text says why and what to do.
    #[error("{0}")]
    Load(String),
    #[error("a prompt of {n_prompt} tokens does not fit in the model's context of {n_context}")]
    TooLong { n_prompt: usize, n_context: usize },
    #[error("the prompt is empty")]
    EmptyPrompt,
    #[error("token {token} is outside of the vocabulary of {vocab_size}")]
    BadToken { token: u32, vocab_size: usize },
    #[error("inference failed: {0}")]
    Inference(String),
    #[error("the engine has {n_waiting} requests waiting; ask again when one is answered")]
    Busy { n_waiting: usize },
    /// The worker thread is gone.
    #[error("the engine has stopped")]
    Stopped,
}
