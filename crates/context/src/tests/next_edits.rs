//! Where the last edit is to be made again.

use text::Edit;
use workspace::DocumentId;

use super::repositories::Repository;
use crate::next_edit::{Proposal, next_edit};

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
        let document = snapshot.document(&next.document).unwrap();
        assert_eq!(next.version, document.version);
        let replaced = document.buffer.slice(next.range.clone()).into_owned();
        let mut buffer = document.buffer.clone();
        let text = match &next.proposal {
            Proposal::Text(text) => text.clone(),
            Proposal::Infill => format!("<{replaced}>"),
        };
        buffer.apply(&Edit { range: next.range.clone(), text });
        let line = buffer.line_of(next.range.start);
        shown +=
            &format!("{}:{}: {}\n", next.document, line + 1, buffer.slice(buffer.line_range(line)));
        let Proposal::Text(text) = next.proposal else { break };
        repository.replace(&next.document, &next.range, &text);
        if next.document == id {
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
