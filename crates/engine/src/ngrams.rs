//! What followed the last tokens where they stood before, in text at hand: a small model has not learnt what a file repeats.
//!
//! A cache language model (Kuhn and De Mori, 1990) over runs of tokens, smoothed as Witten and Bell (1991) do, with the
//! model in place of the lowest order: `p_n = (c + w u p_(n-1)) / (C + w u)`, where the last n tokens stood C times before
//! u different ones, c times before the one in question, and p_0 is the model's own. Nested as by Hellendoorn and Devanbu
//! (2017): what text from elsewhere makes of the model is in turn p_0 for the file itself, which says more.

use std::collections::HashMap;

/// Runs of so many tokens are looked at; what follows a single one says little.
const SHORTEST: usize = 2;
const LONGEST: usize = 8;

/// How much more the model weighs beside text from elsewhere than beside the file.
const ELSEWHERE: f32 = 2.0;

/// Text whose runs of tokens count beside the model.
#[derive(Debug, Clone, PartialEq)]
pub struct Ngrams {
    /// The text that the answer goes on from; it may reach back further than the prompt.
    pub before: Vec<u32>,
    /// What stands behind the answer.
    pub after: Vec<u32>,
    /// Other texts.
    pub elsewhere: Vec<Vec<u32>>,
    /// w: the larger, the more often a run must have been seen to outweigh the model; above 0.
    pub model_weight: f32,
}

impl Ngrams {
    /// Makes logarithms of probabilities of what the model says of the token behind `answer`. Whether the text ends there,
    /// by one of the tokens `ends`, is left to the model.
    pub(crate) fn mix(&self, answer: &[u32], ends: &[u32], logits: &mut [f32]) {
        let finite = logits.iter().copied().filter(|logit| logit.is_finite());
        let Some(largest) = finite.reduce(f32::max) else { return };
        for logit in &mut *logits {
            *logit = if logit.is_finite() { (*logit - largest).exp() } else { 0.0 };
        }
        let total: f32 = logits.iter().sum();
        logits.iter_mut().for_each(|weight| *weight /= total);

        let probabilities = logits;
        let ended: Vec<(usize, f32)> = ends
            .iter()
            .map(|id| *id as usize)
            .filter_map(|id| Some((id, std::mem::take(probabilities.get_mut(id)?))))
            .collect();
        let goes_on = 1.0 - ended.iter().map(|(_, probability)| probability).sum::<f32>();
        let [elsewhere, file] = self.followers(answer);
        for (mut seen, model_weight) in
            [(elsewhere, ELSEWHERE * self.model_weight), (file, self.model_weight)]
        {
            seen.retain(|(_, id)| (*id as usize) < probabilities.len() && !ends.contains(id));
            interpolate(probabilities, seen, model_weight, goes_on);
        }
        for (id, probability) in ended {
            probabilities[id] += probability;
        }
        probabilities.iter_mut().for_each(|probability| *probability = probability.ln());
    }

    /// For every place where the last token stood before, elsewhere and in the file: how many of the last tokens stood there, and
    /// what followed them.
    fn followers(&self, answer: &[u32]) -> [Vec<(usize, u32)>; 2] {
        let (before, n_tail) = (&self.before, self.before.len().min(LONGEST));
        let tail = &before[before.len() - n_tail..];
        let last: Vec<u32> =
            answer.iter().rev().chain(tail.iter().rev()).take(LONGEST).copied().collect();
        let mut found = [Vec::new(), Vec::new()];
        if last.is_empty() {
            return found;
        }
        for text in &self.elsewhere {
            follow(text, 1, &last, &mut found[0]);
        }
        for text in [before, &self.after] {
            follow(text, 1, &last, &mut found[1]);
        }
        follow(&[tail, answer].concat(), n_tail.max(1), &last, &mut found[1]);
        found
    }
}

/// Adds what stands in `text` at `from` or later behind a token that is the first of `last`, the last tokens backwards.
fn follow(text: &[u32], from: usize, last: &[u32], found: &mut Vec<(usize, u32)>) {
    for end in from..text.len() {
        if text[end - 1] == last[0] {
            let same = text[..end].iter().rev().zip(last).take_while(|(a, b)| a == b);
            found.push((same.count(), text[end]));
        }
    }
}

/// One run after another, from the shortest on; `total` is shared out.
fn interpolate(
    probabilities: &mut [f32],
    mut seen: Vec<(usize, u32)>,
    model_weight: f32,
    total: f32,
) {
    for length in SHORTEST..=LONGEST {
        seen.retain(|(n_same, _)| length <= *n_same);
        if seen.is_empty() {
            return;
        }
        let mut counts: HashMap<u32, f32> = HashMap::new();
        for (_, token) in &seen {
            *counts.entry(*token).or_default() += 1.0;
        }
        let shorter = model_weight * counts.len() as f32;
        let whole = seen.len() as f32 + shorter;
        probabilities.iter_mut().for_each(|probability| *probability *= shorter / whole);
        for (token, count) in counts {
            probabilities[token as usize] += total * count / whole;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ngrams(before: &[u32], elsewhere: &[&[u32]], model_weight: f32) -> Ngrams {
        let elsewhere = elsewhere.iter().map(|text| text.to_vec()).collect();
        Ngrams { before: before.to_vec(), after: Vec::new(), elsewhere, model_weight }
    }

    /// Percent of each token, from a model that gives `model` percent.
    fn mixed(ngrams: &Ngrams, answer: &[u32], ends: &[u32], model: &[f32]) -> Vec<f32> {
        let mut logits: Vec<f32> = model.iter().map(|percent| percent.ln() + 7.0).collect();
        ngrams.mix(answer, ends, &mut logits);
        logits.iter().map(|logit| (1000.0 * logit.exp()).round() / 10.0).collect()
    }

    const EVEN: [f32; 4] = [25.0; 4];

    #[test]
    fn what_followed_the_last_tokens_shares_with_the_model() {
        // 0 and 1 were followed once by 2: half and half.
        let seen = ngrams(&[0, 1, 2, 3, 0, 1], &[], 1.0);
        assert_eq!(mixed(&seen, &[], &[], &EVEN), [12.5, 12.5, 62.5, 12.5]);
        let seen = ngrams(&[0, 1, 2, 3, 0, 1], &[], 3.0);
        assert_eq!(mixed(&seen, &[], &[], &EVEN), [18.8, 18.8, 43.8, 18.8]);
        // Twice by 2 and once by 3: two fifths are left to the model.
        let seen = Ngrams { after: vec![0, 1, 2, 0, 1, 3, 0, 1, 2], ..ngrams(&[0, 1], &[], 1.0) };
        assert_eq!(mixed(&seen, &[], &[], &EVEN), [10.0, 10.0, 50.0, 30.0]);
        // A single token is too short a run.
        assert_eq!(mixed(&ngrams(&[1, 2, 3, 1], &[], 1.0), &[], &[], &EVEN), EVEN);
    }

    #[test]
    fn the_longer_run_weighs_more() {
        // After 0 and 1 both 2 and 3, after 3, 0 and 1 only 3.
        let seen = ngrams(&[2, 0, 1, 2, 3, 0, 1, 3, 3, 0, 1], &[], 1.0);
        let shares = mixed(&seen, &[], &[], &EVEN);
        assert!(shares[2] < shares[3], "{shares:?}");
        assert_eq!((shares[0], shares[2]), (6.3, 18.8));
    }

    #[test]
    fn text_from_elsewhere_weighs_half_as_much_as_the_file() {
        let seen = ngrams(&[0, 1], &[&[0, 1, 2]], 1.0);
        assert_eq!(mixed(&seen, &[], &[], &EVEN), [16.7, 16.7, 50.0, 16.7]);
        let seen = Ngrams { after: vec![0, 1, 3], ..seen };
        assert_eq!(mixed(&seen, &[], &[], &EVEN), [8.3, 8.3, 25.0, 58.3]);
    }

    #[test]
    fn the_answer_belongs_to_the_text() {
        // A run over the border counts once.
        let seen = ngrams(&[3, 0], &[], 1.0);
        assert_eq!(mixed(&seen, &[1, 3, 0], &[], &EVEN), [12.5, 62.5, 12.5, 12.5]);
        assert_eq!(mixed(&seen, &[], &[], &EVEN), EVEN);
    }

    #[test]
    fn the_model_alone_ends_a_text() {
        let seen = ngrams(&[0, 1, 2, 0, 1, 3, 0, 1], &[&[0, 1, 3]], 1.0);
        let shares = mixed(&seen, &[], &[3], &[20.0, 20.0, 20.0, 40.0]);
        assert_eq!(shares, [10.0, 10.0, 40.0, 40.0]);
    }

    #[test]
    fn what_is_no_number_or_no_token_has_no_share() {
        let seen = ngrams(&[0, 1, 9, 0, 1], &[], 1.0);
        let mut logits = [0.0, f32::NAN, 0.0, f32::INFINITY];
        seen.mix(&[], &[8], &mut logits);
        assert_eq!(logits.map(f32::exp), [0.5, 0.0, 0.5, 0.0]);
        let mut logits = [f32::NAN; 2];
        seen.mix(&[], &[], &mut logits);
        assert!(logits.iter().all(|logit| logit.is_nan()));
        ngrams(&[], &[&[]], 1.0).mix(&[], &[], &mut []);
    }

    /// One text after another, each run counted by itself.
    fn by_formula(seen: &Ngrams, answer: &[u32], ends: &[u32], model: &[f32]) -> Vec<f32> {
        let whole = [&seen.before[..], answer].concat();
        let total: f32 = model.iter().sum();
        let mut shares: Vec<f32> = model.iter().map(|weight| weight / total).collect();
        let goes_on = 1.0 - ends.iter().map(|id| shares[*id as usize]).sum::<f32>();
        let others: Vec<u32> = (0..5).filter(|id| !ends.contains(id)).collect();
        let elsewhere: Vec<&[u32]> = seen.elsewhere.iter().map(Vec::as_slice).collect();
        let groups = [(elsewhere, 2.0), (vec![&whole[..], &seen.after], 1.0)];
        for (texts, factor) in groups {
            for length in 2..=LONGEST.min(whole.len()) {
                let run = &whole[whole.len() - length..];
                let count = |id: u32| -> usize {
                    let longer = [run, &[id]].concat();
                    let windows = texts.iter().flat_map(|text| text.windows(length + 1));
                    windows.filter(|window| *window == longer).count()
                };
                let counts: Vec<usize> = others.iter().map(|id| count(*id)).collect();
                let n_kinds = counts.iter().filter(|count| 0 < **count).count() as f32;
                if n_kinds == 0.0 {
                    break;
                }
                let shorter = factor * seen.model_weight * n_kinds;
                let n_all = counts.iter().sum::<usize>() as f32;
                for (id, count) in others.iter().zip(counts) {
                    let share = &mut shares[*id as usize];
                    *share = (goes_on * count as f32 + shorter * *share) / (n_all + shorter);
                }
            }
        }
        shares
    }

    proptest! {
        #[test]
        fn probabilities_are_those_of_the_formula(
            before in proptest::collection::vec(0..5u32, 0..40),
            after in proptest::collection::vec(0..5u32, 0..20),
            elsewhere in proptest::collection::vec(proptest::collection::vec(0..5u32, 0..20), 0..3),
            answer in proptest::collection::vec(0..5u32, 0..20),
            model in proptest::collection::vec(0.01..1f32, 5),
            model_weight in 0.1..20f32,
            end in proptest::option::of(0..5u32),
        ) {
            let ends: Vec<u32> = end.into_iter().collect();
            let seen = Ngrams { before, after, elsewhere, model_weight };
            let mut logits: Vec<f32> = model.iter().map(|weight| weight.ln()).collect();
            seen.mix(&answer, &ends, &mut logits);
            for (logit, expected) in logits.iter().zip(by_formula(&seen, &answer, &ends, &model)) {
                prop_assert!((logit.exp() - expected).abs() < 1e-5, "{} {expected}", logit.exp());
            }
        }
    }
}
