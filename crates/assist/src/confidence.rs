//! How likely the model finds what it wrote.

use crate::lines::n_visible;

/// The tokens of an answer with their likelihoods.
#[derive(Debug, Default)]
pub(crate) struct Likelihoods {
    /// Visible characters before the token, and the natural logarithm of its probability. Rules change white space, so
    /// bytes would not tell which tokens are still in the text.
    tokens: Vec<(usize, f32)>,
}

impl Likelihoods {
    /// Appends a token behind `text`.
    pub(crate) fn push(&mut self, text: &str, log_probability: f32) {
        self.tokens.push((n_visible(text), log_probability));
    }

    /// Geometric mean of the probabilities of the tokens that `shown`, a beginning of the answer, consists of: 0 to 1;
    /// `None` of nothing.
    pub(crate) fn confidence(&self, shown: &str) -> Option<f32> {
        let n_shown = n_visible(shown);
        let tokens = self.tokens.iter().take_while(|(n_before, _)| *n_before < n_shown);
        let (n, total) =
            tokens.fold((0_u16, 0.0), |(n, total), (_, log)| (n.saturating_add(1), total + log));
        (n != 0).then(|| (total / f32::from(n)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::Likelihoods;

    #[track_caller]
    fn check(tokens: &[(&str, f32)], shown: &str, expected: Option<f32>) {
        let mut likelihoods = Likelihoods::default();
        let mut text = String::new();
        for (token, probability) in tokens {
            likelihoods.push(&text, probability.ln());
            text.push_str(token);
        }
        let found = likelihoods.confidence(shown);
        let close = match (found, expected) {
            (Some(found), Some(expected)) => (found - expected).abs() < 1e-5,
            (found, expected) => found == expected,
        };
        assert!(close, "{found:?} is not {expected:?}");
    }

    #[test]
    fn tokens_that_were_cut_off_do_not_count() {
        let tokens = [("f(", 0.5), ("a", 0.125), (");", 1.0), ("\n", 0.01), ("}", 0.02)];
        check(&tokens, "f(a", Some(0.25));
        check(&tokens, "  f(\n", Some(0.5));
        check(&tokens, "f(a);", Some((0.5_f32 * 0.125).powf(1.0 / 3.0)));
        check(&tokens, "", None);
        check(&[], "x", None);
    }
}
