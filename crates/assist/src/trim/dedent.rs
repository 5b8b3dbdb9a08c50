//! The end of a block: the first line that stands left of where it began.

use crate::lines::{indentation, is_blank, numbered};
use crate::site::{Extent, Site};

/// The end of the last line that belongs to the block.
///
/// On a blank line the block is as deep as its first line. Behind an opener it is deeper than the caret's line, and a
/// closing bracket at that line's depth still belongs to it. Elsewhere it is as deep as the caret's line.
pub(super) fn stop(site: &Site, text: &str) -> Option<usize> {
    if site.extent == Extent::Line {
        return None;
    }
    let caret_depth = indentation(site.line_before());
    let on_blank_line = is_blank(site.line_before());
    let mut deeper = site.follows_opener();
    let mut least = if on_blank_line { None } else { Some(caret_depth) };
    for (start, line) in numbered(text) {
        let is_terminated = start + line.len() < text.len();
        let line = line.trim_end();
        let is_first = start == 0;
        if is_blank(line) {
            continue;
        }
        // What comes before the first line feed stands on the caret's line.
        let depth = if is_first { caret_depth + indentation(line) } else { indentation(line) };
        let Some(base) = least else {
            if depth < caret_depth {
                return Some(start.saturating_sub(1));
            }
            least = Some(depth);
            continue;
        };
        if is_first {
            deeper = line.ends_with(['{', '(', '[', ':']);
            continue;
        }
        if depth < base {
            return Some(start - 1);
        }
        if deeper && depth == base {
            if !line.trim_start().starts_with(['}', ')', ']']) {
                return Some(start - 1);
            }
            if is_terminated && !line.ends_with(['{', '(', '[', ':']) {
                return Some(start + line.len());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::stop;
    use crate::site::Extent;
    use crate::trim::tests::site;

    #[track_caller]
    fn check(fixture: &str, text: &str, expected: &str) {
        let site = site(fixture, Extent::Block);
        let kept = stop(&site, text).and_then(|at| text.get(..at)).unwrap_or(text);
        assert_eq!(kept, expected);
    }

    #[test]
    fn on_a_blank_line_the_first_line_sets_the_depth() {
        check(
            "def f():\n    $0\n",
            "x = 1\n    if x:\n        y()\n    return x\ndef g():\n",
            "x = 1\n    if x:\n        y()\n    return x",
        );
        check("def f():\n$0\n", "    x = 1\n    y()\nz()", "    x = 1\n    y()");
        check("def f():\n    $0\n", "\ndef g():\n", "");
        check("def f():\n    $0\n", "x = 1\n\n    y = 2\n\n\nz", "x = 1\n\n    y = 2\n\n");
        check("\tif x {\n\t\t$0\n", "a()\n\t\tb()\n\t}\n", "a()\n\t\tb()");
    }

    #[test]
    fn behind_an_opener_the_block_ends_with_its_closer() {
        check("fn f() {$0\n", "\n    a();\n}\n\nfn g() {}\n", "\n    a();\n}");
        check("fn f() {$0\n", "\n    a();\n}", "\n    a();\n}");
        check(
            "if a {$0\n",
            "\n    b();\n} else {\n    c();\n}\nd();",
            "\n    b();\n} else {\n    c();\n}",
        );
        check("def f():$0\n", "\n    a()\n    b()\ng()", "\n    a()\n    b()");
        check("    def f():$0\n", "\n        a()\n    def g():", "\n        a()");
    }

    #[test]
    fn elsewhere_lines_as_deep_as_the_caret_go_on() {
        check("    a();$0\n", "\n    b();\n    c();\n}\n", "\n    b();\n    c();");
        check("    let x = $0\n", "1;\n    b();\n}\n", "1;\n    b();");
    }
}
