//! One pass over the weights: which tokens of a text go through which layers, in which loops.

use std::ops::Range;

use crate::choose::{Choice, Draws};
use crate::forward::Logits;

/// Consecutive tokens in one loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) loop_idx: usize,
    pub(crate) positions: Range<usize>,
}

/// Rows of all parts.
pub(crate) fn n_rows(parts: &[Part]) -> usize {
    parts.iter().map(|part| part.positions.len()).sum()
}

/// The rows that go through the layers together, part by part.
///
/// Loop 0 comes first where it is among them. In each layer the K/V of all rows are written before any row attends, as
/// a row sees its own token; what a row takes from the loop before was made in an earlier pass.
#[derive(Debug, Clone)]
pub(crate) struct Pass<'a> {
    pub(crate) parts: Vec<Part>,
    /// Tokens that follow those which the cache holds.
    pub(crate) appended: &'a [u32],
    /// Where it is nothing, all rows go through all layers. What each loop hands on is kept of those that do, and so is
    /// what the last loop makes of the last token.
    pub(crate) climb: Option<Climb>,
    /// After each row of the last loop.
    pub(crate) reads: Reads<'a>,
}

/// What is wanted of the rows of the last loop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reads<'a> {
    Nothing,
    Logits,
    /// The CPU answers with logits, which cost it nothing to hand out.
    Choices(Draws<'a>),
}

/// What came of that, row by row.
#[derive(Debug)]
pub(crate) enum Output {
    Nothing,
    Logits(Logits),
    /// No more than can be drawn; `None` after a row without a finite logit.
    Choices(Vec<Option<Choice>>),
}

impl Output {
    pub(crate) fn logits(self) -> Option<Logits> {
        match self {
            Self::Logits(logits) => Some(logits),
            Self::Nothing | Self::Choices(_) => None,
        }
    }
}

/// How high through the layers each token of a tail goes: as high as what follows looks back.
///
/// The first W tokens write the first layer's K/V, the next W go through the first layer and write the second's, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Climb {
    /// Where the tail begins.
    pub(crate) from: usize,
    /// W.
    pub(crate) window: usize,
}

impl Climb {
    /// What of a part goes through so many layers at least.
    pub(crate) fn above(self, part: &Part, depth: usize) -> Part {
        let Range { start, end } = part.positions;
        let positions = (self.from + depth * self.window).clamp(start, end)..end;
        Part { positions, ..*part }
    }
}

impl Pass<'_> {
    /// What of the parts goes through so many layers at least.
    pub(crate) fn parts_of_depth(&self, depth: usize) -> Vec<Part> {
        match self.climb {
            None => self.parts.clone(),
            Some(climb) => self.parts.iter().map(|part| climb.above(part, depth)).collect(),
        }
    }

    /// Tokens of a part in a text that begins with `held`.
    pub(crate) fn tokens(&self, part: &Part, held: &[u32]) -> Vec<u32> {
        let Range { start, end } = part.positions;
        let n_held = held.len();
        let (old, new) =
            (&held[start.min(n_held)..end.min(n_held)], start.max(n_held)..end.max(n_held));
        old.iter().chain(&self.appended[new.start - n_held..new.end - n_held]).copied().collect()
    }
}
