//! How the tokens of one request are chosen, and the random numbers that they are drawn by.

use model::Rule;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Sampling;

/// Draws tokens of one request; the same seed and logits give the same tokens on every machine.
#[derive(Debug)]
pub(crate) struct Sampler {
    rule: Rule,
    random: ChaCha8Rng,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, n_usable_tokens: usize) -> Self {
        let Sampling { temperature, top_p, top_k, seed } = sampling;
        let rule = Rule { n_usable_tokens, temperature, top_p, top_k };
        Self { rule, random: ChaCha8Rng::seed_from_u64(seed) }
    }

    pub(crate) fn rule(&self) -> Rule {
        self.rule
    }

    /// The numbers that the next `n` tokens are drawn by; none where no token is drawn.
    ///
    /// They come again until [`Self::skip`] is called.
    pub(crate) fn upcoming(&self, n: usize) -> Vec<f32> {
        if self.rule.is_greedy() {
            return Vec::new();
        }
        let mut random = self.random.clone();
        (0..n).map(|_| random.random()).collect()
    }

    /// `n` tokens were chosen by the next numbers.
    pub(crate) fn skip(&mut self, n: usize) {
        if self.rule.is_greedy() {
            return;
        }
        for _ in 0..n {
            self.random.random::<f32>();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: Sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, seed: 1 };

    fn sampler(seed: u64) -> Sampler {
        Sampler::new(Sampling { seed, ..WARM }, usize::MAX)
    }

    #[test]
    fn a_seed_gives_the_same_numbers_again() {
        assert_eq!(sampler(7).upcoming(32), sampler(7).upcoming(32));
        assert_ne!(sampler(7).upcoming(32), sampler(8).upcoming(32));
        assert!(sampler(7).upcoming(1000).iter().all(|uniform| (0.0..1.0).contains(uniform)));
    }

    #[test]
    fn numbers_come_again_until_they_were_used() {
        let expected = sampler(7).upcoming(9);
        let mut sampler = sampler(7);
        assert_eq!(sampler.upcoming(4), expected[..4]);
        sampler.skip(3);
        assert_eq!(sampler.upcoming(5), expected[3..8]);
        sampler.skip(1);
        assert_eq!(sampler.upcoming(5), expected[4..]);
    }

    #[test]
    fn where_no_token_is_drawn_there_are_no_numbers() {
        let sampler = Sampler::new(Sampling::GREEDY, usize::MAX);
        assert!(sampler.upcoming(4).is_empty());
        assert!(sampler.rule().is_greedy());
    }
}
