//! Outlines case by case: what each language's queries find.

use std::fmt::Write;

use tree_sitter::CaptureQuantifier;

use crate::Language;
use crate::query::{Facet, compile};

use super::parse;
use super::snippets::snippet;

/// The outline as text: definitions by nesting, imports, and references by kind.
fn show(language: Language, text: &str) -> String {
    let outline = parse(language, text).outline();
    let mut shown = String::new();
    for symbol in &outline.symbols {
        let mut depth = 0;
        let mut parent = symbol.parent;
        while let Some(idx) = parent {
            depth += 1;
            parent = outline.symbols[idx].parent;
        }
        assert_eq!(&text[symbol.name_range.clone()].trim_start_matches(':'), &symbol.name);
        let signature = text[symbol.signature.clone()].split_whitespace().collect::<Vec<_>>();
        let apart = match (&symbol.container, symbol.parent.map(|idx| &outline.symbols[idx].name)) {
            (Some(container), parent) if Some(container) != parent => format!(" of {container}"),
            _ => String::new(),
        };
        let indent = "  ".repeat(depth);
        let kind = symbol.kind.name();
        writeln!(shown, "{indent}{kind} {}{apart}: {}", symbol.name, signature.join(" ")).unwrap();
    }
    for import in &outline.imports {
        write!(shown, "import {}", import.path).unwrap();
        if let Some(alias) = &import.module_alias {
            write!(shown, " as {alias}").unwrap();
        }
        for name in &import.names {
            write!(shown, " {}", name.name).unwrap();
            if let Some(alias) = &name.alias {
                write!(shown, "={alias}").unwrap();
            }
        }
        writeln!(shown, "{}", if import.all { " *" } else { "" }).unwrap();
    }
    for kind in [crate::ReferenceKind::Call, crate::ReferenceKind::Type] {
        let of_kind = outline.references.iter().filter(|reference| reference.kind == kind);
        let names: Vec<_> = of_kind.map(|reference| reference.name.as_str()).collect();
        writeln!(shown, "{kind:?}: {}", names.join(" ")).unwrap();
    }
    shown
}

#[test]
fn every_query_fits_its_grammar() {
    for language in Language::ALL {
        for facet in [Facet::All, Facet::Definitions, Facet::Imports] {
            if let Err(error) = compile(language, facet) {
                panic!("{language:?} {facet:?}: {error}");
            }
        }
    }
}

#[test]
fn every_pattern_stands_in_the_part_that_is_asked_for_it() {
    for language in Language::ALL {
        let n_patterns = |facet, prefix: &str| {
            let query = compile(language, facet).unwrap().query;
            let is_of = |pattern: &usize| {
                let mut captured =
                    query.capture_quantifiers(*pattern).iter().zip(query.capture_names());
                captured.any(|(quantifier, name)| {
                    *quantifier != CaptureQuantifier::Zero && name.starts_with(prefix)
                })
            };
            (0..query.pattern_count()).filter(is_of).count()
        };
        for (facet, prefix) in [(Facet::Definitions, "definition."), (Facet::Imports, "import")] {
            let found = n_patterns(facet, prefix);
            assert_eq!(found, n_patterns(Facet::All, prefix), "{language:?} {facet:?}");
        }
    }
}

#[test]
fn outline_of_bash() {
    insta::assert_snapshot!(show(Language::Bash, snippet(Language::Bash)));
}

#[test]
fn outline_of_c() {
    insta::assert_snapshot!(show(Language::C, snippet(Language::C)));
}

#[test]
fn outline_of_c_sharp() {
    insta::assert_snapshot!(show(Language::CSharp, snippet(Language::CSharp)));
}

#[test]
fn outline_of_cpp() {
    insta::assert_snapshot!(show(Language::Cpp, snippet(Language::Cpp)));
}

#[test]
fn outline_of_go() {
    insta::assert_snapshot!(show(Language::Go, snippet(Language::Go)));
}

#[test]
fn outline_of_java() {
    insta::assert_snapshot!(show(Language::Java, snippet(Language::Java)));
}

#[test]
fn outline_of_javascript() {
    insta::assert_snapshot!(show(Language::JavaScript, snippet(Language::JavaScript)));
}

#[test]
fn outline_of_lua() {
    insta::assert_snapshot!(show(Language::Lua, snippet(Language::Lua)));
}

#[test]
fn outline_of_python() {
    insta::assert_snapshot!(show(Language::Python, snippet(Language::Python)));
}

#[test]
fn outline_of_ruby() {
    insta::assert_snapshot!(show(Language::Ruby, snippet(Language::Ruby)));
}

#[test]
fn outline_of_rust() {
    insta::assert_snapshot!(show(Language::Rust, snippet(Language::Rust)));
}

#[test]
fn outline_of_tsx() {
    insta::assert_snapshot!(show(Language::Tsx, snippet(Language::Tsx)));
}

#[test]
fn outline_of_typescript() {
    insta::assert_snapshot!(show(Language::TypeScript, snippet(Language::TypeScript)));
}

#[test]
fn a_part_of_an_outline_is_that_part_of_the_whole() {
    for language in Language::ALL {
        let tree = parse(language, snippet(language));
        let whole = tree.outline();
        assert_eq!(tree.symbols_within(0..usize::MAX), whole.symbols, "{}", language.name());
        assert_eq!(tree.imports_within(0..usize::MAX), whole.imports, "{}", language.name());
        assert!(!whole.symbols.is_empty());
    }
}
