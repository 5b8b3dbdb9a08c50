//! Lines that are almost what stands below the caret already.

use crate::brackets::unclosed;
use crate::lines::{is_blank, n_visible, numbered};
use crate::site::Site;

/// One minus the edit distance as a share of the longer line; lines this much alike are one line written twice.
const ALIKE: f64 = 0.9;

/// Shorter lines are alike by chance, in characters that are not white space.
const MIN_VISIBLE: usize = 12;

/// `text` up to the line that the next one after the caret is almost the same as; `None` when that is the first.
pub(super) fn trim<'a>(site: &Site, text: &'a str) -> Option<&'a str> {
    let Some(next) = site.next_line().map(str::trim).filter(|_| is_blank(site.line_after())) else {
        return Some(text);
    };
    for (start, line) in numbered(text) {
        let whole = match start {
            0 => format!("{}{line}", site.line_before()),
            _ => line.to_owned(),
        };
        if !are_alike(whole.trim(), next) {
            continue;
        }
        let kept = text.get(..start.saturating_sub(1)).unwrap_or_default();
        if is_blank(kept) {
            return None;
        }
        if unclosed(site.language, kept).len() <= unclosed(site.language, text).len() {
            return Some(kept);
        }
    }
    Some(text)
}

/// The same but for a word or two. Lines that differ in numbers alone are a list that goes on.
fn are_alike(one: &str, other: &str) -> bool {
    let letters = |line: &str| -> String {
        line.chars().filter(|character| !character.is_ascii_digit()).collect()
    };
    MIN_VISIBLE <= n_visible(one).min(n_visible(other))
        && (one == other || letters(one) != letters(other))
        && ALIKE <= strsim::normalized_levenshtein(one, other)
}

#[cfg(test)]
mod tests {
    use super::trim;
    use crate::site::Extent;
    use crate::trim::tests::site;

    #[track_caller]
    fn check(fixture: &str, text: &str, expected: Option<&str>) {
        let site = site(fixture, Extent::Block);
        assert_eq!(trim(&site, text), expected);
    }

    #[test]
    fn a_line_that_is_below_already_is_dropped() {
        check("$0\nlet total = width * height;\n", "let total = width * heigth;", None);
        check("let total$0\nlet total = width * height;\n", " = width + height;", None);
        check(
            "$0\nlet total = width * height;\n",
            "let area = width * height;",
            Some("let area = width * height;"),
        );
    }

    #[test]
    fn what_comes_before_it_is_kept() {
        check(
            "fn f() {\n    $0\n    let total = width * height;\n}\n",
            "let width = 1;\n    let total = width * heights;\n    other();",
            Some("let width = 1;"),
        );
        check(
            "fn f() {\n    $0\n    let total = width * height;\n}\n",
            "if a {\n        let total = width * height;\n    }",
            Some("if a {\n        let total = width * height;\n    }"),
        );
    }

    #[test]
    fn lists_go_on_and_short_lines_are_chance() {
        check(
            "$0\nlet value_2 = compute(2);\n",
            "let value_1 = compute(1);",
            Some("let value_1 = compute(1);"),
        );
        check("$0\nfoo(a, b);\n", "foo(a, c);", Some("foo(a, c);"));
        check("let x = $0;\nlet x = width * height;\n", "width * height", Some("width * height"));
    }
}
