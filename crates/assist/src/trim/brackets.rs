//! Brackets that close what the text around the caret closes already.

use syntax::{Language, Place};

use crate::brackets::{brackets, counterpart};
use crate::site::Site;

/// Where a closing bracket stands that matches no bracket of `text`, and none that is open before the caret and missing
/// its counterpart after it.
pub(super) fn stop(site: &Site, text: &str, complete: bool) -> Option<usize> {
    if site.place != Place::Code {
        return None;
    }
    let mut open = site.unclosed.clone();
    for (at, bracket) in brackets(site.language, text, complete) {
        match counterpart(bracket) {
            None => open.push(bracket),
            Some(opener) if open.last() == Some(&opener) => {
                open.pop();
            }
            // The patterns of `case` are closed and never opened.
            Some('(') if site.language == Some(Language::Bash) => {}
            Some(_) => return Some(at),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use syntax::Language;

    use super::stop;
    use crate::site::{Extent, Site};
    use crate::trim::tests::site;

    #[track_caller]
    fn check(fixture: &str, text: &str, expected: &str) {
        let site = site(fixture, Extent::Block);
        let kept = stop(&site, text, true).and_then(|at| text.get(..at)).unwrap_or(text);
        assert_eq!(kept, expected);
    }

    #[test]
    fn brackets_that_are_closed_after_the_caret_are_left_out() {
        check("f($0)\n", "a, g(b));", "a, g(b)");
        check("f($0);\n", "x[0]", "x[0]");
        check("let x = [$0];\n", "(1, 2)];", "(1, 2)");
        check("fn f() {\n    $0\n}\n", "a();\n}\n", "a();\n");
    }

    #[test]
    fn brackets_that_are_missing_are_kept() {
        check("f($0\n", "a);", "a);");
        check("f($0\n", "a));", "a)");
        check("fn f() {\n    g($0\n}\n", "a);\n}", "a);\n");
        check("fn f() {$0\n", "\n    a();\n}\n}", "\n    a();\n}\n");
        check("fn f() {\n    $0\n\nfn g() {\n}\n", "a();\n}\n", "a();\n}\n");
    }

    #[test]
    fn patterns_of_a_shell_are_no_surplus() {
        let site = Site {
            language: Some(Language::Bash),
            ..site("case $a in\n    $0\nesac\n", Extent::Block)
        };
        assert_eq!(stop(&site, "x) f ;;\n    y) g ;;", true), None);
        assert_eq!(stop(&site, "f }", true), Some(2));
    }

    #[test]
    fn a_bracket_of_the_wrong_kind_ends_the_text() {
        check("f($0\n", "a]", "a");
        check("$0\n", "x = [1, 2);", "x = [1, 2");
    }
}
