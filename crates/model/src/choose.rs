//! Choosing a token from a row of logits: the likeliest, or one that is drawn.

/// A token that was chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    pub token: u32,
    /// Natural logarithm of the probability that the model gave it, whatever the rule: temperature 1 over all usable tokens.
    pub log_probability: f32,
}

/// How a token is chosen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// Largest id that may be chosen is `n_usable_tokens - 1`; ids of padding rows lie above.
    pub n_usable_tokens: usize,
    /// The likeliest token is taken where it is not above 0.
    pub temperature: f32,
    /// Nucleus mass in (0, 1].
    pub top_p: f32,
    /// 0 switches it off.
    pub top_k: usize,
}

impl Rule {
    /// The likeliest of so many ids.
    pub fn greedy(n_usable_tokens: usize) -> Self {
        Self { n_usable_tokens, temperature: 0.0, top_p: 1.0, top_k: 0 }
    }

    /// The likeliest token is taken each time.
    pub fn is_greedy(&self) -> bool {
        self.temperature <= 0.0
    }

    /// By a number `uniform` in 0..1, which is not looked at where the likeliest is taken.
    ///
    /// `None` where no usable logit is a finite number.
    pub fn choose(&self, logits: &[f32], uniform: f32) -> Option<Choice> {
        let usable = &logits[..logits.len().min(self.n_usable_tokens)];
        if self.is_greedy() {
            return likeliest(usable);
        }
        let token = self.draw(usable, uniform)?;
        Some(Choice { token, log_probability: log_probability(usable, token) })
    }

    fn draw(&self, usable: &[f32], uniform: f32) -> Option<u32> {
        let mut candidates: Vec<(u32, f32)> = (0u32..)
            .zip(usable)
            .filter(|(_, logit)| logit.is_finite())
            .map(|(id, logit)| (id, logit / self.temperature))
            .collect();
        candidates.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        if self.top_k != 0 {
            candidates.truncate(self.top_k);
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
                self.top_p * total <= kept
            })
            .map_or(candidates.len(), |last| last + 1);
        let mut left = uniform * kept;
        let chosen = candidates[..n_kept].iter().find(|(_, weight)| {
            left -= weight;
            left <= 0.0
        });
        // Rounding can leave a sliver beyond the last candidate.
        chosen.or(candidates[..n_kept].last()).map(|(id, _)| *id)
    }
}

/// A rule and the numbers in 0..1 that tokens are drawn by, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Draws<'a> {
    pub rule: Rule,
    /// Not looked at where the rule is greedy; else no more tokens are chosen than there are numbers.
    pub uniforms: &'a [f32],
}

impl Draws<'_> {
    /// The likeliest tokens of so many ids.
    pub fn greedy(n_usable_tokens: usize) -> Self {
        Self { rule: Rule::greedy(n_usable_tokens), uniforms: &[] }
    }

    /// Tokens that can be chosen.
    pub(crate) fn most(&self) -> usize {
        if self.rule.is_greedy() { usize::MAX } else { self.uniforms.len() }
    }

    /// Token `idx` of those that are chosen; `None` where no usable logit is a finite number.
    pub fn choose(&self, idx: usize, logits: &[f32]) -> Option<Choice> {
        self.rule.choose(logits, self.uniforms.get(idx).copied().unwrap_or_default())
    }
}

/// The first of the largest of `logits`; `None` where none is finite.
///
/// Logits that are no finite numbers have no share and never win.
pub fn likeliest(logits: &[f32]) -> Option<Choice> {
    let mut best: Option<(u32, f32)> = None;
    for (id, &logit) in (0u32..).zip(logits) {
        let better = match best {
            Some((_, largest)) => logit.is_finite() && largest < logit,
            None => logit.is_finite(),
        };
        if better {
            best = Some((id, logit));
        }
    }
    best.map(|(token, _)| Choice { token, log_probability: log_probability(logits, token) })
}

/// Of `token`, which is one of them, by the softmax of `logits`; those that are no finite number have no share.
fn log_probability(logits: &[f32], token: u32) -> f32 {
    let finite = || logits.iter().copied().filter(|logit| logit.is_finite());
    let largest = finite().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = finite().map(|logit| (logit - largest).exp()).sum();
    logits[token as usize] - largest - total.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WARM: Rule = Rule { n_usable_tokens: usize::MAX, temperature: 1.0, top_p: 1.0, top_k: 0 };

    /// Ids with the shares in percent that evenly spaced numbers draw, rounded.
    fn shares(rule: Rule, logits: &[f32]) -> Vec<(u32, u32)> {
        let mut counts = vec![0u32; logits.len()];
        for i in 0..4000 {
            let choice = rule.choose(logits, (i as f32 + 0.5) / 4000.0).unwrap();
            counts[choice.token as usize] += 1;
        }
        let percent = |count: u32| (f64::from(count) / 40.0).round() as u32;
        (0u32..).zip(counts).filter(|(_, n)| 0 < *n).map(|(id, n)| (id, percent(n))).collect()
    }

    #[track_caller]
    fn check_shares(rule: Rule, probabilities: &[f32], expected: &[(u32, u32)]) {
        let logits: Vec<f32> = probabilities.iter().map(|p| p.ln()).collect();
        assert_eq!(shares(rule, &logits), expected);
    }

    #[test]
    fn greedy_takes_the_first_largest_and_what_is_not_finite_never() {
        let token = |logits: &[f32]| likeliest(logits).map(|choice| choice.token);
        assert_eq!(token(&[f32::NAN, 1.0, 3.0, 3.0, f32::NAN]), Some(2));
        assert_eq!(token(&[1.0, f32::INFINITY, f32::NEG_INFINITY, 3.0]), Some(3));
        assert_eq!(token(&[f32::NAN, f32::NAN]), None);
        assert_eq!(token(&[]), None);
    }

    #[test]
    fn draws_follow_the_distribution() {
        check_shares(WARM, &[0.1, 0.6, 0.3], &[(0, 10), (1, 60), (2, 30)]);
    }

    #[test]
    fn top_k_keeps_the_k_likeliest() {
        check_shares(Rule { top_k: 2, ..WARM }, &[0.1, 0.6, 0.3], &[(1, 67), (2, 33)]);
    }

    #[test]
    fn top_p_keeps_the_smallest_set_that_reaches_it() {
        check_shares(Rule { top_p: 0.5, ..WARM }, &[0.1, 0.6, 0.3], &[(1, 100)]);
        check_shares(Rule { top_p: 0.7, ..WARM }, &[0.1, 0.6, 0.3], &[(1, 67), (2, 33)]);
    }

    #[test]
    fn temperature_sharpens() {
        let cool = Rule { temperature: 0.5, ..WARM };
        check_shares(cool, &[0.25, 0.5, 0.25], &[(0, 17), (1, 67), (2, 17)]);
    }

    #[test]
    fn padding_rows_are_never_chosen() {
        for rule in [Rule::greedy(2), Rule { n_usable_tokens: 2, ..WARM }] {
            let token = |uniform| rule.choose(&[0.0, 0.0, 99.0], uniform).unwrap().token;
            assert!((0..50).all(|i| token(i as f32 / 50.0) < 2));
        }
    }

    #[test]
    fn a_choice_knows_how_likely_it_was() {
        let logits: Vec<f32> = [0.2_f32, 0.7, 0.1].iter().map(|p| p.ln() + 3.0).collect();
        for rule in [Rule::greedy(usize::MAX), Rule { temperature: 0.01, ..WARM }] {
            let choice = rule.choose(&logits, 0.5).unwrap();
            assert_eq!(choice.token, 1);
            assert!((choice.log_probability.exp() - 0.7).abs() < 1e-5, "{choice:?}");
        }
        // Rows of padding have no share, and neither has what is no number.
        let choice = Rule::greedy(4).choose(&[0.0, 0.0, f32::NAN, f32::INFINITY, 9.0], 0.0);
        let log_probability = choice.unwrap().log_probability;
        assert!((log_probability.exp() - 0.5).abs() < 1e-5, "{log_probability}");
    }
}
