//! Over which tokens the loops after the first have to run.
//!
//! A later loop reads loop 0's K/V of the whole text, which are there, and its own K/V of a window. In the last of L
//! layers the last token reads W positions to its left, the layer below W more, and so on: what lies further back than
//! W * L positions makes no difference, and need not be computed however long the text is.

use crate::cache::Span;

/// How a loop gets from what is there to the end of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Run {
    /// Through all layers, from this position on.
    Full { from: usize },
    /// From this position on, and only as high through the layers as what follows looks back: the first W tokens
    /// write the first layer's K/V, the next W go through the first layer and write the second's, and so on.
    Tail { from: usize },
}

impl Run {
    pub(crate) fn from(self) -> usize {
        match self {
            Run::Full { from } | Run::Tail { from } => from,
        }
    }
}

/// What a plan depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) n_layers: usize,
    /// W.
    pub(crate) window: usize,
    /// Tokens before the last that a tail makes whole as well, so that a text cut a little shorter goes on from there.
    pub(crate) slack: usize,
}

impl Shape {
    /// How far back the output at a position depends on the loop's own input.
    pub(crate) fn reach(self) -> usize {
        self.n_layers * self.window
    }

    /// Rows times layers of a tail that is whole from `whole_from` to `len`.
    fn tail_cost(self, whole_from: usize, len: usize) -> usize {
        let climb = self.window * self.n_layers * self.n_layers.saturating_sub(1) / 2;
        climb + (len - whole_from) * self.n_layers
    }
}

/// The cheapest run of each loop after the first, such that the last loop's output at the last token is exact.
///
/// `spans` holds what is there of each of these loops in a text of `len` tokens, at least one.
pub(crate) fn plan(shape: Shape, spans: &[Span], len: usize) -> Vec<Run> {
    let mut runs = vec![Run::Full { from: 0 }; spans.len()];
    // First position at which the loop's output is read: by the head, or by the loop that follows.
    let mut read_from = len - 1;
    for (run, span) in runs.iter_mut().zip(spans).rev() {
        *run = cheapest(shape, *span, read_from, len);
        // The next loop's first token reads what this one made of the token before.
        read_from = run.from().saturating_sub(1);
    }
    runs
}

fn cheapest(shape: Shape, span: Span, read_from: usize, len: usize) -> Run {
    let go_on = if span.from <= read_from { span.to } else { 0 };
    let whole_from = read_from.saturating_sub(shape.slack);
    match whole_from.checked_sub(shape.reach()) {
        Some(from) if shape.tail_cost(whole_from, len) < (len - go_on) * shape.n_layers => {
            Run::Tail { from }
        }
        _ => Run::Full { from: go_on },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The released shape.
    const RELEASED: Shape = Shape { n_layers: 14, window: 64, slack: 0 };

    #[track_caller]
    fn check(shape: Shape, spans: &[(usize, usize)], len: usize, expected: &[Run]) {
        let spans: Vec<Span> = spans.iter().map(|&(from, to)| Span { from, to }).collect();
        assert_eq!(plan(shape, &spans, len), expected);
    }

    #[test]
    fn the_released_model_needs_897_tokens_of_a_long_prompt() {
        check(RELEASED, &[(0, 0)], 8192, &[Run::Tail { from: 8192 - 897 }]);
    }

    #[test]
    fn a_short_prompt_runs_whole() {
        check(RELEASED, &[(0, 0)], 400, &[Run::Full { from: 0 }]);
    }

    #[test]
    fn a_few_new_tokens_go_on_where_the_loop_stopped() {
        check(RELEASED, &[(7000, 8000)], 8010, &[Run::Full { from: 8000 }]);
    }

    #[test]
    fn what_was_cut_too_short_begins_anew() {
        check(RELEASED, &[(0, 0)], 6000, &[Run::Tail { from: 6000 - 897 }]);
    }

    #[test]
    fn the_loop_before_delivers_what_the_next_reads() {
        let small = Shape { n_layers: 2, window: 5, slack: 0 };
        // Loop 2 enters 11 tokens before the end; loop 1's output is read one token earlier and reaches back 10 more.
        let tails = [Run::Tail { from: 78 }, Run::Tail { from: 89 }];
        check(small, &[(0, 0), (0, 0)], 100, &tails);
    }

    #[test]
    fn a_loop_whose_output_is_read_before_it_is_whole_cannot_go_on() {
        let small = Shape { n_layers: 2, window: 5, slack: 0 };
        let expected = [Run::Tail { from: 78 }, Run::Tail { from: 89 }];
        check(small, &[(95, 99), (0, 0)], 100, &expected);
    }
}
