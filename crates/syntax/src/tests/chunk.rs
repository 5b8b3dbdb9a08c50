//! Chunks case by case, and what holds for all of them.

use std::ops::Range;

use proptest::prelude::*;
use text::Buffer;

use crate::{Language, chunks};

use super::parse;
use super::snippets::snippet;

fn cut(language: Option<Language>, text: &str, max_bytes: usize) -> Vec<Range<usize>> {
    let buffer = Buffer::from(text);
    let tree = language.map(|language| parse(language, text));
    chunks(tree.as_ref(), &buffer, max_bytes)
}

/// The first line of each chunk, and how many more it has.
#[track_caller]
fn check(language: Option<Language>, text: &str, max_bytes: usize, expected: &[&str]) {
    let show = |range: Range<usize>| {
        let mut lines = text[range].lines();
        let first = lines.next().unwrap_or_default();
        match lines.count() {
            0 => first.to_owned(),
            n => format!("{first} +{n}"),
        }
    };
    let shown: Vec<_> = cut(language, text, max_bytes).into_iter().map(show).collect();
    assert_eq!(shown, expected);
}

#[test]
fn items_are_whole_and_keep_what_stands_above_them() {
    let text = "\
//! File.

use a;
use b;

/// Doc of f.
#[inline]
fn f() {
    one();
    two();
}

// Not about g.

// About g.
fn g() {}
";
    let expected = ["//! File. +3", "/// Doc of f. +5", "// Not about g. +3"];
    check(Some(Language::Rust), text, 150, &expected);
    let expected = [
        "//! File.",
        "use a; +1",
        "/// Doc of f. +3",
        "    two(); +1",
        "// Not about g.",
        "// About g. +1",
    ];
    check(Some(Language::Rust), text, 50, &expected);
}

#[test]
fn long_items_are_cut_between_members() {
    let text = "\
class Store:
    \"\"\"Doc.\"\"\"

    @property
    def name(self):
        return self.items[0]

    # About add.
    def add(self, item):
        self.items.append(item)
        return self
";
    let expected = ["class Store: +1", "    @property +2", "    # About add. +3"];
    check(Some(Language::Python), text, 120, &expected);
    check(Some(Language::Python), text, 1000, &["class Store: +10"]);
}

#[test]
fn text_without_a_grammar_is_cut_between_paragraphs() {
    let text = "one\ntwo\n\nthree\nfour\n\nfive\n";
    check(None, text, 20, &["one +4", "five"]);
    check(None, text, 10, &["one +1", "three +1", "five"]);
    check(
        None,
        "twelve chars\n\nb\nnineteen characters\n",
        20,
        &["twelve chars", "b", "nineteen characters"],
    );
    check(None, "", 10, &[]);
    check(None, " \n\n", 10, &[]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_hold_every_line_once(
        language in prop::sample::select(Language::ALL.to_vec()),
        with_tree: bool,
        cut_at in 0..1_500_usize,
        max_bytes in 1..900_usize,
    ) {
        let text = snippet(language);
        let mut cut_at = cut_at.min(text.len());
        while !text.is_char_boundary(cut_at) {
            cut_at -= 1;
        }
        let text = &text[..cut_at];
        let found = cut(with_tree.then_some(language), text, max_bytes);
        let mut end = 0;
        for range in &found {
            prop_assert!(end <= range.start && range.start < range.end);
            prop_assert!(text[end..range.start].trim().is_empty(), "no text is left out");
            prop_assert!(range.start == 0 || text[..range.start].ends_with('\n'));
            let chunk = &text[range.clone()];
            prop_assert!(chunk.len() <= max_bytes || chunk.lines().count() == 1, "{chunk:?}");
            end = range.end;
        }
        prop_assert!(text[end..].trim().is_empty());
    }
}
