//! How many tokens of a prompt go through the model at a time.

use std::time::Duration;

/// What a layer may take for a chunk, since a request is cancelled between two layers: it is to end within 30 ms.
const TARGET: Duration = Duration::from_millis(20);

/// Larger chunks gain nothing more.
const MAX_CHUNK: usize = 512;

/// Below, reading the weights and bringing them into order costs much beside the tokens: a large model on a slow machine is
/// cancelled later instead.
const MIN_CHUNK: usize = 64;

/// The first chunk, before anything was measured.
const FIRST_CHUNK: usize = 64;

/// Follows the time that chunks take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    n_layers: usize,
    seconds_per_token: Option<f64>,
}

impl Pace {
    pub(crate) fn new(n_layers: usize) -> Self {
        Self { n_layers, seconds_per_token: None }
    }

    pub(crate) fn chunk(&self) -> usize {
        match self.seconds_per_token {
            None => FIRST_CHUNK,
            Some(seconds) => {
                let target = TARGET.as_secs_f64() * self.n_layers as f64;
                ((target / seconds) as usize).clamp(MIN_CHUNK, MAX_CHUNK)
            }
        }
    }

    pub(crate) fn observe(&mut self, n_tokens: usize, elapsed: Duration) {
        if n_tokens < MIN_CHUNK {
            // The end of a prompt says little of a whole chunk.
            return;
        }
        let seconds = elapsed.as_secs_f64() / n_tokens as f64;
        self.seconds_per_token =
            Some(self.seconds_per_token.map_or(seconds, |before| (before + seconds) / 2.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(observed: &[(usize, u64)], expected: usize) {
        let mut pace = Pace::new(4);
        for &(n_tokens, millis) in observed {
            pace.observe(n_tokens, Duration::from_millis(millis));
        }
        assert_eq!(pace.chunk(), expected);
    }

    #[test]
    fn chunks_fit_the_time_that_a_cancellation_may_take() {
        check(&[], 64);
        check(&[(64, 64)], 80);
        check(&[(64, 32), (64, 64)], 106);
        check(&[(64, 0)], 512);
        check(&[(64, 6400)], 64);
    }

    #[test]
    fn the_end_of_a_prompt_is_not_taken_for_a_chunk() {
        check(&[(64, 64), (1, 5)], 80);
    }
}
