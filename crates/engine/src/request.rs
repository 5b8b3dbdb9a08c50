//! What is asked of the engine and what it says of the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How the next token is chosen; `temperature` 0 is greedy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    pub temperature: f32,
    /// Nucleus mass in (0, 1].
    pub top_p: f32,
    /// 0 switches it off.
    pub top_k: usize,
    pub seed: u64,
}

impl Sampling {
    pub const GREEDY: Self = Self { temperature: 0.0, top_p: 1.0, top_k: 0, seed: 0 };
}

/// Raised to stop a generation; read between decode steps and prefill chunks.
#[derive(Debug, Clone, Default)]
pub struct CancelFlag(Arc<AtomicBool>);

impl CancelFlag {
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

#[derive(Debug, Clone)]
pub struct Request {
    pub tokens: Vec<u32>,
    pub max_tokens: usize,
    pub sampling: Sampling,
    /// Ids that end the generation; none of them is handed out.
    pub stop_tokens: Vec<u32>,
    /// Largest id that may be chosen is `n_usable_tokens - 1`; ids of padding rows lie above.
    pub n_usable_tokens: usize,
    pub cancel: CancelFlag,
}

/// A token that was generated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub token: u32,
    /// Natural logarithm of the probability that the model gave it, whatever the sampling: temperature 1 over all usable
    /// tokens.
    pub log_probability: f32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// A stop token was chosen.
    Stop,
    /// `max_tokens` or the end of the context.
    Length,
    /// The flag was raised or the consumer let go.
    Cancelled,
}

/// How a generation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub finish: Finish,
    pub n_prompt: usize,
    /// Prompt tokens whose K/V was already there.
    pub n_reused: usize,
    pub n_generated: usize,
    /// From the request until the worker took it up, reading the weights included.
    pub queued: Duration,
    /// From then to the first token's logits.
    pub prefill: Duration,
    pub decode: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Weights are read at the first request.
    Unloaded,
    Loading,
    Ready,
    Failed(String),
}

/// What callers need to know of a loaded model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelInfo {
    /// Name the checkpoint gives itself.
    pub name: Option<String>,
    /// Most tokens of prompt and answer together.
    pub n_context: usize,
    pub vocab_size: usize,
    pub n_loops: usize,
    pub n_parameters: usize,
}
