//! The indentation of a suggestion, as the document has it.

use syntax::Place;

use crate::lines::{indentation, is_blank};
use crate::site::Site;

/// Columns of a tab, as [`indentation`] counts them.
const TAB: usize = 4;

/// How a document indents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Style {
    tabs: bool,
    /// Columns of one level; `None` when the text around the caret has no two levels.
    unit: Option<usize>,
}

/// `text` without white space that is there already, and indented with the document's tabs or spaces and width.
pub(super) fn fit(site: &Site, text: &str) -> String {
    let style = style(site);
    let text = without_doubled_start(site, style, text);
    let Some((first, rest)) = text.split_once('\n') else { return text.to_owned() };
    let base = indentation(site.line_before());
    let written = written_unit(base, first, rest);
    let mut fitted = first.to_owned();
    for line in rest.split('\n') {
        fitted.push('\n');
        if is_blank(line) {
            continue;
        }
        let code = line.trim_start_matches([' ', '\t']);
        let depth = rescaled(indentation(line), base, written, style.unit);
        fitted.push_str(&match style.tabs {
            true => format!("{}{}", "\t".repeat(depth / TAB), " ".repeat(depth % TAB)),
            false => " ".repeat(depth),
        });
        fitted.push_str(code);
    }
    fitted
}

/// White space that the caret's line has already is not said twice, nor is the line moved deeper than it can stand.
fn without_doubled_start<'a>(site: &Site, style: Style, text: &'a str) -> &'a str {
    let trimmed = text.trim_start_matches([' ', '\t']);
    let before = site.line_before();
    if trimmed.len() == text.len() || trimmed.starts_with('\n') || site.place != Place::Code {
        return text;
    }
    if !is_blank(before) {
        return if before.ends_with([' ', '\t']) { trimmed } else { text };
    }
    let above = site.before.rsplit('\n').skip(1).find(|line| !is_blank(line)).unwrap_or_default();
    let opens = above.trim_end().ends_with(['{', '(', '[', ':']);
    let deepest = indentation(above) + if opens { style.unit.unwrap_or(TAB) } else { 0 };
    let caret = indentation(before);
    let depth = caret + indentation(text);
    if deepest < depth && caret <= deepest && !trimmed.starts_with('.') { trimmed } else { text }
}

fn style(site: &Site) -> Style {
    let (mut n_tabs, mut n_spaces) = (0_usize, 0_usize);
    let mut steps = [0_usize; 9];
    let mut last: Option<usize> = None;
    for line in site.before.split('\n').chain(site.after.split('\n').skip(1)) {
        if is_blank(line) {
            continue;
        }
        n_tabs += usize::from(line.starts_with('\t'));
        n_spaces += usize::from(line.starts_with("  "));
        let depth = indentation(line);
        let step = last.and_then(|last| depth.checked_sub(last));
        if let Some(count) = step.filter(|step| *step != 0).and_then(|step| steps.get_mut(step)) {
            *count += 1;
        }
        last = Some(depth);
    }
    let unit = (1..steps.len()).filter(|step| steps.get(*step).is_some_and(|n| *n != 0));
    Style { tabs: n_spaces < n_tabs, unit: unit.max_by_key(|step| steps.get(*step).copied()) }
}

/// The columns by which the text goes deeper behind an opener of its own, if it always does so by as many.
fn written_unit(base: usize, first: &str, rest: &str) -> Option<usize> {
    let mut above = (base, first);
    let mut unit = None;
    for line in rest.split('\n').filter(|line| !is_blank(line)) {
        let depth = indentation(line);
        if above.1.trim_end().ends_with(['{', '(', '[', ':']) && above.0 < depth {
            let step = depth - above.0;
            if unit.is_some_and(|unit| unit != step) {
                return None;
            }
            unit = Some(step);
        }
        above = (depth, line);
    }
    unit
}

/// `depth` in levels of the document's width instead of the text's, counted from `base`.
fn rescaled(depth: usize, base: usize, written: Option<usize>, unit: Option<usize>) -> usize {
    match (written, unit, depth.checked_sub(base)) {
        (Some(written), Some(unit), Some(inside))
            if written != unit && inside.is_multiple_of(written) =>
        {
            base + inside / written * unit
        }
        _ => depth,
    }
}

#[cfg(test)]
mod tests {
    use super::fit;
    use crate::site::Extent;
    use crate::trim::tests::site;

    #[track_caller]
    fn check(fixture: &str, text: &str, expected: &str) {
        assert_eq!(fit(&site(fixture, Extent::Block), text), expected);
    }

    #[test]
    fn white_space_before_the_caret_is_not_said_twice() {
        check("let x = $0\n", " 1;", "1;");
        check("let x =$0\n", " 1;", " 1;");
        check("fn f() {\n    $0\n}\n", "    a();\n    b();", "a();\n    b();");
        check("fn f() {\n    a();\n    $0\n}\n", "    b();", "b();");
        check("fn f() {\n$0\n}\n", "    a();\n    b();", "    a();\n    b();");
        check("fn f() {\n    a()\n    $0\n}\n", "    .b();", "    .b();");
        check("fn f() {\n    if a {\n    $0\n}\n", "    b();", "    b();");
        check("// a $0\n", " b", "b");
    }

    #[test]
    fn tabs_and_spaces_are_the_documents() {
        check(
            "fn f() {\n\tlet a = 1;\n\t$0\n}\n",
            "if a {\n        b();\n    }",
            "if a {\n\t\tb();\n\t}",
        );
        check(
            "fn f() {\n    let a = 1;\n    $0\n}\n",
            "if a {\n\t\tb();\n\t}",
            "if a {\n        b();\n    }",
        );
    }

    #[test]
    fn levels_are_as_wide_as_the_documents() {
        check(
            "fn f() {\n  let a = 1;\n  $0\n}\n",
            "if a {\n      b();\n  }",
            "if a {\n    b();\n  }",
        );
        check(
            "fn f() {\n    let a = 1;\n    $0\n}\n",
            "if a {\n      b();\n    }",
            "if a {\n        b();\n    }",
        );
        // Nothing tells how wide a level is here.
        check("$0\n", "if a {\n  b();\n}", "if a {\n  b();\n}");
        // Lined up by hand.
        check("fn f() {\n    let a = 1;\n    $0\n}\n", "g(a,\n      b);", "g(a,\n      b);");
    }
}
