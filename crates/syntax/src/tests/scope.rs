//! Enclosing scopes.

use super::{caret, parse};
use crate::Language;

#[track_caller]
fn check(language: Language, marked: &str, expected: &[(&str, Option<&str>)]) {
    let (text, offset) = caret(marked);
    let scopes = parse(language, &text).scopes(offset);
    let found: Vec<_> = scopes
        .iter()
        .map(|scope| (scope.kind.as_str(), scope.body.clone().map(|body| &text[body])))
        .collect();
    assert_eq!(found, expected, "{marked}");
}

#[test]
fn rust() {
    check(
        Language::Rust,
        "impl A { fn f() { if a { b } else { $0 } } }",
        &[
            ("else_clause", Some("{  }")),
            ("if_expression", Some("{ b }")),
            ("function_item", Some("{ if a { b } else {  } }")),
            ("impl_item", Some("{ fn f() { if a { b } else {  } } }")),
        ],
    );
    check(Language::Rust, "fn f($0) {}", &[("function_item", Some("{}"))]);
    check(Language::Rust, "$0fn f() {}", &[]);
    check(Language::Rust, "fn f() {}$0", &[]);
    check(
        Language::Rust,
        "fn f() { { a; $0 } }",
        &[("block", Some("{ a;  }")), ("function_item", Some("{ { a;  } }"))],
    );
    check(Language::Rust, "fn f();\nfn é() {\n\n$0\n}", &[("function_item", Some("{\n\n\n}"))]);
}

#[test]
fn a_missing_bracket_does_not_end_a_scope() {
    check(Language::JavaScript, "function f() {\n  $0\n", &[("function_expression", Some("{"))]);
    check(
        Language::Rust,
        "impl A {\n    fn f() { }\n    $0",
        &[("impl_item", Some("{\n    fn f() { }"))],
    );
}

#[test]
fn python() {
    let text = "class A:\n    def f(self):\n        pass\n";
    let method = ("function_definition", Some("pass"));
    let class = ("class_definition", Some("def f(self):\n        pass"));
    let check =
        |tail: &str, expected: &[_]| check(Language::Python, &format!("{text}{tail}"), expected);
    check("        $0\n", &[method, class]);
    check("\n\n    $0\n", &[class]);
    check("$0\n", &[]);
    check(
        "    \n    x$0 = 1",
        &[("class_definition", Some("def f(self):\n        pass\n    \n    x = 1"))],
    );
}

#[test]
fn python_blank_lines_within_a_body() {
    check(
        Language::Python,
        "def f():\n    a\n$0\n    b\n",
        &[("function_definition", Some("a\n\n    b"))],
    );
    check(Language::Python, "def f():\n    $0\n", &[("function_definition", Some(""))]);
}

#[test]
fn others() {
    check(
        Language::Tsx,
        "const a = () => { return <p>{b.map((c) => { $0 })}</p>; };",
        &[
            ("arrow_function", Some("{  }")),
            ("arrow_function", Some("{ return <p>{b.map((c) => {  })}</p>; }")),
        ],
    );
    check(
        Language::Go,
        "package a\nfunc (t T) f() { for { $0 } }",
        &[("for_statement", Some("{  }")), ("method_declaration", Some("{ for {  } }"))],
    );
    check(
        Language::C,
        "int f() { while (1) { $0 } }",
        &[("while_statement", Some("{  }")), ("function_definition", Some("{ while (1) {  } }"))],
    );
    check(
        Language::TypeScript,
        "class A { m(): void { $0 } }",
        &[("method_definition", Some("{  }")), ("class_declaration", Some("{ m(): void {  } }"))],
    );
}

#[test]
fn deep_nesting_is_cut_at_the_outside() {
    let (open, close) = ("{".repeat(500), "}".repeat(500));
    let tree = parse(Language::Rust, &format!("fn f() {open}{close}"));
    let scopes = tree.scopes("fn f() ".len() + 500);
    assert_eq!(scopes.len(), 64);
    assert_eq!(scopes[0].range.len(), 2);
}
