//! What is asked of the engine and what it says of the answer.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::Ngrams;

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
pub struct CancelFlag(Arc<OnceLock<Instant>>);

impl CancelFlag {
    pub fn raise(&self) {
        self.0.get_or_init(Instant::now);
    }

    pub fn is_raised(&self) -> bool {
        self.raised_at().is_some()
    }

    /// When it was raised for the first time.
    pub fn raised_at(&self) -> Option<Instant> {
        self.0.get().copied()
    }
}

/// Who waits for the answer; a more urgent request interrupts a less urgent one, which goes on afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Nobody yet, and somebody only if the suggestion that is shown is taken.
    LookAhead,
    /// Nobody yet: only the first loop runs over the prompt, so that the next request finds it there.
    WarmUp,
    /// A person who asked for an edit and watches its progress; first come, first served.
    Action,
    /// A person who types; of those that wait the newest comes first.
    #[default]
    Interactive,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub tokens: Vec<u32>,
    /// Not looked at in a warm-up, which generates nothing.
    pub max_tokens: usize,
    pub sampling: Sampling,
    /// Ids that end the generation; none of them is handed out.
    pub stop_tokens: Vec<u32>,
    /// Largest id that may be chosen is `n_usable_tokens - 1`; ids of padding rows lie above.
    pub n_usable_tokens: usize,
    pub priority: Priority,
    /// What the answer is expected to be like, such as the text that an edit replaces. It makes the answer faster
    /// where it is right, and changes it nowhere.
    pub drafts: Vec<u32>,
    /// What counts beside the model; nothing for the model alone.
    pub ngrams: Option<Arc<Ngrams>>,
    pub cancel: CancelFlag,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            tokens: Vec::new(),
            max_tokens: 0,
            sampling: Sampling::GREEDY,
            stop_tokens: Vec::new(),
            n_usable_tokens: usize::MAX,
            priority: Priority::default(),
            drafts: Vec::new(),
            ngrams: None,
            cancel: CancelFlag::default(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Finish {
    /// A stop token was chosen.
    Stop,
    /// `max_tokens` or the end of the context, or a warm-up that is done.
    Length,
    /// The flag was raised or the consumer let go.
    #[default]
    Cancelled,
}

/// How a generation went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    pub finish: Finish,
    pub n_prompt: usize,
    /// Prompt tokens whose K/V was already there.
    pub n_reused: usize,
    pub n_generated: usize,
    /// Passes over the weights after the prefill; fewer than tokens where drafts were right.
    pub n_passes: usize,
    /// Tokens that were guessed and looked at.
    pub n_drafted: usize,
    /// Those of them that were right.
    pub n_accepted: usize,
    /// From the request until the worker took it up, reading the weights included.
    pub queued: Duration,
    /// Work up to the first token's logits, without the time in which more urgent requests were served.
    pub prefill: Duration,
    /// Work after that, likewise.
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
    /// Where it computes, and where that is the CPU, why; one line.
    pub device: String,
}
