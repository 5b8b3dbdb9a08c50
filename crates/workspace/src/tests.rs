//! Workspaces against plain strings, and the log of edits case by case.

mod repository;
mod secrets;
mod store;
mod visits;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;
use syntax::{Language, Tree};
use text::{Buffer, Encoding, Position};

use crate::difference::difference;
use crate::log::{MAX_BYTES, MAX_EDITS};
use crate::{Change, DocumentId, Error, Workspace};

fn id(name: &str) -> DocumentId {
    DocumentId(Arc::from(name))
}

fn opened(text: &str) -> Workspace {
    let mut workspace = Workspace::new(Vec::new());
    workspace.open(id("a"), None, Some(Language::Rust), 1, text);
    workspace
}

fn text_of(workspace: &Workspace, name: &str) -> String {
    workspace.document(&id(name)).unwrap().buffer.to_string()
}

/// Byte offset of a position, by a scan that shares nothing with the rope.
fn oracle_offset(text: &str, position: Position, encoding: Encoding) -> usize {
    let mut rest: Range<usize> = 0..text.len();
    for _ in 0..position.line {
        let Some(at) = text[rest.clone()].find(['\n', '\r']) else { return text.len() };
        let terminator = if text[rest.start + at..].starts_with("\r\n") { 2 } else { 1 };
        rest.start += at + terminator;
    }
    let line = text[rest.clone()].split(['\n', '\r']).next().unwrap();
    let fits = |at: &usize| encoding.len(&line[..*at]) <= position.column as usize;
    rest.start
        + (0..=line.len()).filter(|&at| line.is_char_boundary(at)).take_while(fits).last().unwrap()
}

fn texts() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "fn f() {\n",
        "}\n",
        "let größe = 1;",
        "\"😀\"",
        "\n",
        "\r\n",
        "\r",
        "é",
        "𝒳",
        " ",
        "// 漢字\n",
        "a",
        "(",
        ")",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn changes() -> impl Strategy<Value = Change> {
    let position = (0..9_u32, 0..14_u32).prop_map(|(line, column)| Position { line, column });
    prop_oneof![
        1 => texts().prop_map(Change::Full),
        5 => (position.clone(), position, texts()).prop_map(|(start, end, text)| Change::Range { start, end, text }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_document_equals_a_string(
        text in texts(),
        batches in prop::collection::vec(prop::collection::vec(changes(), 0..4), 1..6),
        encoding in prop::sample::select(vec![Encoding::Utf8, Encoding::Utf16, Encoding::Utf32]),
    ) {
        let mut workspace = opened(&text);
        let mut text = text;
        for (version, batch) in batches.into_iter().enumerate() {
            for change in &batch {
                match change {
                    Change::Full(new) => text.clone_from(new),
                    Change::Range { start, end, text: new } => {
                        let start = oracle_offset(&text, *start, encoding);
                        let end = oracle_offset(&text, *end, encoding).max(start);
                        text.replace_range(start..end, new);
                    }
                }
            }
            let before = workspace.snapshot();
            let before_text = before.document(&id("a")).unwrap().buffer.to_string();
            workspace.change(&id("a"), version as i32, encoding, batch).unwrap();
            prop_assert_eq!(before.document(&id("a")).unwrap().buffer.to_string(), before_text);

            let document = workspace.document(&id("a")).unwrap();
            prop_assert_eq!(document.buffer.to_string(), &*text);
            prop_assert_eq!(document.version, version as i32);
            let fresh = Tree::parse(Language::Rust, &document.buffer).unwrap();
            let tree = document.tree().unwrap();
            if !fresh.has_error() {
                prop_assert_eq!(tree.to_sexp(), fresh.to_sexp());
            }
            prop_assert!(workspace.snapshot().edits().len() <= MAX_EDITS);
        }
    }

    #[test]
    fn a_difference_is_an_edit_and_a_short_one(old in texts(), middle in texts(), cut in any::<u32>(), times in 1..80_usize) {
        let old = old.repeat(times);
        let mut cut = cut as usize % (old.len() + 1);
        while !old.is_char_boundary(cut) {
            cut -= 1;
        }
        let new = [&old[..cut], &middle, &old[cut..]].concat();
        for (from, to) in [(&old, &new), (&new, &old)] {
            let mut buffer = Buffer::from(from.as_str());
            match difference(&buffer, to) {
                Some(edit) => {
                    prop_assert!(edit.range.len().max(edit.text.len()) <= middle.len());
                    buffer.apply(&edit);
                }
                None => prop_assert!(middle.is_empty()),
            }
            prop_assert_eq!(&buffer.to_string(), to);
        }
    }
}

#[test]
fn a_difference_does_not_split_characters() {
    for (old, new) in
        [("é", "è"), ("aé", "a"), ("😀x", "😁x"), ("x漢", "x字"), ("ĩ", "é"), ("", "é"), ("é", "")]
    {
        let mut buffer = Buffer::from(old);
        buffer.apply(&difference(&buffer, new).unwrap());
        assert_eq!(buffer.to_string(), new);
    }
    assert_eq!(difference(&Buffer::from("é\r\n"), "é\r\n"), None);
}

#[test]
fn changes_of_a_batch_refer_to_the_text_between_them() {
    let mut workspace = opened("a\nb\n");
    let at = |line, column| Position { line, column };
    let changes = vec![
        Change::Range { start: at(0, 0), end: at(1, 0), text: String::new() },
        Change::Range { start: at(0, 1), end: at(0, 1), text: "😀\n".into() },
        Change::Range { start: at(0, 3), end: at(1, 0), text: "!".into() },
    ];
    workspace.change(&id("a"), 7, Encoding::Utf16, changes).unwrap();
    assert_eq!(text_of(&workspace, "a"), "b😀!\n");
}

#[test]
fn documents_that_are_not_open_are_refused() {
    let mut workspace = opened("");
    let refused = Err(Error::NotOpen(id("b")));
    assert_eq!(
        workspace.change(&id("b"), 2, Encoding::Utf8, [Change::Full(String::new())]),
        refused
    );
    assert_eq!(workspace.close(&id("b")), refused);
    assert!(workspace.document(&id("b")).is_none());
    assert_eq!(Error::NotOpen(id("file:///b")).to_string(), "document file:///b is not open");
}

#[test]
fn versions_are_stored_even_backwards() {
    let mut workspace = opened("");
    for version in [5, 3, 3, i32::MIN] {
        workspace.change(&id("a"), version, Encoding::Utf8, []).unwrap();
        assert_eq!(workspace.document(&id("a")).unwrap().version, version);
    }
}

#[test]
fn closing_and_opening_anew_start_from_nothing() {
    let mut workspace = opened("x");
    let buffer = Arc::downgrade(workspace.document(&id("a")).unwrap());
    type_text(&mut workspace, 0, 0, "y");
    workspace.close(&id("a")).unwrap();
    assert!(buffer.upgrade().is_none(), "no part of the workspace keeps a closed document");
    assert_eq!(workspace.snapshot().edits(), []);
    assert_eq!(workspace.snapshot().documents().count(), 0);

    workspace.open(id("a"), None, None, 1, "one");
    type_text(&mut workspace, 0, 0, "y");
    workspace.open(id("a"), None, Some(Language::Python), 1, "two");
    assert_eq!(text_of(&workspace, "a"), "two");
    assert_eq!(workspace.snapshot().edits(), []);
    assert_eq!(workspace.document(&id("a")).unwrap().tree().unwrap().language(), Language::Python);
}

#[test]
fn large_documents_have_no_tree_until_they_shrink() {
    let line = "let größe = \"😀\";\n";
    let mut workspace = opened(&line.repeat(syntax::MAX_BYTES / line.len() + 1));
    let document = workspace.document(&id("a")).unwrap();
    assert!(document.is_large() && document.tree().is_none());
    workspace.change(&id("a"), 2, Encoding::Utf16, [Change::Full("fn f() {}".into())]).unwrap();
    let document = workspace.document(&id("a")).unwrap();
    assert!(!document.is_large() && document.tree().is_some());
    workspace
        .change(&id("a"), 3, Encoding::Utf16, [Change::Full(line.repeat(syntax::MAX_BYTES / 8))])
        .unwrap();
    assert!(workspace.document(&id("a")).unwrap().tree().is_none());
}

#[track_caller]
fn type_text(workspace: &mut Workspace, line: u32, column: u32, text: &str) {
    for (column, character) in (column..).zip(text.chars()) {
        replace(workspace, (line, column), (line, column), &character.to_string());
    }
}

#[track_caller]
fn replace(workspace: &mut Workspace, start: (u32, u32), end: (u32, u32), text: &str) {
    let position = |(line, column)| Position { line, column };
    let version = workspace.document(&id("a")).unwrap().version + 1;
    let change = Change::Range { start: position(start), end: position(end), text: text.into() };
    workspace.change(&id("a"), version, Encoding::Utf32, [change]).unwrap();
}

/// The log as `line: removed -> inserted`.
#[track_caller]
fn check_log(workspace: &Workspace, expected: &[&str]) {
    let snapshot = workspace.snapshot();
    let show = |edit: &crate::LoggedEdit| {
        format!("{}: {:?} -> {:?}", edit.line, edit.removed, edit.inserted)
    };
    assert_eq!(snapshot.edits().iter().map(show).collect::<Vec<_>>(), expected);
}

#[test]
fn typing_on_a_line_is_one_edit() {
    let mut workspace = opened("ab\ncd\n");
    type_text(&mut workspace, 1, 1, "é😀x");
    check_log(&workspace, &["1: \"\" -> \"é😀x\""]);
    assert_eq!(workspace.snapshot().edits()[0].version, 4);
    replace(&mut workspace, (1, 3), (1, 4), "y");
    check_log(&workspace, &["1: \"\" -> \"é😀y\""]);
    type_text(&mut workspace, 0, 0, "z");
    check_log(&workspace, &["1: \"\" -> \"é😀y\"", "0: \"\" -> \"z\""]);
    type_text(&mut workspace, 1, 4, "w");
    check_log(&workspace, &["1: \"\" -> \"é😀y\"", "0: \"\" -> \"z\"", "1: \"\" -> \"w\""]);
}

#[test]
fn erasing_joins_too() {
    let mut workspace = opened("größe = 1\n");
    for column in (2..5).rev() {
        replace(&mut workspace, (0, column), (0, column + 1), "");
    }
    check_log(&workspace, &["0: \"öße\" -> \"\""]);
    type_text(&mut workspace, 0, 2, "am");
    check_log(&workspace, &["0: \"öße\" -> \"am\""]);
    replace(&mut workspace, (0, 1), (0, 5), "o");
    check_log(&workspace, &["0: \"röße \" -> \"o\""]);
    assert_eq!(text_of(&workspace, "a"), "go= 1\n");
}

#[test]
fn what_is_taken_back_leaves_no_edit() {
    let mut workspace = opened("a\n");
    type_text(&mut workspace, 0, 1, "bc");
    replace(&mut workspace, (0, 1), (0, 3), "");
    check_log(&workspace, &[]);
    replace(&mut workspace, (0, 0), (0, 1), "a");
    check_log(&workspace, &[]);
}

#[test]
fn line_breaks_end_an_edit() {
    let mut workspace = opened("a\n");
    type_text(&mut workspace, 0, 1, "b\n");
    type_text(&mut workspace, 1, 0, "c");
    check_log(&workspace, &["0: \"\" -> \"b\"", "0: \"\" -> \"\\n\"", "1: \"\" -> \"c\""]);
}

#[test]
fn a_whole_text_is_logged_as_what_changed() {
    let mut workspace = opened("fn f() {}\nfn g() {}\n");
    workspace
        .change(&id("a"), 2, Encoding::Utf8, [Change::Full("fn f() {}\nfn größe() {}\n".into())])
        .unwrap();
    check_log(&workspace, &["1: \"\" -> \"röße\""]);
}

#[test]
fn the_log_is_bounded() {
    let mut workspace = opened("");
    for version in 0..200 {
        let text = format!("{version}\n");
        let at = Position { line: version, column: 0 };
        workspace
            .change(
                &id("a"),
                version as i32,
                Encoding::Utf8,
                [Change::Range { start: at, end: at, text }],
            )
            .unwrap();
    }
    let snapshot = workspace.snapshot();
    assert_eq!(snapshot.edits().len(), MAX_EDITS);
    assert_eq!(snapshot.edits()[MAX_EDITS - 1].inserted, "199\n");
    assert_eq!(snapshot.edits()[0].inserted, format!("{}\n", 200 - MAX_EDITS));

    let mut workspace = opened("");
    replace(&mut workspace, (0, 0), (0, 0), &"x".repeat(MAX_BYTES + 1));
    check_log(&workspace, &[]);
    replace(&mut workspace, (0, 0), (0, 0), &"y".repeat(MAX_BYTES));
    replace(&mut workspace, (0, 0), (0, 0), "z");
    let lengths: Vec<_> =
        workspace.snapshot().edits().iter().map(|edit| edit.inserted.len()).collect();
    assert_eq!(lengths, [MAX_BYTES, 1]);
}

#[test]
fn paths_are_relative_to_the_innermost_root() {
    let workspace =
        Workspace::new(vec![PathBuf::from("/home/größe"), PathBuf::from("/home/größe/sub")]);
    let snapshot = workspace.snapshot();
    let check =
        |path: &str, expected: &str| assert_eq!(snapshot.relative_path(Path::new(path)), expected);
    check("/home/größe/src/a.rs", "src/a.rs");
    check("/home/größe/sub/src/a.rs", "src/a.rs");
    check("/home/größer/a.rs", "a.rs");
    check("/tmp/x/a.rs", "a.rs");
    check("/home/größe/sub", "sub");
    check("/", "");
    check("", "");
}
