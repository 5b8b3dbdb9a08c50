//! What a prompt is to be like.

use tokenizer::Tokenizer;

use crate::budget::Budget;
use crate::gather::Memo;
use crate::layout::Layout;
use crate::piece::Piece;
use crate::sources::Sources;

/// What a prompt is to be like.
#[derive(Debug, Clone, Copy)]
pub struct Settings<'a> {
    pub budget: Budget,
    pub layout: Layout,
    pub sources: Sources,
    /// Of the last prompt for this document: what it had is kept, in its order, while it is still worth its place. Then two
    /// prompts in a row share a long beginning, which the engine does not compute again.
    pub previous: &'a [Piece],
    /// Of earlier prompts of this model's; makes the next ones faster and no other.
    pub memo: Option<&'a Memo>,
}

impl Settings<'static> {
    /// All sources, the layout that the special tokens speak for, and nothing to keep.
    pub fn new(tokenizer: &Tokenizer, n_prompt: usize) -> Self {
        Self {
            budget: Budget::share(n_prompt),
            layout: Layout::of(tokenizer),
            sources: Sources::ALL,
            previous: &[],
            memo: None,
        }
    }
}
