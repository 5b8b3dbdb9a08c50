//! The server's text is the client's text, whatever is edited in whatever encoding.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use test_support::fixture::{Units, line_and_column};
use test_support::scripted::ScriptedModel;
use tokio::runtime;

use crate::harness::{Session, TestClient, builder, builder_in};

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) async fn check_state(client: &mut TestClient, uri: &str, version: i32, text: &str) {
    let n_lines = line_and_column(text, text.len(), Units::Utf8).0 + 1;
    let mut state = client.document_state(uri).await;
    // Whether somebody has looked at the tree yet is no matter of the text.
    state.as_object_mut().expect("an open document").remove("parsed");
    assert_eq!(
        state,
        json!({"version": version, "sha256": sha256(text), "lines": n_lines}),
        "{text:?}"
    );
}

#[derive(Debug, Clone)]
enum Step {
    Full(String),
    Replace { from: Index, length: Index, text: String },
}

fn text() -> impl Strategy<Value = String> {
    const PIECES: [&str; 16] = [
        "a",
        "é",
        "𝄞",
        "👩‍👩‍👧",
        "\n",
        "\r\n",
        "\r",
        "\n\n",
        " ",
        "\t",
        "fn f() {",
        "}",
        "\u{2028}",
        "\u{85}",
        "\u{feff}",
        "word",
    ];
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..24)
        .prop_map(|pieces| pieces.concat())
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => text().prop_map(Step::Full),
        9 => (any::<Index>(), any::<Index>(), text())
            .prop_map(|(from, length, text)| Step::Replace { from, length, text }),
    ]
}

/// Offsets a client can name: between characters, and not inside CRLF.
fn places(text: &str) -> Vec<usize> {
    let inside_crlf = |offset: usize| {
        0 < offset && text[..offset].ends_with('\r') && text[offset..].starts_with('\n')
    };
    (0..=text.len())
        .filter(|&offset| text.is_char_boundary(offset) && !inside_crlf(offset))
        .collect()
}

/// Does the step to the client's own text and gives it as the protocol writes it.
fn change(text: &mut String, step: &Step, units: Units) -> Value {
    match step {
        Step::Full(new) => {
            new.clone_into(text);
            json!({"text": new})
        }
        Step::Replace { from, length, text: new } => {
            let places = places(text);
            let from = from.index(places.len());
            let to = from + length.index((places.len() - from).min(12));
            let position = |offset| {
                let (line, character) = line_and_column(text, offset, units);
                json!({"line": line, "character": character})
            };
            let range = json!({"start": position(places[from]), "end": position(places[to])});
            text.replace_range(places[from]..places[to], new);
            json!({"range": range, "text": new})
        }
    }
}

#[test]
fn random_edits_in_each_encoding() {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for units in Units::ALL {
        let session = RefCell::new(runtime.block_on(Session::start(builder_in(units))));
        let n_cases = RefCell::new(0);
        let notifications = prop::collection::vec(prop::collection::vec(step(), 0..4), 0..6);
        let mut runner =
            TestRunner::new(Config { cases: 256, failure_persistence: None, ..Config::default() });
        let result = runner.run(&(text(), notifications), |(mut text, notifications)| {
            let session = &mut *session.borrow_mut();
            *n_cases.borrow_mut() += 1;
            let uri = format!("file:///{}.rs", n_cases.borrow());
            runtime.block_on(async {
                session.did_open(&uri, "rust", 0, &text).await;
                let mut version = 0;
                for steps in notifications {
                    version += 1;
                    let changes: Vec<Value> =
                        steps.iter().map(|step| change(&mut text, step, units)).collect();
                    session.did_change(&uri, version, json!(changes)).await;
                }
                check_state(session, &uri, version, &text).await;
                session.did_close(&uri).await;
            });
            Ok(())
        });
        result.unwrap();
        runtime.block_on(session.into_inner().finish());
    }
}

#[tokio::test]
async fn positions_past_the_end_clamp() {
    let mut session = Session::start(builder()).await;
    let uri = "file:///a.txt";
    session.did_open(uri, "plaintext", 1, "one\ntwo").await;
    let at = |line, character| json!({"line": line, "character": character});
    let insert = |at: Value, text: &str| json!({"range": {"start": at, "end": at}, "text": text});
    session
        .did_change(
            uri,
            2,
            json!([
                insert(at(0, 99), "A"),
                insert(at(99, 0), "B"),
                insert(at(u32::MAX, u32::MAX), "C")
            ]),
        )
        .await;
    check_state(&mut session, uri, 2, "oneA\ntwoBC").await;
    let backwards = json!([{"range": {"start": at(1, 2), "end": at(0, 1)}, "text": "-"}]);
    session.did_change(uri, 3, backwards).await;
    check_state(&mut session, uri, 3, "oneA\ntw-oBC").await;
    session.finish().await;
}

#[tokio::test]
async fn saving_changes_nothing_and_opening_anew_does() {
    let mut session = Session::start(builder()).await;
    let uri = "file:///a.txt";
    session.did_open(uri, "plaintext", 5, "one").await;
    let document = json!({"uri": uri});
    session.notify("textDocument/willSave", json!({"textDocument": document, "reason": 1})).await;
    session
        .notify("textDocument/didSave", json!({"textDocument": document, "text": "not this"}))
        .await;
    check_state(&mut session, uri, 5, "one").await;
    session.did_open(uri, "plaintext", 1, "two").await;
    check_state(&mut session, uri, 1, "two").await;
    session.finish().await;
}

#[tokio::test]
async fn a_document_of_50_megabytes() {
    let mut session = Session::start(builder()).await;
    let uri = "file:///large.rs";
    let mut text = "let größe = 1;\n".repeat(50_000_000 / 16);
    session.did_open(uri, "rust", 1, &text).await;
    let end = json!({"line": 3_125_000, "character": 0});
    session
        .did_change(uri, 2, json!([{"range": {"start": end, "end": end}, "text": "let x = "}]))
        .await;
    text.push_str("let x = ");
    check_state(&mut session, uri, 2, &text).await;
    let explanation = session.explain(uri, (3_125_000, 8)).await;
    assert_ne!(
        explanation["suggestion"].is_null(),
        explanation["reason"].is_null(),
        "{explanation}"
    );
    session.finish().await;
}

#[tokio::test]
async fn an_opened_document_is_parsed_before_anybody_asks() {
    let uri = "file:///large.rs";
    let text = "fn f() {\n    g();\n}\n".repeat(5_000);
    let builder = builder_in(Units::Utf16).file(uri, "rust", &text);
    let mut session = Session::start_scripted(builder, &ScriptedModel::new("words")).await;
    // Asking for the state parses nothing, so this ends only if the server does by itself.
    for _ in 0..10_000 {
        if session.document_state(uri).await["parsed"] == true {
            return session.finish().await;
        }
    }
    panic!("nobody parses the document");
}
