//! How near an answer is to what stood in the hole.

use std::collections::BTreeMap;

use syntax::{Language, n_errors};

use crate::Hole;

/// One answer against its reference; an answer that was not given counts as the empty text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The same text, white space at the ends of lines and around the whole aside.
    pub exact: bool,
    /// One minus the edit distance as a share of the longer text, in characters; 0 to 1.
    pub similarity: f64,
    /// F1 of the identifiers, each counted as often as it occurs; `None` when the reference has none.
    pub identifiers: Option<f64>,
    /// The file has no more syntax errors with the answer than it had with the reference.
    pub parses: bool,
    /// Characters that are not white space.
    pub n_written: usize,
    pub n_reference: usize,
}

pub(crate) fn score(hole: &Hole, answer: &str) -> Score {
    let written = normal(answer);
    let reference = normal(&hole.reference);
    let exact = written == reference;
    Score {
        exact,
        similarity: strsim::normalized_levenshtein(&written, &reference),
        identifiers: identifier_f1(hole.language, &written, &reference),
        parses: exact || parses(hole, answer),
        n_written: n_visible(&written),
        n_reference: n_visible(&reference),
    }
}

fn normal(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim().to_owned()
}

fn n_visible(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

fn parses(hole: &Hole, answer: &str) -> bool {
    let n_errors_with =
        |middle: &str| n_errors(hole.language, &format!("{}{middle}{}", hole.prompt, hole.suffix));
    n_errors_with(answer) <= n_errors_with(&hole.reference)
}

fn identifier_f1(language: Language, written: &str, reference: &str) -> Option<f64> {
    let expected = identifiers(language, reference);
    if expected.is_empty() {
        return None;
    }
    let found = identifiers(language, written);
    let n_both: usize = expected
        .iter()
        .map(|(name, n_expected)| *n_expected.min(found.get(name).unwrap_or(&0)))
        .sum();
    let n_all: usize = expected.values().chain(found.values()).sum();
    Some(2.0 * n_both as f64 / n_all as f64)
}

/// Words that begin like a name and are no keywords, with how often each occurs. A fragment has no tree to ask, so words of
/// strings and comments count too, on both sides alike.
fn identifiers(language: Language, text: &str) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for word in text.split(|character: char| !character.is_alphanumeric() && character != '_') {
        let is_name = word.starts_with(|first: char| first.is_alphabetic() || first == '_');
        if is_name && !language.is_keyword(word) {
            *counts.entry(word).or_default() += 1;
        }
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn hole(fixture: &str, reference: &str) -> Hole {
        let (prompt, suffix) = fixture.split_once("$0").expect("a caret");
        Hole {
            id: String::new(),
            language: Language::Rust,
            kind: Kind::Other,
            prompt: prompt.to_owned(),
            suffix: suffix.to_owned(),
            reference: reference.to_owned(),
            path: None,
            files: BTreeMap::new(),
            root: None,
        }
    }

    #[track_caller]
    fn check(reference: &str, answer: &str, expected: &str) {
        let score = score(&hole("fn f() {\n    $0\n}\n", reference), answer);
        let identifiers = score.identifiers.map(|f1| format!("{f1:.2}"));
        let found = format!(
            "exact {}, similarity {:.2}, identifiers {}, parses {}, {} of {}",
            score.exact,
            score.similarity,
            identifiers.as_deref().unwrap_or("none"),
            score.parses,
            score.n_written,
            score.n_reference
        );
        assert_eq!(found, expected);
    }

    #[test]
    fn answers_are_compared() {
        check(
            "let x = a;",
            "let x = a;  \n",
            "exact true, similarity 1.00, identifiers 1.00, parses true, 7 of 7",
        );
        check(
            "let x = a;",
            "let x = b;",
            "exact false, similarity 0.90, identifiers 0.50, parses true, 7 of 7",
        );
        check(
            "f(x);",
            "f(x, x);",
            "exact false, similarity 0.62, identifiers 0.80, parses true, 7 of 5",
        );
        check(
            "f(x);",
            "f(",
            "exact false, similarity 0.40, identifiers 0.67, parses false, 2 of 5",
        );
        check("f(x);", "", "exact false, similarity 0.00, identifiers 0.00, parses true, 0 of 5");
        check("1;", "2;", "exact false, similarity 0.50, identifiers none, parses true, 2 of 2");
        check(
            "if a {\n        b();\n    }",
            "if a {\r\n        b();\r\n    }",
            "exact true, similarity 1.00, identifiers 1.00, parses true, 9 of 9",
        );
    }

    #[test]
    fn a_file_that_was_broken_before_asks_for_no_more() {
        let broken = hole("fn f( {\n    $0\n}\n", "a();");
        assert!(score(&broken, "b();").parses);
        assert!(!score(&broken, "b(];").parses);
    }
}
