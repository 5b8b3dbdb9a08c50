//! Keywords and argument lists by grammar.

use super::parse;
use crate::Language;

#[track_caller]
fn check_keywords(language: Language, reserved: &[&str], free: &[&str]) {
    for word in reserved {
        assert!(language.is_keyword(word), "{word} is none");
    }
    for word in free {
        assert!(!language.is_keyword(word), "{word} is one");
    }
}

#[test]
fn keywords_come_from_the_grammar() {
    check_keywords(Language::Rust, &["fn", "impl", "match", "pub"], &["def", "main", "identifier"]);
    check_keywords(Language::Python, &["def", "lambda", "return"], &["fn", "function_definition"]);
    check_keywords(Language::Go, &["func", "defer", "range"], &["Println", ""]);
    check_keywords(Language::TypeScript, &["interface", "const", "typeof"], &["foo"]);
}

#[track_caller]
fn check_arguments(language: Language, text: &str, expected: &[&str]) {
    let lists = parse(language, text).argument_lists();
    let found: Vec<&str> = lists.into_iter().map(|range| &text[range]).collect();
    assert_eq!(found, expected);
}

#[test]
fn argument_lists_of_calls() {
    check_arguments(Language::Rust, "fn f() { a(1, b(x)); c.d(); }", &["1, b(x)", "x", ""]);
    check_arguments(Language::Python, "print(a, end='')\nx = f(1)(2)\n", &["a, end=''", "1", "2"]);
    check_arguments(Language::JavaScript, "new A(1); b?.(2); `x`", &["1", "2"]);
    check_arguments(Language::Go, "package a\nfunc f() { g(1, 2) }", &["1, 2"]);
    check_arguments(Language::C, "int f(void) { return g(\"a)\"); }", &["\"a)\""]);
    check_arguments(Language::Rust, "fn f(x: u8) { g(1", &[]);
}
