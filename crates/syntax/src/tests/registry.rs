//! Languages by name, and what is too much to parse.

use std::path::Path;
use std::time::Duration;

use text::Buffer;

use crate::tree::parse_within;
use crate::{Language, MAX_BYTES, Tree, n_errors};

use super::snippets::snippet;

#[test]
fn every_grammar_loads_and_parses_its_snippet() {
    for language in Language::ALL {
        assert_eq!(n_errors(language, snippet(language)), 0, "{language:?}");
        assert_eq!(Tree::parse(language, &Buffer::from("")).unwrap().language(), language);
    }
}

#[test]
fn languages_are_known_by_path() {
    for (path, expected) in [
        ("src/größe.rs", Some(Language::Rust)),
        ("a.tar.py", Some(Language::Python)),
        ("A.PYI", Some(Language::Python)),
        ("SConstruct", Some(Language::Python)),
        ("x/a.h", Some(Language::C)),
        ("a.mjs", Some(Language::JavaScript)),
        ("a.jsx", Some(Language::JavaScript)),
        ("a.d.ts", Some(Language::TypeScript)),
        ("a.tsx", Some(Language::Tsx)),
        ("main.go", Some(Language::Go)),
        (".rs", None),
        ("Makefile", None),
        ("a.", None),
        ("", None),
        ("..", None),
    ] {
        assert_eq!(Language::from_path(Path::new(path)), expected, "{path}");
    }
}

#[test]
fn languages_are_known_by_lsp_id() {
    for (id, expected) in [
        ("rust", Some(Language::Rust)),
        ("javascriptreact", Some(Language::JavaScript)),
        ("typescriptreact", Some(Language::Tsx)),
        ("typescript", Some(Language::TypeScript)),
        ("plaintext", None),
        ("", None),
    ] {
        assert_eq!(Language::from_lsp_id(id), expected, "{id}");
    }
    for language in Language::ALL {
        assert_eq!(Language::from_lsp_id(language.name()), Some(language));
    }
}

#[test]
fn a_parse_ends_with_its_budget() {
    let buffer = Buffer::from(snippet(Language::Rust).repeat(20).as_str());
    assert!(parse_within(Duration::ZERO, Language::Rust, &buffer, None).is_none());
    let too_long = Buffer::from("/".repeat(MAX_BYTES + 1).as_str());
    assert!(Tree::parse(Language::Rust, &too_long).is_none());
    assert_eq!(n_errors(Language::Rust, &too_long.to_string()), 1);
}

#[test]
fn errors_are_counted() {
    assert_eq!(n_errors(Language::Rust, "fn f() { (1 }"), 1);
    assert_eq!(n_errors(Language::JavaScript, "f(; g(;"), 2);
    assert_eq!(n_errors(Language::Python, "x = (1"), 1);
    assert_eq!(n_errors(Language::C, ""), 0);
}
