//! What users of other assistants complain of, each with a test that it does not happen here.
//!
//! Positions in Unicode (13) are `sync`; memory while idle (9) is the engine's; the next edit (14) is `completion`.

use serde_json::{Value, json};
use test_support::fixture::{self, Units};
use test_support::scripted::ScriptedModel;

use crate::harness::{Document, LONG, Session, builder, builder_in, document, talkative_model};

async fn start(document: &Document) -> Session {
    let builder = builder().file(&document.uri, "rust", &document.text);
    Session::start_with(builder, talkative_model().await).await
}

/// The same with a model that says one thing, so that what is suggested is known to be long enough.
async fn start_scripted(document: &Document) -> Session {
    let builder = builder().file(&document.uri, "rust", &document.text);
    let session = Session::start_scripted(builder, &ScriptedModel::new("compute(first);\n")).await;
    drop(session.hold_engine());
    session
}

/// Types `text` at a place; a client's next version.
async fn type_text(session: &mut Session, uri: &str, version: i32, at: (usize, usize), text: &str) {
    let position = json!({"line": at.0, "character": at.1});
    let change = json!([{"range": {"start": position, "end": position}, "text": text}]);
    session.did_change(uri, version, change).await;
}

async fn items(session: &mut Session, uri: &str, at: (usize, usize), trigger_kind: i32) -> Value {
    let id = session.inline_completion(uri, at, trigger_kind).await;
    session.answer(id).await.unwrap()["items"].clone()
}

/// The first suggestion at the caret of `document`, without what stands before the caret.
async fn suggestion(session: &mut Session, document: &Document) -> String {
    let items = items(session, &document.uri, document.caret(Units::Utf16), 2).await;
    let text = items[0]["insertText"].as_str().unwrap();
    text.strip_prefix("let other = ").unwrap().to_owned()
}

#[tokio::test]
async fn complaint_01_latency_what_is_typed_through_needs_no_model() {
    let document = document();
    let mut session = start_scripted(&document).await;
    let suggested = suggestion(&mut session, &document).await;
    let held = session.hold_engine();
    let first = suggested.chars().next().unwrap();
    let (line, column) = document.caret(Units::Utf16);
    type_text(&mut session, &document.uri, 2, (line, column), &first.to_string()).await;
    let after = (line, column + first.len_utf16());
    let items = items(&mut session, &document.uri, after, 2).await;
    let whole = format!("let other = {suggested}");
    assert_eq!(items[0]["insertText"], whole);
    drop(held);
    session.finish().await;
}

#[tokio::test]
async fn complaint_02_a_request_per_keystroke_is_answered_but_one_reaches_the_model() {
    let document = document();
    let builder = builder().file(&document.uri, "rust", &document.text);
    let mut session = Session::start_with(builder, LONG).await;
    let held = session.hold_engine();
    let (line, mut column) = document.caret(Units::Utf16);
    let mut waiting = Vec::new();
    for version in 2..12 {
        type_text(&mut session, &document.uri, version, (line, column), "x").await;
        column += 1;
        waiting.push(session.inline_completion(&document.uri, (line, column), 2).await);
    }
    let last = waiting.pop().unwrap();
    for id in waiting {
        assert_eq!(session.answer(id).await, Ok(json!({"items": []})));
    }
    assert!(!session.is_answered(last));
    drop(held);
    session.answer(last).await.unwrap();
    session.finish().await;
}

#[tokio::test]
async fn complaint_03_a_cancelled_request_leaves_the_engine_at_once() {
    let document = document();
    let mut session = start(&document).await;
    let held = session.hold_engine();
    let id = session.inline_completion(&document.uri, document.caret(Units::Utf16), 1).await;
    session.cancel(id).await;
    assert_eq!(session.answer(id).await.unwrap_err().code, -32800);
    drop(held);
    // Served in turn: had the engine gone on with the cancelled one, this would wait for it.
    drop(session.hold_engine());
    session.finish().await;
}

#[tokio::test]
async fn complaint_04_ghost_text_fits_the_version_and_covers_the_typed_part() {
    let document = document();
    let mut session = start(&document).await;
    let items = items(&mut session, &document.uri, document.caret(Units::Utf16), 2).await;
    let item = &items[0];
    assert_eq!(item["filterText"], item["insertText"]);
    assert_eq!(item["range"]["start"]["character"], 4, "{item}");
    let explained = session.explain(&document.uri, document.caret(Units::Utf16)).await;
    assert_eq!(explained["suggestion"]["version"], 1);
    session.finish().await;
}

/// What the first suggestion makes of the document, asked for by hand; `$0` is the caret.
async fn accepted(marked: &str, written: &str) -> String {
    let uri = "file:///project/a.rs";
    let caret = marked.find("$0").unwrap();
    let text = marked.replace("$0", "");
    let at = fixture::line_and_column(&text, caret, Units::Utf8);
    let builder = builder_in(Units::Utf8).file(uri, "rust", &text);
    let mut session = Session::start_scripted(builder, &ScriptedModel::new(written)).await;
    let items = items(&mut session, uri, at, 1).await;
    session.finish().await;
    let (range, inserted) = (&items[0]["range"], items[0]["insertText"].as_str().unwrap());
    let offset = |end: &str| {
        assert_eq!(range[end]["line"], at.0, "{range}");
        caret - at.1 + range[end]["character"].as_u64().unwrap() as usize
    };
    let mut text = text.clone();
    text.replace_range(offset("start")..offset("end"), inserted);
    text
}

#[tokio::test]
async fn complaint_05_what_follows_the_caret_is_not_said_again() {
    let text = accepted("fn f() {\n    g($0);\n}\n", "first, second);\n    h();\n}\n").await;
    assert_eq!(text, "fn f() {\n    g(first, second);\n}\n");
    let text =
        accepted("fn f() {\n    $0\n    third(c);\n}\n", "one(a);\n    third(c);\n}\n").await;
    assert_eq!(text, "fn f() {\n    one(a);\n    third(c);\n}\n");
}

#[tokio::test]
async fn complaint_06_indentation_and_line_ends_are_the_documents_own() {
    let before = "fn e() {\r\n\tx();\r\n}\r\n\r\nfn f() {\r\n\tif a {\r\n\t\t$0\r\n\t}\r\n}\r\n";
    let text = accepted(before, "for b in c {\n            d(b);\n        }\n").await;
    assert_eq!(text, before.replace("$0", "for b in c {\r\n\t\t\td(b);\r\n\t\t}"));
    // The white space that is there already is not doubled.
    let text = accepted("fn f() {\n    $0\n}\n", "    call();\n}\n").await;
    assert_eq!(text, "fn f() {\n    call();\n}\n");
}

#[tokio::test]
async fn complaint_07_no_session_outlives_its_editor() {
    let document = document();
    let mut editor = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let mut session = Session::silent();
    let params = json!({"processId": editor.id(), "capabilities": {}});
    session.ask("initialize", params).await.unwrap();
    session.notify("initialized", json!({})).await;
    session.did_open(&document.uri, "rust", 1, &document.text).await;
    session.document_state(&document.uri).await;
    editor.kill().unwrap();
    editor.wait().unwrap();
    // The pipe stays open: another process has kept it.
    let ended = session.ended().await;
    assert!(!ended.after_shutdown);
}

#[tokio::test]
async fn complaint_08_every_empty_answer_has_a_reason() {
    let document = document();
    let options = json!({"status": true});
    let builder =
        builder().initialization_options(options).file(&document.uri, "rust", &document.text);
    let mut session = Session::start_with(builder, LONG).await;
    // Inside a word.
    let inside = (1, 4);
    assert_eq!(items(&mut session, &document.uri, inside, 2).await, json!([]));
    loop {
        let status = session.notification("dacapo/status").await;
        if status["reason"] == "inside-word" {
            assert!(status["message"].as_str().unwrap().contains("inside a word"), "{status}");
            break;
        }
    }
    session.ignore_notifications("dacapo/status");
    session.finish_ignoring("dacapo/status").await;
}

#[tokio::test]
async fn complaint_10_a_prompt_never_fails_for_its_size() {
    let uri = "file:///large.rs";
    let line = "    let value = compute(first, second, third);\n";
    let text = format!("fn main() {{\n{}    let other = \n}}\n", line.repeat(20_000));
    let mut session =
        Session::start_with(builder().file(uri, "rust", &text), talkative_model().await).await;
    let explained = session.explain(uri, (20_001, 16)).await;
    assert!(explained["promptTokens"]["new"].as_u64().is_some_and(|n| 0 < n), "{explained}");
    assert_ne!(explained["reason"]["code"], "engine-error");
    session.finish().await;
}

#[tokio::test]
async fn complaint_11_files_of_secrets_are_not_shown_to_the_model() {
    for name in [".env", ".env.production", "server.pem", "id_ed25519"] {
        let uri = format!("file:///project/{name}");
        let mut session =
            Session::start_with(builder().file(&uri, "plaintext", "KEY="), LONG).await;
        let explained = session.explain(&uri, (0, 4)).await;
        assert_eq!(explained["reason"]["code"], "excluded", "{name}");
        assert_eq!(explained["pieces"], json!([]));
        session.finish().await;
    }
}

#[tokio::test]
async fn complaint_12_an_editor_that_waits_for_the_menu_is_answered_at_once() {
    let document = document();
    let mut session = Session::silent();
    session.initialize(json!({}), Value::Null).await;
    session.did_open(&document.uri, "rust", 1, &document.text).await;
    // No weights have been read.
    let id = session.completion(&document.uri, document.caret(Units::Utf16)).await;
    let list = session.answer(id).await.unwrap();
    assert_eq!(list, json!({"isIncomplete": true, "items": []}));
    session.finish().await;
}

#[tokio::test]
async fn complaint_15_ghost_text_by_the_protocols_own_request_with_several_to_choose_from() {
    let document = document();
    let mut session = start(&document).await;
    let caret = document.caret(Units::Utf16);
    let asked = items(&mut session, &document.uri, caret, 1).await;
    let texts: std::collections::BTreeSet<String> =
        asked.as_array().unwrap().iter().map(|item| item["insertText"].to_string()).collect();
    assert_eq!(texts.len(), asked.as_array().unwrap().len(), "{asked}");
    assert!((1..=3).contains(&texts.len()), "{asked}");
    let while_typing = items(&mut session, &document.uri, caret, 2).await;
    assert_eq!(while_typing.as_array().unwrap().len(), 1);
    session.finish().await;
}

#[tokio::test]
async fn complaint_14_what_is_left_of_a_suggestion_stays_after_a_part_is_taken() {
    let document = document();
    let mut session = start_scripted(&document).await;
    let suggested = suggestion(&mut session, &document).await;
    let half = suggested.floor_char_boundary(suggested.len() / 2);
    let (taken, _) = suggested.split_at(half);
    let (line, column) = document.caret(Units::Utf16);
    type_text(&mut session, &document.uri, 2, (line, column), taken).await;
    let after = (line, column + taken.encode_utf16().count());
    let explained = session.explain(&document.uri, after).await;
    assert_eq!(explained["stoppedBy"], "memo", "{explained}");
    session
        .notify("textDocument/didPartiallyAcceptCompletion", json!({"acceptedLength": half}))
        .await;
    session.notify("textDocument/didShowCompletion", json!({"item": {}})).await;
    session.finish().await;
}
