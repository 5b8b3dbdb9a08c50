//! Guesses of the tokens that come next, from what was said before.
//!
//! Code repeats itself and an edit repeats most of what it replaces: what followed the last few tokens where they
//! stood before is a good guess, and costs no model.

use std::time::Duration;

/// Guesses of one pass, at most: with two loops such a pass has 16 rows.
const MAX_GUESSES: usize = 7;

/// Passes with a wrong guess in a row after which no more guesses are made.
const PATIENCE: usize = 8;

/// Tokens that must agree before what followed them is taken as a guess.
const MIN_MATCH: usize = 3;

/// Tokens beyond which a longer match is no better.
const MAX_MATCH: usize = 12;

/// Passes with guesses before their speed is judged.
const TRIAL: usize = 12;

/// Guesses for one request.
#[derive(Debug)]
pub(crate) struct Drafter {
    /// What the answer is expected to be like.
    expected: Vec<u32>,
    n_prompt: usize,
    n_guesses: usize,
    n_misses: usize,
    plain: Speed,
    guessing: Speed,
}

#[derive(Debug, Default)]
struct Speed {
    n_passes: usize,
    n_tokens: usize,
    seconds: f64,
}

impl Speed {
    fn observe(&mut self, n_tokens: usize, elapsed: Duration) {
        self.n_passes += 1;
        self.n_tokens += n_tokens;
        self.seconds += elapsed.as_secs_f64();
    }

    fn seconds_per_token(&self) -> f64 {
        self.seconds / self.n_tokens.max(1) as f64
    }
}

impl Drafter {
    pub(crate) fn new(expected: Vec<u32>, n_prompt: usize) -> Self {
        Self {
            expected,
            n_prompt,
            n_guesses: 2,
            n_misses: 0,
            plain: Speed::default(),
            guessing: Speed::default(),
        }
    }

    /// What may follow `text`, the prompt and the answer so far; at most `limit` tokens, and often none.
    pub(crate) fn guess(&self, text: &[u32], limit: usize) -> Vec<u32> {
        if self.n_misses == PATIENCE || self.is_slower() {
            return Vec::new();
        }
        let n = self.n_guesses.min(limit);
        let answer = &text[self.n_prompt.min(text.len())..];
        let followed = match self.expected.strip_prefix(answer) {
            Some(rest) if !rest.is_empty() => Some(rest),
            _ => followed(&self.expected, answer).or_else(|| {
                let before = &text[..text.len().saturating_sub(1)];
                followed(before, text)
            }),
        };
        let followed = followed.unwrap_or_default();
        followed[..n.min(followed.len())].to_vec()
    }

    /// A pass is done: it made `n_tokens`, and looked at `n_checked` guesses, the last of which may have been wrong.
    pub(crate) fn observe(
        &mut self,
        n_tokens: usize,
        n_checked: usize,
        missed: bool,
        had_guesses: bool,
        elapsed: Duration,
    ) {
        let speed = if had_guesses { &mut self.guessing } else { &mut self.plain };
        speed.observe(n_tokens, elapsed);
        if missed {
            self.n_misses += 1;
            self.n_guesses = (self.n_guesses / 2).max(1);
        } else if 0 < n_checked {
            self.n_misses = 0;
            self.n_guesses = (self.n_guesses * 2).min(MAX_GUESSES);
        }
    }

    /// Passes with guesses make tokens more slowly than passes without.
    fn is_slower(&self) -> bool {
        TRIAL <= self.guessing.n_passes
            && 0 < self.plain.n_passes
            && self.plain.seconds_per_token() < self.guessing.seconds_per_token()
    }
}

/// What follows the longest end of `text` that stands in `source`, at its last place there.
fn followed<'a>(source: &'a [u32], text: &[u32]) -> Option<&'a [u32]> {
    let last = text.last()?;
    let mut best = (MIN_MATCH - 1, None);
    for end in (1..source.len()).rev() {
        if source[end - 1] != *last {
            continue;
        }
        let pairs = source[..end].iter().rev().zip(text.iter().rev());
        let n_same = pairs.take(MAX_MATCH).take_while(|(a, b)| a == b).count();
        if best.0 < n_same {
            best = (n_same, Some(&source[end..]));
        }
        if n_same == MAX_MATCH {
            break;
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expected: &[u32], n_prompt: usize, text: &[u32], guess: &[u32]) {
        assert_eq!(Drafter::new(expected.to_vec(), n_prompt).guess(text, 7), guess);
    }

    #[test]
    fn what_followed_the_last_tokens_before_is_guessed() {
        check(&[], 7, &[1, 2, 3, 4, 5, 9, 1, 2, 3], &[4, 5]);
        // The longer match wins, then the later one.
        check(&[], 4, &[7, 1, 2, 3, 4, 8, 1, 2, 3, 5, 7, 1, 2, 3], &[4, 8]);
        check(&[], 4, &[1, 2, 3, 4, 8, 1, 2, 3, 5, 6, 1, 2, 3], &[5, 6]);
    }

    #[test]
    fn two_tokens_are_too_few_to_go_by() {
        check(&[], 4, &[1, 2, 3, 4, 9, 2, 3], &[]);
        check(&[], 0, &[], &[]);
        check(&[], 1, &[5], &[]);
    }

    #[test]
    fn an_expected_answer_is_followed_from_its_beginning() {
        check(&[4, 5, 6, 7], 2, &[1, 2], &[4, 5]);
        check(&[4, 5, 6, 7], 2, &[1, 2, 4, 5, 6], &[7]);
        check(&[4, 5, 6, 7], 2, &[1, 2, 4, 5, 6, 7], &[]);
    }

    #[test]
    fn an_expected_answer_is_found_again_after_a_change() {
        check(&[4, 5, 6, 7, 8, 9], 1, &[1, 4, 3, 5, 6, 7], &[8, 9]);
    }

    #[test]
    fn guesses_double_with_success_and_end_after_eight_misses() {
        let text: Vec<u32> = (0..20).chain(0..10).collect();
        let mut drafter = Drafter::new(Vec::new(), 20);
        let mut lengths = Vec::new();
        for missed in [false, false, true, false] {
            lengths.push(drafter.guess(&text, 9).len());
            drafter.observe(1, 1, missed, true, Duration::ZERO);
        }
        assert_eq!(lengths, [2, 4, 7, 3]);
        for _ in 0..8 {
            assert!(!drafter.guess(&text, 9).is_empty());
            drafter.observe(1, 1, true, true, Duration::ZERO);
        }
        assert!(drafter.guess(&text, 9).is_empty());
    }

    #[test]
    fn guesses_end_where_they_make_the_text_slower() {
        let text: Vec<u32> = (0..20).chain(0..10).collect();
        let mut drafter = Drafter::new(Vec::new(), 20);
        drafter.observe(1, 0, false, false, Duration::from_millis(10));
        for _ in 0..12 {
            assert!(!drafter.guess(&text, 9).is_empty());
            drafter.observe(2, 1, false, true, Duration::from_millis(21));
        }
        assert!(drafter.guess(&text, 9).is_empty());
    }

    #[test]
    fn no_more_is_guessed_than_there_is_room_for() {
        let text: Vec<u32> = (0..20).chain(0..10).collect();
        assert_eq!(Drafter::new(Vec::new(), 20).guess(&text, 1).len(), 1);
        assert_eq!(Drafter::new(Vec::new(), 20).guess(&text, 0).len(), 0);
    }
}
