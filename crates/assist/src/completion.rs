//! What goes in and what comes out: triggers, settings, suggestions.

use std::ops::Range;

use context::{Beside, Layout, Piece, Sources};
use engine::{Outcome, Sampling};

use crate::reason::Reason;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// The user asked for it.
    Invoked,
    /// The editor asked while the user typed.
    Automatic,
}

/// For [`Config::min_confidence`], unless the user says otherwise: on held-out code it cost no right suggestion, and kept back nearly
/// a quarter of the wrong ones (`docs/evaluation.md`).
pub const MIN_CONFIDENCE: f64 = 0.2;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Config {
    /// Most tokens of one suggestion.
    pub max_tokens: usize,
    /// Most tokens of a prompt; the model's context is a further limit.
    pub n_prompt: usize,
    pub sampling: Sampling,
    /// Suggestions that the model finds less likely than this are not shown while the user types; 0 shows all.
    pub min_confidence: f32,
    /// `None` for what the model's special tokens speak for.
    pub layout: Option<Layout>,
    /// Which places text from other files may come from.
    pub sources: Sources,
    /// Most tokens of the text beside the caret.
    pub beside: Beside,
    /// `None` for suggestions of the model alone.
    pub ngrams: Option<Ngrams>,
}

/// How what stands around the caret counts beside the model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ngrams {
    /// As in [`engine::Ngrams`].
    pub model_weight: f32,
    /// Which places text from other files may come from.
    pub sources: Sources,
}

impl Config {
    /// The same with text from these places and no others, whatever it is for.
    #[must_use]
    pub fn with_sources(self, sources: Sources) -> Self {
        let ngrams = self.ngrams.map(|ngrams| Ngrams { sources, ..ngrams });
        Self { sources, ngrams, ..self }
    }

    /// Whether text from other files is asked for.
    pub fn looks_elsewhere(&self) -> bool {
        let places = [Some(self.sources), self.ngrams.map(|ngrams| ngrams.sources)];
        places.into_iter().flatten().any(|sources| sources != Sources::NONE)
    }
}

/// Text to put in place of `range` (bytes of the document at `version`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub range: Range<usize>,
    pub text: String,
    pub version: i32,
}

/// Answer to a completion request, with all that `explain` shows.
#[derive(Debug, Clone)]
pub struct Completion {
    pub suggestion: Result<Suggestion, Reason>,
    /// What the model wrote before it was trimmed.
    pub raw: String,
    /// Parts of the prompt that the text came from; empty when there was none.
    pub pieces: Vec<Piece>,
    /// `None` when the model was not asked, or failed.
    pub outcome: Option<Outcome>,
    /// How likely the model finds the text that is left after trimming: geometric mean of the probabilities of its tokens,
    /// 0 to 1. `None` where nothing is left, and for a suggestion from memory.
    pub confidence: Option<f32>,
    /// What ended the text: a trim rule (`one-line`, `statement`, `dedent`, `brackets`, `repetition`, `control-token`), the model
    /// (`end-of-text`, `length`), `cancelled`, `memo` for a suggestion that was answered from memory, `repeated-edit` for the last
    /// edit once more, or `not-asked`.
    pub stopped_by: &'static str,
}

/// Suggestions to choose from.
#[derive(Debug, Clone)]
pub struct Several {
    /// The likeliest, with all that led to it.
    pub first: Completion,
    /// None of them is the first or another one but for white space; empty where there is no first.
    pub others: Vec<Suggestion>,
}

impl Completion {
    /// No suggestion, and the model was not asked.
    pub fn refused(reason: Reason) -> Self {
        Self {
            suggestion: Err(reason),
            raw: String::new(),
            pieces: Vec::new(),
            outcome: None,
            confidence: None,
            stopped_by: "not-asked",
        }
    }
}
