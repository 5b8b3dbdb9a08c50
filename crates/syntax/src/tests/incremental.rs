//! Incremental trees equal fresh ones.

use std::ops::Range;

use proptest::prelude::*;
use text::{Applied, Buffer, Edit};
use tree_sitter::Point;

use crate::hunk::{hunks, input_edits};
use crate::{Language, Tree};

use super::snippets::snippet;

/// How a step picks its text: positions are taken modulo what is there.
#[derive(Debug, Clone)]
enum Step {
    Insert {
        at: u32,
        text: &'static str,
    },
    Delete {
        at: u32,
        length: usize,
    },
    RepeatLine {
        at: u32,
    },
    DeleteLine {
        at: u32,
    },
    /// A run of edits that one reparse takes together.
    Several {
        steps: Vec<(u32, usize, &'static str)>,
    },
    /// Breaks the text and mends it again.
    BreakAndMend {
        at: u32,
        length: usize,
        text: &'static str,
    },
}

fn pieces() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        " ",
        "\n",
        "\r\n",
        "\r",
        "\t",
        "x",
        "é",
        "😀",
        "漢",
        "{",
        "}",
        "(",
        ")",
        "\"",
        "'",
        "`",
        "/*",
        "*/",
        "//",
        "#",
        ";",
        ":",
        "\n\n    ",
        " // 😀\n",
        "fn ",
        "def f():\n    pass\n",
        "if (x) {}\n",
        "\u{2028}",
        "\0",
    ])
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step =
        prop_oneof![
            (any::<u32>(), pieces()).prop_map(|(at, text)| Step::Insert { at, text }),
            (any::<u32>(), 1..12_usize).prop_map(|(at, length)| Step::Delete { at, length }),
            any::<u32>().prop_map(|at| Step::RepeatLine { at }),
            any::<u32>().prop_map(|at| Step::DeleteLine { at }),
            prop::collection::vec((any::<u32>(), 0..9_usize, pieces()), 1..6)
                .prop_map(|steps| Step::Several { steps }),
            (any::<u32>(), 0..20_usize, pieces())
                .prop_map(|(at, length, text)| Step::BreakAndMend { at, length, text }),
            (any::<u32>(), 0..20_usize, pieces())
                .prop_map(|(at, length, text)| Step::BreakAndMend { at, length, text }),
        ];
    prop::collection::vec(step, 1..7)
}

fn line_with_terminator(buffer: &Buffer, at: u32) -> Range<usize> {
    let line = at as usize % buffer.n_lines();
    buffer.line_range(line).start..buffer.line_range(line + 1).start
}

fn replace(buffer: &mut Buffer, at: u32, length: usize, text: &str) -> (Applied, Edit) {
    let start = buffer.floor_char_boundary(at as usize % (buffer.len() + 1));
    let end = buffer.floor_char_boundary(start + length).max(start);
    let undo =
        Edit { range: start..start + text.len(), text: buffer.slice(start..end).into_owned() };
    (buffer.apply(&Edit { range: start..end, text: text.into() }), undo)
}

fn assert_same(tree: &Tree, buffer: &Buffer) {
    let fresh = Tree::parse(tree.language(), buffer).unwrap();
    assert_eq!(tree.buffer.to_string(), buffer.to_string());
    if fresh.has_error() {
        // Recovery may repair the same text in another way, but never outside it.
        assert!(tree.root().end_byte() <= buffer.len());
        return;
    }
    assert!(!tree.has_error(), "{}", tree.to_sexp());
    assert_eq!(tree.to_sexp(), fresh.to_sexp());
    let mut cursors = (tree.root().walk(), fresh.root().walk());
    loop {
        assert_eq!(
            cursors.0.node().range(),
            cursors.1.node().range(),
            "bytes and points of {:?}",
            cursors.1.node()
        );
        if cursors.1.goto_first_child() {
            assert!(cursors.0.goto_first_child());
            continue;
        }
        while !cursors.1.goto_next_sibling() {
            if !cursors.1.goto_parent() {
                return;
            }
            cursors.0.goto_parent();
        }
        assert!(cursors.0.goto_next_sibling());
    }
}

#[track_caller]
fn check(language: Language, text: &str, steps: Vec<Step>) {
    let mut buffer = Buffer::from(text);
    let mut tree = Tree::parse(language, &buffer).unwrap();
    for step in steps {
        let mut edits = Vec::new();
        match step {
            Step::Insert { at, text } => edits.push(replace(&mut buffer, at, 0, text).0),
            Step::Delete { at, length } => edits.push(replace(&mut buffer, at, length, "").0),
            Step::RepeatLine { at } => {
                let line = line_with_terminator(&buffer, at);
                let text = buffer.slice(line.clone()).into_owned();
                edits.push(buffer.apply(&Edit { range: line.start..line.start, text }));
            }
            Step::DeleteLine { at } => {
                let range = line_with_terminator(&buffer, at);
                edits.push(buffer.apply(&Edit { range, text: String::new() }));
            }
            Step::Several { steps } => {
                edits.extend(
                    steps
                        .iter()
                        .map(|&(at, length, text)| replace(&mut buffer, at, length, text).0),
                );
            }
            Step::BreakAndMend { at, length, text } => {
                let (broken, undo) = replace(&mut buffer, at, length, text);
                tree = tree.reparse(&[broken], &buffer).unwrap();
                assert_same(&tree, &buffer);
                edits.push(buffer.apply(&undo));
            }
        }
        tree = tree.reparse(&edits, &buffer).unwrap();
        assert_same(&tree, &buffer);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn c(steps in steps()) { check(Language::C, snippet(Language::C), steps) }

    #[test]
    fn go(steps in steps()) { check(Language::Go, snippet(Language::Go), steps) }

    #[test]
    fn javascript(steps in steps()) { check(Language::JavaScript, snippet(Language::JavaScript), steps) }

    #[test]
    fn python(steps in steps()) { check(Language::Python, snippet(Language::Python), steps) }

    #[test]
    fn python_with_crlf(steps in steps()) { check(Language::Python, &snippet(Language::Python).replace('\n', "\r\n"), steps) }

    #[test]
    fn rust(steps in steps()) { check(Language::Rust, snippet(Language::Rust), steps) }

    #[test]
    fn rust_with_cr(steps in steps()) { check(Language::Rust, &snippet(Language::Rust).replace('\n', "\r"), steps) }

    #[test]
    fn tsx(steps in steps()) { check(Language::Tsx, snippet(Language::Tsx), steps) }

    #[test]
    fn typescript(steps in steps()) { check(Language::TypeScript, snippet(Language::TypeScript), steps) }
}

fn oracle_point(text: &str, offset: usize) -> Point {
    let before = &text[..offset];
    let row = before.matches('\n').count();
    Point::new(row, offset - before.rfind('\n').map_or(0, |at| at + 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn hunks_rebuild_the_last_text_from_the_first(
        lines in 0..90_usize,
        edits in prop::collection::vec((any::<u32>(), 0..9_usize, pieces()), 0..12),
        replace_all in prop::bool::weighted(0.05),
    ) {
        let first = "a\r\né b\rc😀\n".repeat(lines);
        let before = Buffer::from(first.as_str());
        let mut after = before.clone();
        let times = if replace_all { 40 } else { 1 };
        let edits: Vec<_> = edits.repeat(times).into_iter().map(|(at, length, text)| replace(&mut after, at, length, text).0).collect();
        let last = after.to_string();

        let mut rebuilt = first.clone();
        let mut previous: Option<crate::hunk::Hunk> = None;
        for hunk in hunks(&edits).into_iter().rev() {
            rebuilt.replace_range(hunk.old.clone(), &last[hunk.new.clone()]);
            if let Some(next) = previous.replace(hunk.clone()) {
                prop_assert!(hunk.old.end <= next.old.start && hunk.new.end < next.new.start);
            }
        }
        prop_assert_eq!(&rebuilt, &last);

        let mut text = first;
        for (edit, hunk) in input_edits(&before, &edits, &after).into_iter().zip(hunks(&edits).into_iter().rev()) {
            prop_assert_eq!(edit.start_position, oracle_point(&text, edit.start_byte));
            prop_assert_eq!(edit.old_end_position, oracle_point(&text, edit.old_end_byte));
            text.replace_range(edit.start_byte..edit.old_end_byte, &last[hunk.new]);
            prop_assert_eq!(edit.new_end_position, oracle_point(&text, edit.new_end_byte));
        }
        prop_assert_eq!(text, last);
    }
}
