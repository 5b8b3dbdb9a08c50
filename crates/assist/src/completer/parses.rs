//! Suggestions reach as far as they parse.

use text::Edit;
use workspace::Document;

/// The lines of `text`, which is to go to `offset`, up to the last with which the document has the fewest errors of syntax;
/// `None` if that is more than it has without.
///
/// A line that was cut off (not `is_whole`) may open what is to be typed next. Nothing is known of a document without a
/// tree.
pub(super) fn fit<'a>(
    document: &Document,
    offset: usize,
    text: &'a str,
    is_whole: bool,
) -> Option<&'a str> {
    let Some(tree) = document.tree().filter(|_| is_whole || text.contains('\n')) else {
        return Some(text);
    };
    let n_errors = |text: &str| {
        let edit = Edit { range: offset..offset, text: text.to_owned() };
        document.edited(&edit).tree().map_or(0, syntax::Tree::n_errors)
    };
    let (mut kept, mut n_least) = (text, n_errors(text));
    for (end, _) in text.rmatch_indices('\n') {
        let lines = text[..end].trim_end();
        if n_least == 0 || lines.is_empty() {
            break;
        }
        let n = n_errors(lines);
        if n < n_least {
            (kept, n_least) = (lines, n);
        }
    }
    (n_least <= tree.n_errors()).then_some(kept)
}

#[cfg(test)]
mod tests {
    use workspace::{DocumentId, Language, Workspace};

    use super::*;

    /// What is left of `text` at the caret `$0`, or nothing.
    #[track_caller]
    fn check_cut(language: Language, code: &str, text: &str, is_whole: bool, expected: &str) {
        let offset = code.find("$0").unwrap();
        let id = DocumentId("file:///a".into());
        let mut workspace = Workspace::new(vec![]);
        workspace.open(id.clone(), None, Some(language), 1, &code.replacen("$0", "", 1));
        let snapshot = workspace.snapshot();
        let found = fit(snapshot.document(&id).unwrap(), offset, text, is_whole);
        assert_eq!(found.unwrap_or_default(), expected);
    }

    #[track_caller]
    fn check(language: Language, code: &str, text: &str, expected: &str) {
        check_cut(language, code, text, true, expected);
        if text.contains('\n') {
            check_cut(language, code, text, false, expected);
        }
    }

    #[test]
    fn what_parses_stays() {
        check(Language::Rust, "fn f() {\n    $0\n}\n", "a();\n    b();", "a();\n    b();");
        check(Language::Python, "def f():\n    $0\n", "a()\n    b()", "a()\n    b()");
        check(Language::Go, "package a\n\nfunc f() {\n\t$0\n}\n", "x := y()", "x := y()");
    }

    #[test]
    fn lines_behind_the_last_that_parses_go() {
        check(Language::Rust, "fn f() {\n    $0\n}\n", "a();\n    b(;", "a();");
        check(Language::Rust, "fn f() {\n    $0\n}\n", "a();\n    if b {\n        c();", "a();");
        check(Language::Python, "def f():\n    $0\n", "a()\n\n    b((", "a()");
    }

    #[test]
    fn what_parses_nowhere_is_not_shown() {
        check(Language::Rust, "fn f() {\n    $0\n}\n", "if a {\n        b();", "");
        check(Language::Go, "package a\n\nfunc f() {\n\t$0\n}\n", "x := (\n\ty", "");
        check(Language::Python, "def f():\n    $0\n", "\"\"\"", "");
    }

    #[test]
    fn a_line_that_was_cut_off_may_open_what_comes_next() {
        let code = "fn f() {\n    $0\n}\n";
        check_cut(Language::Rust, code, "if a {", false, "if a {");
        check_cut(Language::Rust, code, "if a {", true, "");
    }

    #[test]
    fn a_document_may_be_broken_already() {
        let code = "fn f() {\n    $0\n}\n\nfn g( {\n";
        check(Language::Rust, code, "a();\n    b();", "a();\n    b();");
        check(Language::Rust, code, "a();\n    b(;", "a();");
        check(Language::Rust, "fn f() {\n    if $0\n}\n", "a {", "a {");
    }

    #[test]
    fn what_closes_an_open_bracket_is_welcome() {
        check(
            Language::Rust,
            "fn f() {\n    a($0\n}\n",
            "\n        b,\n    );",
            "\n        b,\n    );",
        );
        check(Language::Rust, "fn f() {\n    a($0\n}\n", "b);", "b);");
    }
}
