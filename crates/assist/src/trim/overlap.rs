//! The end of a suggestion that repeats what stands after the caret.

use crate::brackets::unclosed;
use crate::lines::{is_blank, n_visible};
use crate::site::Site;

/// More of the text after the caret than this is not compared, in bytes.
const WINDOW: usize = 2048;

/// `text` without the part that is there already; `None` when that is all of it.
pub(super) fn trim<'a>(site: &Site, text: &'a str) -> Option<&'a str> {
    if repeats_next_line(site, text) {
        return None;
    }
    let kept = without_next_lines(site, without_next_text(site, text));
    (!is_blank(kept)).then_some(kept)
}

/// The line that comes out of the suggestion stands below already.
fn repeats_next_line(site: &Site, text: &str) -> bool {
    let Some(next) = site.next_line() else { return false };
    if !is_blank(site.line_after()) {
        return false;
    }
    let first = text.split('\n').next().unwrap_or_default();
    let written = format!("{}{first}", site.line_before());
    if !is_blank(first) {
        return written.trim() == next.trim();
    }
    text.split('\n').find(|line| !is_blank(line)).is_some_and(|line| line.trim() == next.trim())
}

/// Drops the longest end that is also how the text after the caret begins.
fn without_next_text<'a>(site: &Site, text: &'a str) -> &'a str {
    let after = site.after.get(..site.after.floor_char_boundary(WINDOW)).unwrap_or_default();
    let n_most = text.len().min(after.len());
    for n in (1..=n_most).rev() {
        let Some(repeated) = after.get(..n) else { continue };
        if let Some(kept) = text.strip_suffix(repeated)
            && is_worth_it(repeated)
            && unclosed(site.language, kept).len() <= unclosed(site.language, text).len()
        {
            return kept;
        }
    }
    text
}

/// One character may be chance, unless it is one that closes something.
fn is_worth_it(repeated: &str) -> bool {
    2 <= n_visible(repeated) || repeated.trim().starts_with([')', ']', '}', ';', ',', '"', '\''])
}

/// Drops the last lines that are the next ones after the caret, white space aside.
fn without_next_lines<'a>(site: &Site, text: &'a str) -> &'a str {
    if !is_blank(site.line_after()) {
        return text;
    }
    let next: Vec<&str> =
        site.after.split('\n').skip(1).map(str::trim).filter(|line| !line.is_empty()).collect();
    let starts: Vec<usize> = text
        .match_indices('\n')
        .map(|(line_feed, _)| line_feed)
        .filter(|at| text.get(at + 1..).is_some_and(|rest| !is_blank(first_line(rest))))
        .collect();
    for start in starts {
        let Some(tail) = text.get(start..) else { continue };
        let lines: Vec<&str> =
            tail.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if next.starts_with(&lines)
            && is_worth_it(&lines.concat())
            && let Some(kept) = text.get(..start)
            && unclosed(site.language, kept).len() <= unclosed(site.language, text).len()
        {
            return kept;
        }
    }
    text
}

fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
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
    fn the_rest_of_the_line_is_not_said_twice() {
        check("foo($0);\n", "a, b);", Some("a, b"));
        check("foo($0, width)\n", "height, width)", Some("height"));
        check("let x = $0;\n", "1;", Some("1"));
        check("print(\"$0\")\n", "total\"", Some("total"));
        check("x = $0 + 1\n", "y + 1", Some("y"));
        check("foo($0);\n", ");", None);
    }

    #[test]
    fn brackets_of_the_suggestion_stay_closed() {
        check("foo($0)\n", "bar()", Some("bar()"));
        check("foo($0);\n", "bar(baz());", Some("bar(baz());"));
        check("x = $0]\n", "[1, 2]", Some("[1, 2]"));
    }

    #[test]
    fn one_character_is_chance() {
        check("x = $0y\n", "xy", Some("xy"));
        check("a $0= b\n", "c =", Some("c ="));
    }

    #[test]
    fn following_lines_are_not_said_twice() {
        check("fn f() {\n    $0\n    b();\n}\n", "a();\n    b();\n}", Some("a();"));
        check("fn f() {\n    $0\n\n  b();\n}\n", "a();\n    b();", Some("a();"));
        check("a$0\nb\n", "a\nc", Some("a\nc"));
    }

    #[test]
    fn a_suggestion_of_what_follows_is_dropped() {
        check("x = 1\n$0\ny = 2\n", "y = 2", None);
        check("x = 1\ny$0\n\ny = 2\n", " = 2\nz = 3", None);
        check("x = 1$0\ny = 2\n", "\ny = 2\nz = 3", None);
        check("x = 1\n$0\ny = 2\n", "y = 3", Some("y = 3"));
        check("{\n    $0\n}\n", "}", None);
    }
}
