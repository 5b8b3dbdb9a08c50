//! Choosing a token from a row of logits.

use model::{likeliest, log_probability};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Choice, Sampling};

/// Draws tokens of one request; the same seed and logits give the same tokens on every machine.
#[derive(Debug)]
pub(crate) struct Sampler {
    sampling: Sampling,
    n_usable_tokens: usize,
    random: ChaCha8Rng,
}

impl Sampler {
    pub(crate) fn new(sampling: Sampling, n_usable_tokens: usize) -> Self {
        Self { sampling, n_usable_tokens, random: ChaCha8Rng::seed_from_u64(sampling.seed) }
    }

    /// `None` when no usable logit is a finite number.
    pub(crate) fn choose(&mut self, logits: &[f32]) -> Option<Choice> {
        let usable = &logits[..logits.len().min(self.n_usable_tokens)];
        if self.is_greedy() {
            return likeliest(usable)
                .map(|(token, log_probability)| Choice { token, log_probability });
        }
        let token = self.draw(logits)?;
        Some(Choice { token, log_probability: log_probability(usable, token) })
    }

    /// The likeliest token is taken each time.
    pub(crate) fn is_greedy(&self) -> bool {
        self.sampling.temperature <= 0.0
    }

    fn draw(&mut self, logits: &[f32]) -> Option<u32> {
        let usable = &logits[..logits.len().min(self.n_usable_tokens)];
        if self.is_greedy() {
            return likeliest(usable).map(|(token, _)| token);
        }
        let mut candidates: Vec<(u32, f32)> = (0u32..)
            .zip(usable)
            .filter(|(_, logit)| logit.is_finite())
            .map(|(id, logit)| (id, logit / self.sampling.temperature))
            .collect();
        candidates.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if self.sampling.top_k != 0 {
            candidates.truncate(self.sampling.top_k);
        }
        let largest = candidates.first()?.1;
        for (_, weight) in &mut candidates {
            *weight = (*weight - largest).exp();
        }
        let total: f32 = candidates.iter().map(|(_, weight)| weight).sum();
        let mut kept = 0.0;
        let n_kept = candidates
            .iter()
            .position(|(_, weight)| {
                kept += weight;
                self.sampling.top_p * total <= kept
            })
            .map_or(candidates.len(), |last| last + 1);
        let mut left = self.random.random::<f32>() * kept;
        let chosen = candidates[..n_kept].iter().find(|(_, weight)| {
            left -= weight;
            left <= 0.0
        });
        // Rounding can leave a sliver beyond the last candidate.
        chosen.or(candidates[..n_kept].last()).map(|(id, _)| *id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: Sampling = Sampling { temperature: 1.0, top_p: 1.0, top_k: 0, seed: 1 };

    /// Ids chosen in 4,000 draws with their shares in percent, rounded.
    fn shares(sampling: Sampling, logits: &[f32]) -> Vec<(u32, u32)> {
        let mut sampler = Sampler::new(sampling, usize::MAX);
        let mut counts = vec![0u32; logits.len()];
        for _ in 0..4000 {
            counts[sampler.draw(logits).unwrap() as usize] += 1;
        }
        let percent = |count: u32| (f64::from(count) / 40.0).round() as u32;
        (0u32..).zip(counts).filter(|(_, n)| 0 < *n).map(|(id, n)| (id, percent(n))).collect()
    }

    #[track_caller]
    fn check_shares(sampling: Sampling, probabilities: &[f32], expected: &[(u32, u32)]) {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
        let found = shares(sampling, &logits);
        assert_eq!(found.len(), expected.len(), "{found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert_eq!(found.0, expected.0);
            assert!(found.1.abs_diff(expected.1) <= 3, "{found:?} is far from {expected:?}");
        }
    }

    #[test]
    fn greedy_takes_the_first_largest_and_never_nan() {
        let mut sampler = Sampler::new(Sampling::GREEDY, usize::MAX);
        assert_eq!(sampler.draw(&[f32::NAN, 1.0, 3.0, 3.0, f32::NAN]), Some(2));
        assert_eq!(sampler.draw(&[f32::NAN, f32::NAN]), None);
        assert!(sampler.choose(&[]).is_none());
    }

    #[test]
    fn draws_follow_the_distribution() {
        check_shares(WARM, &[0.1, 0.6, 0.3], &[(0, 10), (1, 60), (2, 30)]);
    }

    #[test]
    fn top_k_keeps_the_k_likeliest() {
        check_shares(Sampling { top_k: 2, ..WARM }, &[0.1, 0.6, 0.3], &[(1, 67), (2, 33)]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        check_shares(Sampling { top_p: 0.5, ..WARM }, &[0.1, 0.6, 0.3], &[(1, 100)]);
        check_shares(Sampling { top_p: 0.7, ..WARM }, &[0.1, 0.6, 0.3], &[(1, 67), (2, 33)]);
    }

    #[test]
    fn temperature_sharpens() {
        let cool = Sampling { temperature: 0.5, ..WARM };
        check_shares(cool, &[0.25, 0.5, 0.25], &[(0, 17), (1, 67), (2, 17)]);
    }

    #[test]
    fn padding_rows_are_never_chosen() {
        for sampling in [Sampling::GREEDY, WARM] {
            let mut sampler = Sampler::new(sampling, 2);
            assert!((0..50).all(|_| sampler.draw(&[0.0, 0.0, 99.0]).unwrap() < 2));
        }
    }

    #[test]
    fn a_choice_knows_how_likely_it_was() {
        let logits: Vec<f32> = [0.2_f32, 0.7, 0.1].iter().map(|p| p.ln() + 3.0).collect();
        for sampling in [Sampling::GREEDY, Sampling { temperature: 0.01, ..WARM }] {
            let choice = Sampler::new(sampling, usize::MAX).choose(&logits).unwrap();
            assert_eq!(choice.token, 1);
            assert!((choice.log_probability.exp() - 0.7).abs() < 1e-5, "{choice:?}");
        }
        // Rows of padding have no share, and neither has what is no number.
        let choice = Sampler::new(Sampling::GREEDY, 3).choose(&[0.0, 0.0, f32::NAN, 9.0]).unwrap();
        assert!((choice.log_probability.exp() - 0.5).abs() < 1e-5, "{choice:?}");
    }

    #[test]
    fn a_seed_gives_the_same_draws_again() {
        let draw = |seed| {
            let mut sampler = Sampler::new(Sampling { seed, ..WARM }, usize::MAX);
            (0..32).map(|_| sampler.draw(&[0.0; 100]).unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
    }
}
