//! What the user is about to use: the names around the caret.

use std::collections::HashMap;
use std::ops::Range;

use syntax::Language;
use workspace::Query;

use crate::gather::Caret;
use crate::gather::excerpt::{Excerpt, dedented};
use crate::window::with_line_feeds;

/// Lines looked at before the caret's line and after it.
const N_BEFORE: usize = 30;
const N_AFTER: usize = 6;

/// Bytes looked at on either side; a line may be a megabyte long.
const MAX_BYTES: usize = 4096;

/// A name this many lines away counts half.
const HALF_DISTANCE: f64 = 6.0;

const MAX_NAMES: usize = 48;
const MAX_SEARCHED: usize = 80;

/// Names around the caret, and what to search for.
#[derive(Debug)]
pub(crate) struct Focus {
    /// Each with its weight, above 0, the heaviest first.
    pub(crate) names: Vec<(String, f64)>,
    pub(crate) query: Query,
}

impl Focus {
    /// The word that is being typed at the caret is left out: it is none yet, and changes with every key.
    pub(crate) fn new(caret: &Caret<'_>) -> Self {
        let buffer = &caret.document.buffer;
        let language = caret.document.language;
        let line = buffer.line_of(caret.offset);
        let start = buffer.line_range(line.saturating_sub(N_BEFORE)).start;
        let start = buffer.floor_char_boundary(start.max(caret.offset.saturating_sub(MAX_BYTES)));
        let end = buffer.line_range(line + N_AFTER).end.min(caret.offset.saturating_add(MAX_BYTES));
        let before = buffer.slice(start..caret.offset);
        let before = with_line_feeds(before.trim_end_matches(is_word));
        let after = buffer.slice(caret.offset..end);
        let after = with_line_feeds(after.trim_start_matches(is_word));

        let mut weights = HashMap::new();
        for (distance, line) in before.rsplit('\n').enumerate() {
            weigh(&mut weights, line, distance, language);
        }
        for (distance, line) in after.split('\n').enumerate() {
            weigh(&mut weights, line, distance + 1, language);
        }
        Self::of(weights)
    }

    /// The names in a piece of code, those near to line `at` of it before the others, and the names in words about it.
    pub(crate) fn on(code: &str, at: usize, words: &str, language: Option<Language>) -> Self {
        let mut weights = HashMap::new();
        for (line, text) in code
            .get(..code.floor_char_boundary(2 * MAX_BYTES))
            .unwrap_or_default()
            .lines()
            .enumerate()
        {
            weigh(&mut weights, text, line.abs_diff(at), language);
        }
        names_in_words(words).for_each(|name| weigh(&mut weights, name, 0, language));
        Self::of(weights)
    }

    fn of(weights: HashMap<&str, f64>) -> Self {
        let mut names: Vec<(String, f64)> =
            weights.into_iter().map(|(name, weight)| (name.to_owned(), weight)).collect();
        names.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let mut query = Query::default();
        for (name, weight) in names.iter().take(MAX_SEARCHED) {
            query.add(name, *weight as f32);
        }
        names.truncate(MAX_NAMES);
        Self { names, query }
    }

    /// The whole of `cut` where it fits into `max_bytes`; else the run of its lines around the one that has the most of the
    /// names around the caret, for whole chunks are longer than what a small model has room for.
    pub(crate) fn nearest(
        &self,
        cut: &Excerpt,
        max_bytes: usize,
    ) -> Option<(Range<usize>, String)> {
        if cut.text.len() <= max_bytes {
            return Some((cut.lines.clone(), cut.text.clone()));
        }
        let lines: Vec<&str> = cut.text.lines().collect();
        let score = |line: &&str| -> f64 {
            line.split(|character| !is_word(character)).filter_map(|word| self.weight(word)).sum()
        };
        let scores: Vec<f64> = lines.iter().map(score).collect();
        let best = (0..lines.len()).max_by(|one, other| {
            let at = |idx: &usize| scores.get(*idx).copied().unwrap_or_default();
            at(one).total_cmp(&at(other)).then_with(|| other.cmp(one))
        })?;
        let mut kept = best..best;
        let mut n_left = max_bytes;
        // What follows a line that is like the caret's is like what follows the caret.
        for idx in best..lines.len() {
            let n_bytes = lines.get(idx).map_or(0, |line| line.len() + 1);
            if n_left < n_bytes {
                break;
            }
            n_left -= n_bytes;
            kept.end = idx + 1;
        }
        for idx in (0..best).rev() {
            let n_bytes = lines.get(idx).map_or(0, |line| line.len() + 1);
            if n_left < n_bytes {
                break;
            }
            n_left -= n_bytes;
            kept.start = idx;
        }
        let text = dedented(&lines.get(kept.clone())?.join("\n"));
        let first = cut.lines.start;
        (!text.trim().is_empty()).then(|| (first + kept.start..first + kept.end, text))
    }

    pub(crate) fn weight(&self, name: &str) -> Option<f64> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, weight)| *weight)
    }
}

fn weigh<'a>(
    weights: &mut HashMap<&'a str, f64>,
    line: &'a str,
    distance: usize,
    language: Option<Language>,
) {
    for word in line.split(|character| !is_word(character)) {
        if word.len() < 2 || word.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        if language.is_some_and(|language| language.is_keyword(word)) {
            continue;
        }
        let weight = weights.entry(word).or_default();
        // Once more says less than once.
        *weight += 1.0 / (1.0 + distance as f64 / HALF_DISTANCE) / (1.0 + 4.0 * *weight);
    }
}

/// What stands out as code in a sentence: what is quoted, and words that no sentence has.
fn names_in_words(words: &str) -> impl Iterator<Item = &str> {
    let quoted =
        ['`', '\'', '"'].into_iter().flat_map(move |quote| words.split(quote).skip(1).step_by(2));
    let quoted = quoted.filter(|text| !text.contains('\n'));
    let is_name = |word: &&str| {
        word.contains('_')
            || word.chars().skip(1).any(char::is_uppercase) && word.chars().any(char::is_lowercase)
    };
    quoted.chain(words.split(|character| !is_word(character)).filter(is_name))
}

pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &str, expected: &[&str]) {
        assert_eq!(names_in_words(words).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn names_stand_out_of_words() {
        check("Call the function here.", &[]);
        check("expected `Store`, found `&Queue`", &["Store", "&Queue"]);
        check("Use push_all and HashMap, NOT that.", &["push_all", "HashMap"]);
        check("Property 'sum' does not exist", &["sum"]);
        check("it's", &["s"]);
    }
}
