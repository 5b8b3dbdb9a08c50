//! Other files of a workspace folder: what of them reaches a prompt, and what must not.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};
use test_support::scripted::ScriptedModel;

use crate::harness::{Session, builder, with_settings};

const MAIN: &str = "\
use crate::queue::Queue;
use crate::store::Store;

fn main() {
    let (mut queue, mut store) = (Queue, Store);
    queue.push_one(1);
    store.
}
";
const CARET: (usize, usize) = (6, 10);
const QUEUE: &str =
    "pub struct Queue;\n\nimpl Queue {\n    pub fn push_one(&mut self, n: u32) {}\n}\n";
const STORE: &str = "pub struct Store;\n\nimpl Store {\n    pub fn push_all(&mut self) {}\n}\n";

/// Pieces of the prompt at the caret, once the index has `queue.rs`.
async fn pieces(exclude: Value) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("src");
    fs::create_dir_all(folder.path().join(".git")).unwrap();
    fs::create_dir_all(&source).unwrap();
    for (name, text) in [("main.rs", MAIN), ("queue.rs", QUEUE), ("store.rs", STORE)] {
        fs::write(source.join(name), text).unwrap();
    }
    let uri = format!("file://{}", source.join("main.rs").display());
    let settings = json!({"completion": {"minConfidence": 0}, "context": {"exclude": exclude}});
    let model = ScriptedModel::new("push_all();\n");
    let builder = builder().folder(folder.path()).file(&uri, "rust", MAIN);
    let mut session = Session::start_scripted_with(builder, &model, with_settings(settings)).await;
    for n_lines in 1..200 {
        // A new first line each time, or the answer would come from memory.
        let start = json!({"line": 0, "character": 0});
        let change = json!([{"range": {"start": start, "end": start}, "text": "\n"}]);
        session.did_change(&uri, n_lines + 1, change).await;
        let explained = session.explain(&uri, (CARET.0 + n_lines as usize, CARET.1)).await;
        let pieces = explained["pieces"].as_array().unwrap().clone();
        if of(&pieces, "src/queue.rs") {
            session.finish().await;
            return pieces;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the index does not come");
}

fn of(pieces: &[Value], source: &str) -> bool {
    pieces.iter().any(|piece| piece["source"] == source)
}

#[tokio::test]
async fn text_of_another_file_reaches_the_prompt() {
    let pieces = pieces(json!([])).await;
    let piece = pieces.iter().find(|piece| piece["source"] == "src/store.rs").unwrap();
    assert!(piece["text"].as_str().unwrap().contains("pub fn push_all"), "{piece}");
}

#[tokio::test]
async fn text_of_an_excluded_file_does_not() {
    let pieces = pieces(json!(["store.rs"])).await;
    assert!(!of(&pieces, "src/store.rs"), "{pieces:?}");
    let is_told = |piece: &Value| piece["text"].as_str().unwrap().contains("push_all");
    assert!(!pieces.iter().any(is_told), "{pieces:?}");
}

#[tokio::test]
async fn where_the_user_was_reaches_the_prompt() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("file://{}", folder.path().join(name).display());
    let (main, other) = (file("main.rs"), file("other.rs"));
    let text = "fn first() {}\n\nfn nothing_like_it() {\n    rest();\n}\n";
    let settings = json!({"completion": {"minConfidence": 0}});
    let model = ScriptedModel::new("push_all();\n");
    let builder =
        builder().folder(folder.path()).file(&main, "rust", MAIN).file(&other, "rust", text);
    let mut session = Session::start_scripted_with(builder, &model, with_settings(settings)).await;
    session.explain(&other, (3, 4)).await;
    let mut explained = session.explain(&main, CARET).await;
    while explained["reason"]["code"] == "loading" {
        tokio::time::sleep(Duration::from_millis(100)).await;
        explained = session.explain(&main, CARET).await;
    }
    let piece = explained["pieces"].as_array().unwrap().iter().find(|it| it["kind"] == "viewed");
    let piece = piece.unwrap_or_else(|| panic!("{explained:#}"));
    assert_eq!(piece["source"], "other.rs");
    assert_eq!(piece["lines"], json!({"start": 2, "end": 5}));
    session.finish().await;
}
