//! How many tokens of a prompt go through the model at a time.

use std::time::Duration;

/// What a chunk may take: with what the step before it took, a cancelled request ends within 30 ms.
const TARGET: Duration = Duration::from_millis(20);

/// Larger chunks gain nothing more.
const MAX_CHUNK: usize = 512;

/// Below, reading the weights for each chunk costs more than the tokens do.
const MIN_CHUNK: usize = 8;

/// The first chunk, before anything was measured.
const FIRST_CHUNK: usize = 32;

/// Follows the time that chunks take.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Pace {
    seconds_per_token: Option<f64>,
}

impl Pace {
    pub(crate) fn chunk(&self) -> usize {
        match self.seconds_per_token {
            None => FIRST_CHUNK,
            Some(seconds) => {
                ((TARGET.as_secs_f64() / seconds) as usize).clamp(MIN_CHUNK, MAX_CHUNK)
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
        let mut pace = Pace::default();
        for &(n_tokens, millis) in observed {
            pace.observe(n_tokens, Duration::from_millis(millis));
        }
        assert_eq!(pace.chunk(), expected);
    }

    #[test]
    fn chunks_fit_the_time_that_a_cancellation_may_take() {
        check(&[], 32);
        check(&[(32, 8)], 80);
        check(&[(32, 32), (16, 48)], 10);
        check(&[(32, 0)], 512);
        check(&[(32, 3200)], 8);
    }

    #[test]
    fn the_end_of_a_prompt_is_not_taken_for_a_chunk() {
        check(&[(32, 8), (1, 5)], 80);
    }
}
