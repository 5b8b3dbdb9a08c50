//! One pass over the weights: which tokens of a text go through which layers, in which loops.

use std::ops::Range;

/// Consecutive tokens in one loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) loop_idx: usize,
    pub(crate) positions: Range<usize>,
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
    /// How many of the layers the rows go through, from the first on; the next layer's K/V are written too. Where these
    /// are all layers, what each loop hands on is kept, and so is what the last loop makes of the last token.
    pub(crate) n_layers: usize,
    /// Logits are wanted after each row of the last loop.
    pub(crate) reads: bool,
}

impl Pass<'_> {
    /// Tokens of a part in a text that begins with `held`.
    pub(crate) fn tokens(&self, part: &Part, held: &[u32]) -> Vec<u32> {
        let Range { start, end } = part.positions;
        let n_held = held.len();
        let (old, new) =
            (&held[start.min(n_held)..end.min(n_held)], start.max(n_held)..end.max(n_held));
        old.iter().chain(&self.appended[new.start - n_held..new.end - n_held]).copied().collect()
    }
}
