//! All rules together, and that stopping early changes nothing.

use proptest::prelude::*;
use syntax::{Language, Place};
use text::LineEnding;

use super::*;
use crate::brackets::{n_unopened, unclosed};
use crate::completion::Trigger;
use crate::site::Extent;

/// The surroundings of the caret `$0`, as if of a Rust file.
pub(super) fn site(fixture: &str, extent: Extent) -> Site {
    let (before, after) = fixture.split_once("$0").unwrap();
    let language = Some(Language::Rust);
    let mut open = unclosed(language, before);
    open.drain(..n_unopened(language, after).min(open.len()));
    Site {
        before: before.to_owned(),
        after: after.to_owned(),
        unclosed: open,
        place: Place::Code,
        extent,
        trigger: Trigger::Automatic,
        language,
        line_ending: LineEnding::Lf,
    }
}

fn controls() -> Vec<String> {
    vec!["<|endoftext|>".to_owned(), "<|fim_middle|>".to_owned()]
}

fn whole(site: &Site, text: &str, finish_as: Finish) -> (Result<String, Reason>, &'static str) {
    match stop(site, &controls(), text, 0, true) {
        Some(stop) => (finish(site, &text[..stop.at], Ended::ByRule), stop.rule.name()),
        None => (finish(site, text, Ended::ByModel(finish_as)), "model"),
    }
}

#[track_caller]
fn check(fixture: &str, extent: Extent, text: &str, expected: (&str, &str)) {
    let (suggestion, rule) = whole(&site(fixture, extent), text, Finish::Length);
    let suggestion = suggestion.unwrap_or_else(|reason| format!("({})", reason.code()));
    assert_eq!((suggestion.as_str(), rule), expected);
}

#[test]
fn rules_work_together() {
    check("let x = $0;\n", Extent::Line, "12;\nlet y = 2;\n", ("12", "one-line"));
    check(
        "fn f() {\n    b();\n    $0\n}\n",
        Extent::Statement,
        "a();\n    b();",
        ("a();", "statement"),
    );
    check("let x = $0;\n", Extent::Line, "1;\n", ("(too-short)", "one-line"));
    check("let x = 12;\n$0\n", Extent::Line, "let x = 12;\n", ("(repeats-prefix)", "one-line"));
    check("f($0);\n", Extent::Line, "a, b);\n", ("a, b", "brackets"));
    check("fn f() {\n    $0\n}\n", Extent::Block, "a();\n}\n\nfn g", ("a();", "dedent"));
    check(
        "fn f() {\n    $0\n}\n",
        Extent::Block,
        "a();\n    b();\n    le",
        ("a();\n    b();", "model"),
    );
    check("$0\n", Extent::Line, "x = 1<|endoftext|>", ("x = 1", "control-token"));
    check("$0\n", Extent::Line, "  \n", ("(empty)", "model"));
    check("f($0)\n", Extent::Line, ")", ("(empty)", "brackets"));
    check("x = 1\n$0\ny = 2\n", Extent::Line, "y = 2\n", ("(repeats-suffix)", "one-line"));
}

fn surroundings() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "fn f() {\n    $0\n}\n",
        "fn f() {$0\n",
        "    let x = g($0);\n",
        "$0",
        "    a();$0\n    b();\n",
        "match x {\n        $0\n    }\n}\n",
    ])
    .prop_map(str::to_owned)
}

fn extents() -> impl Strategy<Value = Extent> {
    prop::sample::select(vec![Extent::Line, Extent::Statement, Extent::Block])
}

fn written() -> impl Strategy<Value = String> {
    let part = prop::sample::select(vec![
        "a",
        "();",
        "\n",
        "    ",
        "{",
        "}",
        "(",
        ")",
        "'",
        "')'",
        "\"",
        " ",
        "x = 1;",
        "\n}",
        "\n    b();",
        "é",
        "<|endoftext|>",
        "<|fim",
        "// c",
        "'\\''",
        "[",
        "]",
        ",",
        "\t",
    ]);
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn stopping_early_gives_what_the_whole_text_gives(
        fixture in surroundings(),
        extent in extents(),
        text in written(),
    ) {
        // A loop is seen only after it was entered, so another rule may end the text inside it.
        prop_assume!(repetition::stop(&text, 0).is_none());
        let site = site(&fixture, extent);
        let expected = whole(&site, &text, Finish::Stop);
        let mut n_seen = 0;
        let mut seen = None;
        for (at, character) in text.char_indices() {
            let end = at + character.len_utf8();
            if let Some(stop) = stop(&site, &controls(), &text[..end], n_seen, false) {
                seen = Some((finish(&site, &text[..stop.at], Ended::ByRule), stop.rule.name()));
                break;
            }
            n_seen = end;
        }
        let seen = seen.unwrap_or_else(|| whole(&site, &text, Finish::Stop));
        prop_assert_eq!(seen.0, expected.0);
    }

    #[test]
    fn a_suggestion_is_a_beginning_of_what_was_written(
        fixture in surroundings(),
        extent in extents(),
        text in written(),
    ) {
        if let (Ok(suggestion), _) = whole(&site(&fixture, extent), &text, Finish::Length) {
            let squeeze = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert!(squeeze(&text).starts_with(&squeeze(&suggestion)));
            prop_assert!(!suggestion.trim().is_empty());
            prop_assert_eq!(suggestion.trim_end(), &suggestion);
        }
    }
}
