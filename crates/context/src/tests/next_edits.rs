//! Where the last edit is to be made again.

use text::Edit;
use workspace::DocumentId;

use super::repositories::Repository;
use crate::next_edit::{Proposal, are_arguments, next_edit, next_edit_at};

/// Replaces `old` by `new` at the first place that has it, asks again and again, and shows the open documents as they are in the end; an
/// infilled range becomes `<...>`.
fn repeated(raw: &str, path: &str, old: &str, new: &str) -> String {
    let mut repository = Repository::new(raw);
    repository.edit(path, old, new);
    let mut shown = String::new();
    let id = DocumentId(path.into());
    let mut offset = 0;
    for _ in 0..9 {
        let snapshot = repository.snapshot();
        let Some(next) = next_edit(&snapshot, &id, offset) else { break };
        let document = &next.document;
        let replaced = document.buffer.slice(next.range.clone()).into_owned();
        let mut buffer = document.buffer.clone();
        let text = match &next.proposal {
            Proposal::Text(text) => text.clone(),
            Proposal::Infill { .. } => format!("<{replaced}>"),
        };
        buffer.apply(&Edit { range: next.range.clone(), text });
        let line = buffer.line_of(next.range.start);
        shown +=
            &format!("{}:{}: {}\n", document.id, line + 1, buffer.slice(buffer.line_range(line)));
        let Proposal::Text(text) = next.proposal else { break };
        if next.is_closed {
            repository.open(&document.id.0, &document.buffer.to_string());
        }
        repository.replace(&document.id, &next.range, &text);
        if document.id == id {
            offset = next.range.start + text.len();
        }
    }
    shown
}

const SHAPES: &str = "
    //- /repo/main.rs
    fn area(width: u32, height: u32) -> u32 {
        // area is a product
        let product = width * height;
        println!(\"area {product}\");
        product
    }

    fn other(product: u32) -> u32 {
        area(product, 1) + area(2, (3))$0
    }
";

#[test]
fn a_renamed_function_is_renamed_where_it_is_called() {
    insta::assert_snapshot!(repeated(SHAPES, "/repo/main.rs", "area", "surface"), @"
    /repo/main.rs:9:     surface(product, 1) + area(2, (3))
    /repo/main.rs:9:     surface(product, 1) + surface(2, (3))
    ");
}

#[test]
fn a_renamed_variable_is_renamed_in_its_function_alone() {
    insta::assert_snapshot!(repeated(SHAPES, "/repo/main.rs", "let product", "let result"), @"/repo/main.rs:5:     result");
}

#[test]
fn other_use_of_what_is_still_defined_is_no_rename() {
    assert_eq!(repeated(SHAPES, "/repo/main.rs", "area(product", "other(product"), "");
}

#[test]
fn calls_follow_the_parameters() {
    insta::assert_snapshot!(
        repeated(SHAPES, "/repo/main.rs", "height: u32)", "height: u32, depth: u32)"),
        @"/repo/main.rs:9:     area(<product, 1>) + area(2, (3))"
    );
}

#[test]
fn larger_changes_are_not_repeated() {
    assert_eq!(
        repeated(
            SHAPES,
            "/repo/main.rs",
            "let product = width * height;",
            "let n = 1;\nlet m = 2;"
        ),
        ""
    );
    assert_eq!(repeated(SHAPES, "/repo/main.rs", "// area is a product\n", ""), "");
}

const CALLERS: &str = "
    //- /repo/src/far/away.rs
    fn last() {
        let area = 1;
        print(area);
    }

    //- /repo/src/one.rs
    use crate::area;

    fn caller() {
        area(1, 2); // area
    }

    //- /repo/src/two.rs
    fn other() {
        let key = \"ghp_0123456789abcdefghijABCDEFGHIJ456789\"; crate::area(3, 4);
    }

    //- /repo/three.py
    area(5, 6)

    //- /repo/src/main.rs
    pub fn area(width: u32, height: u32) -> u32 {
        width * height$0
    }
";

#[test]
fn files_that_are_not_open_come_last() {
    insta::assert_snapshot!(repeated(CALLERS, "/repo/src/main.rs", "area", "surface"), @r#"
    /repo/src/one.rs:1: use crate::surface;
    /repo/src/one.rs:4:     surface(1, 2); // area
    /repo/src/two.rs:2:     let key = "ghp_0123456789abcdefghijABCDEFGHIJ456789"; crate::surface(3, 4);
    "#);
    insta::assert_snapshot!(
        repeated(CALLERS, "/repo/src/main.rs", "height: u32)", "height: u32, depth: u32)"),
        @"/repo/src/one.rs:4:     area(<1, 2>); // area"
    );
    let twice = CALLERS.replace("fn caller", "fn area() {} fn caller");
    assert_eq!(repeated(&twice, "/repo/src/main.rs", "height: u32)", "height: u32, d: u32)"), "");
}

#[test]
fn an_excluded_file_is_not_edited() {
    let mut repository = Repository::new(CALLERS);
    let excluded = |path: &std::path::Path| !path.ends_with("main.rs");
    repository.workspace.set_excluded(workspace::Exclusion::new(excluded));
    repository.edit("/repo/src/main.rs", "area", "surface");
    let id = DocumentId("/repo/src/main.rs".into());
    assert!(next_edit(&repository.snapshot(), &id, 0).is_none());
}

#[test]
fn arguments_are_what_a_call_holds() {
    let mut repository = Repository::new(SHAPES);
    repository.edit("/repo/main.rs", "height: u32)", "height: u32, depth: u32)");
    let id = DocumentId("/repo/main.rs".into());
    let next = next_edit(&repository.snapshot(), &id, 0).unwrap();
    for text in ["product, 1, 2", "", "f(1), (2, 3), \")\""] {
        assert!(are_arguments(&next, text), "{text}");
    }
    for text in ["1) + area(2", "1, (2", "1, 2)", "let x", "1; 2"] {
        assert!(!are_arguments(&next, text), "{text}");
    }
}

/// What is proposed at each place of the file that is marked by `^`, after the name was replaced once.
#[track_caller]
fn check_at(marked: &str, old: &str, new: &str, expected: &[Option<(&str, &str)>]) {
    let offsets: Vec<usize> =
        marked.match_indices('^').enumerate().map(|(n_before, (at, _))| at - n_before).collect();
    let text = marked.replace('^', "");
    let mut repository = Repository::new(&format!("\n//- /repo/main.rs\n{text}$0\n"));
    repository.edit("/repo/main.rs", old, new);
    let moved = |offset: usize| match text.find(old) {
        Some(at) if at < offset => offset - old.len() + new.len(),
        _ => offset,
    };
    let snapshot = repository.snapshot();
    let id = DocumentId("/repo/main.rs".into());
    let found: Vec<_> = offsets
        .iter()
        .map(|offset| {
            let next = next_edit_at(&snapshot, &id, moved(*offset))?;
            let document = next.document;
            let Proposal::Text(text) = next.proposal else { return None };
            Some((document.buffer.slice(next.range).into_owned(), text))
        })
        .collect();
    let found: Vec<_> =
        found.iter().map(|it| it.as_ref().map(|(one, other)| (&**one, &**other))).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_caret_at_an_old_name_is_at_the_next_edit() {
    let renamed = Some(("area", "surface"));
    check_at(
        "fn area() {}\nfn g() { ^ar^ea^(); h(^); area2^(); }\nfn ^x() {}\n",
        "area",
        "surface",
        &[renamed, renamed, renamed, None, None, None],
    );
    // What was no renaming is nothing to repeat at a word.
    check_at("fn f(a: u32) {}\nfn g() { ^f^(1); }\n", "a: u32", "a: u32, b: u32", &[None, None]);
}
