//! The likeliest token of a row of logits.

/// The first of the largest of `logits` and the logarithm of its probability; `None` where none is finite.
///
/// Logits that are no finite numbers have no share and never win.
pub fn likeliest(logits: &[f32]) -> Option<(u32, f32)> {
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
    best.map(|(token, _)| (token, log_probability(logits, token)))
}

/// Of `token`, which is one of them, by the softmax of `logits`; those that are no finite number have no share.
pub fn log_probability(logits: &[f32], token: u32) -> f32 {
    let finite = || logits.iter().copied().filter(|logit| logit.is_finite());
    let largest = finite().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = finite().map(|logit| (logit - largest).exp()).sum();
    logits[token as usize] - largest - total.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_largest_wins_and_what_is_not_finite_never() {
        let token = |logits: &[f32]| likeliest(logits).map(|(token, _)| token);
        assert_eq!(token(&[f32::NAN, 1.0, 3.0, 3.0, f32::NAN]), Some(2));
        assert_eq!(token(&[1.0, f32::INFINITY, f32::NEG_INFINITY, 3.0]), Some(3));
        assert_eq!(token(&[f32::NAN, f32::NAN]), None);
        assert_eq!(token(&[]), None);
    }

    #[test]
    fn probabilities_are_shares_of_what_is_finite() {
        let (token, log_probability) = likeliest(&[0.0, 0.0, f32::NAN, f32::INFINITY]).unwrap();
        assert_eq!(token, 0);
        assert!((log_probability.exp() - 0.5).abs() < 1e-6);
    }
}
