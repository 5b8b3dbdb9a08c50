//! Code that a model wrote, made to fit where it goes: the one item that was asked for, indented as the document is.

use syntax::{Item, Language, Tree};
use text::Buffer;

use crate::action::hole::indent_unit;

/// Of code that holds more than `item`, the part that replaces it; all of the code otherwise.
pub(crate) fn only_item(language: Language, code: &str, item: &Item) -> String {
    let Some(name) = &item.name else { return code.to_owned() };
    let buffer = Buffer::from(code);
    let Some(tree) = Tree::parse(language, &buffer) else { return code.to_owned() };
    let mut items: Vec<Item> = Vec::new();
    for line in 0..buffer.n_lines() {
        for found in tree.items(buffer.line_range(line).start) {
            if !items.iter().any(|item| item.range == found.range) {
                items.push(found);
            }
        }
    }
    let is_same = |found: &&Item| found.kind == item.kind && found.name.as_ref() == Some(name);
    let Some(same) = items.iter().find(is_same) else { return code.to_owned() };
    let is_around =
        |found: &&Item| found.range.start < same.range.start && same.range.end <= found.range.end;
    let others = items
        .iter()
        .any(|found| found.range.end <= same.range.start || same.range.end <= found.range.start);
    if !others && !items.iter().any(|found| is_around(&found)) {
        return code.to_owned();
    }
    let start = match (&same.comment, &item.comment) {
        // What stands above the item stays as it is unless it belongs to what is replaced.
        (Some(comment), Some(_)) => comment.start.min(same.range.start),
        _ => same.range.start,
    };
    let line_start = buffer.line_range(buffer.line_of(start)).start;
    buffer.slice(line_start..same.range.end).into_owned()
}

/// `code` with its least indentation taken away, its levels those of `document`, and `indent` before every line but the
/// first.
pub(crate) fn indented(code: &str, document: &Buffer, indent: &str) -> String {
    let code = dedented(code);
    let (own, wanted) = (indent_unit(&Buffer::from(code.as_str())), indent_unit(document));
    let mut text = String::new();
    for (at, line) in code.split('\n').enumerate() {
        if 0 < at {
            text.push('\n');
        }
        let rest = line.trim_start_matches([' ', '\t']);
        if rest.is_empty() {
            continue;
        }
        if 0 < at {
            text.push_str(indent);
        }
        let white = line.strip_suffix(rest).unwrap_or_default();
        // Only tabs are told from spaces: a document may mix widths, and lines that align say nothing of levels.
        if own != wanted && own.starts_with('\t') != wanted.starts_with('\t') {
            let n_levels = white.matches(own.as_str()).count();
            text.push_str(&wanted.repeat(n_levels));
            text.push_str(white.get(n_levels * own.len()..).unwrap_or_default());
        } else {
            text.push_str(white);
        }
        text.push_str(rest);
    }
    text
}

/// `text` without the white space that all its lines begin with; a first line that lacks it is let pass, as text that is cut
/// out of a document begins behind its indentation.
pub(crate) fn dedented(text: &str) -> String {
    let least = |skip: usize| {
        let lines = text.split('\n').skip(skip).filter(|line| !line.trim().is_empty());
        lines.map(|line| line.len() - line.trim_start_matches([' ', '\t']).len()).min().unwrap_or(0)
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let first_is_bare = lines.first().is_some_and(|line| !line.starts_with([' ', '\t']));
    let last = lines.iter().rfind(|line| !line.trim().is_empty()).map_or("", |line| *line);
    let n_last = last.len() - last.trim_start().len();
    // A block closes where it began, so its last line says where a bare first line stood.
    let closes = last.trim_start().starts_with(['}', ')', ']']) || last.trim() == "end";
    let is_cut_out = first_is_bare && 1 < lines.len() && closes && n_last == least(1);
    let n = if is_cut_out { n_last } else { least(0) };
    let cut = |(at, line): (usize, &&str)| {
        let n_blank = line.len() - line.trim_start_matches([' ', '\t']).len();
        let n = if at == 0 && first_is_bare { 0 } else { n.min(n_blank) };
        line.get(n..).unwrap_or_default().to_owned()
    };
    lines.iter().enumerate().map(cut).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(code: &str, document: &str, indent: &str, expected: &str) {
        assert_eq!(indented(code, &Buffer::from(document), indent), expected);
    }

    #[test]
    fn indentation_is_the_documents() {
        let spaces = "impl A {\n    fn f() {\n    }\n}\n";
        check("fn f() {\n    g();\n}", spaces, "    ", "fn f() {\n        g();\n    }");
        check("    fn f() {\n        g();\n    }", spaces, "    ", "fn f() {\n        g();\n    }");
        check("fn f() {\n        g();\n    }", spaces, "    ", "fn f() {\n        g();\n    }");
        check(
            "fn f() {\n    g();\n\n    h();\n}",
            "func f() {\n\ta()\n}\n",
            "\t",
            "fn f() {\n\t\tg();\n\n\t\th();\n\t}",
        );
        check("if a:\n\tb()", "def f():\n    a()\n", "    ", "if a:\n        b()");
        check("def f():\n    return 1", "def f():\n    return 0\n", "", "def f():\n    return 1");
        check("a\nb", "", "", "a\nb");
    }

    #[track_caller]
    fn check_item(code: &str, expected: &str) {
        let buffer = Buffer::from("impl A {\n    fn f() {}\n}\n");
        let tree = Tree::parse(Language::Rust, &buffer).unwrap();
        let item = tree.items(16).into_iter().next().unwrap();
        assert_eq!(only_item(Language::Rust, code, &item), expected);
    }

    #[test]
    fn of_a_whole_file_the_item_is_taken() {
        check_item("fn f() { g() }", "fn f() { g() }");
        check_item("use a;\n\nimpl A {\n    fn f() { g() }\n}\n", "    fn f() { g() }");
        check_item("fn e() {}\n\n/// New.\nfn f() { g() }\n", "fn f() { g() }");
        check_item("fn h() { g() }", "fn h() { g() }");
    }
}
