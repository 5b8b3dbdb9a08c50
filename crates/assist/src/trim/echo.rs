//! A suggestion that only says once more what stands above the caret.

use crate::lines::{is_blank, n_visible};
use crate::site::Site;

/// Shorter lines come twice in a row in good code, in characters that are not white space.
const MIN_VISIBLE: usize = 8;

/// The first line of `text` is the last line of code before the caret, word for word.
pub(super) fn repeats_line_above(site: &Site, text: &str) -> bool {
    let mut lines = site.before.rsplit('\n');
    let current = lines.next().unwrap_or_default();
    let Some(first) = text.split('\n').find(|line| !is_blank(line)) else { return false };
    let begins_on_new_line = text.trim_start_matches([' ', '\t']).starts_with('\n');
    // Behind a finished line the model goes on below it, and that line is the one above.
    let (written, above) = match begins_on_new_line && !is_blank(current) {
        true => (first.to_owned(), Some(current)),
        false if begins_on_new_line => (first.to_owned(), lines.find(|line| !is_blank(line))),
        false => (format!("{current}{first}"), lines.find(|line| !is_blank(line))),
    };
    MIN_VISIBLE <= n_visible(&written) && above.is_some_and(|above| written.trim() == above.trim())
}

#[cfg(test)]
mod tests {
    use super::repeats_line_above;
    use crate::site::Extent;
    use crate::trim::tests::site;

    #[track_caller]
    fn check(fixture: &str, text: &str, expected: bool) {
        assert_eq!(repeats_line_above(&site(fixture, Extent::Block), text), expected);
    }

    #[test]
    fn cases() {
        check("let total = a + b;\n$0\n", "let total = a + b;\nlet x = 1;", true);
        check("let total = a + b;\n\n    let total$0\n", " = a + b;", true);
        check("let total = a + b;$0\n", "\nlet total = a + b;", true);
        check("let total = a + b;\n$0\n", "let total = a + c;", false);
        check("let other = 1;\nlet total = a + b;\n$0\n", "let other = 1;", false);
        check("    }\n    $0\n", "}", false);
        check("$0", "let total = 1;", false);
    }
}
