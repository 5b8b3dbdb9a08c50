//! Order of changes, cancelling, superseding: what waits for the model holds nothing else back.

use serde_json::json;
use test_support::fixture::Units;

use crate::harness::{Document, LONG, Session, builder, document, talkative_model};
use crate::sync::check_state;

const REQUEST_CANCELLED: i64 = -32800;

async fn start(document: &Document) -> Session {
    Session::start_with(builder().file(&document.uri, "rust", &document.text), LONG).await
}

#[tokio::test]
async fn a_burst_of_changes_keeps_its_order_while_the_model_is_busy() {
    let mut session = Session::start_with(builder(), LONG).await;
    let held = session.hold_engine();
    let document = document();
    let mut waiting = Vec::new();
    for n in 0..40 {
        let uri = format!("file:///other/{n}.rs");
        session.did_open(&uri, "rust", 1, &document.text).await;
        waiting.push(session.inline_completion(&uri, document.caret(Units::Utf16), 1).await);
    }

    let uri = "file:///burst.txt";
    let mut text = String::new();
    session.did_open(uri, "plaintext", 0, "").await;
    let origin = json!({"line": 0, "character": 0});
    for version in 1..=2000 {
        let inserted = format!("{version},");
        text.insert_str(0, &inserted);
        session
            .did_change(
                uri,
                version,
                json!([{"range": {"start": origin, "end": origin}, "text": inserted}]),
            )
            .await;
    }
    check_state(&mut session, uri, 2000, &text).await;
    assert!(waiting.iter().all(|&id| !session.is_answered(id)));

    drop(held);
    for id in waiting {
        session.answer(id).await.unwrap();
    }
    session.finish().await;
}

#[tokio::test]
async fn a_cancelled_request_is_answered_once_and_at_once() {
    let document = document();
    let model = talkative_model().await;
    let builder = builder().file(&document.uri, "rust", &document.text);
    let mut session = Session::start_with(builder, model).await;
    let held = session.hold_engine();
    let caret = document.caret(Units::Utf16);
    let explain = |(line, character)| {
        json!({
            "textDocument": {"uri": document.uri},
            "position": {"line": line, "character": character},
            "triggerKind": 1,
        })
    };
    let requests = [
        session.inline_completion(&document.uri, caret, 1).await,
        session.completion(&document.uri, caret).await,
        session.request("dacapo/explain", explain(caret)).await,
    ];
    for id in requests {
        session.cancel(id).await;
        assert_eq!(session.answer(id).await.unwrap_err().code, REQUEST_CANCELLED);
        session.cancel(id).await;
    }
    drop(held);
    // The engine serves in order: when this is answered, the cancelled ones have been dealt with.
    session.ask("dacapo/explain", explain((1, 0))).await.unwrap();
    // Had the model worked on for one of them, its suggestion would be remembered.
    let explained = session.ask("dacapo/explain", explain(caret)).await.unwrap();
    assert!(explained["suggestion"].is_object(), "{explained}");
    assert_ne!(explained["stoppedBy"], "memo");
    session.finish().await;
}

#[tokio::test]
async fn a_newer_request_supersedes_the_older_of_its_kind() {
    let document = document();
    let mut session = start(&document).await;
    let held = session.hold_engine();
    let caret = document.caret(Units::Utf16);
    let completion = session.completion(&document.uri, caret).await;
    let older = session.inline_completion(&document.uri, caret, 1).await;
    let newer = session.inline_completion(&document.uri, caret, 1).await;
    assert_eq!(session.answer(older).await, Ok(json!({"items": []})));
    assert!(!session.is_answered(newer));
    assert!(!session.is_answered(completion), "another kind is left alone");
    drop(held);
    session.answer(newer).await.unwrap();
    session.answer(completion).await.unwrap();
    session.finish().await;
}

#[tokio::test]
async fn an_answer_for_older_text_is_dropped() {
    let document = document();
    let caret = document.caret(Units::Utf16);
    let model = talkative_model().await;
    let mut session =
        Session::start_with(builder().file(&document.uri, "rust", &document.text), model).await;

    for change in [true, false] {
        let held = session.hold_engine();
        let id = session.inline_completion(&document.uri, caret, 1).await;
        if change {
            session.did_change(&document.uri, 2, json!([{"text": document.text}])).await;
        }
        // An answer to a later message: the change has been seen.
        session.document_state(&document.uri).await;
        drop(held);
        let n_items = session.answer(id).await.unwrap()["items"].as_array().unwrap().len();
        assert_eq!(0 < n_items, !change);
    }
    session.finish().await;
}

#[tokio::test]
async fn closing_a_document_empties_its_answers() {
    let document = document();
    let mut session = start(&document).await;
    let held = session.hold_engine();
    let id = session.inline_completion(&document.uri, document.caret(Units::Utf16), 1).await;
    session.did_close(&document.uri).await;
    session.document_state(&document.uri).await;
    drop(held);
    assert_eq!(session.answer(id).await, Ok(json!({"items": []})));
    session.finish().await;
}

#[tokio::test]
async fn shutdown_answers_what_waits() {
    let document = document();
    let mut session = start(&document).await;
    let held = session.hold_engine();
    let id = session.inline_completion(&document.uri, document.caret(Units::Utf16), 1).await;
    assert_eq!(session.ask("shutdown", serde_json::Value::Null).await, Ok(serde_json::Value::Null));
    assert_eq!(session.answer(id).await, Ok(json!({"items": []})));
    drop(held);
    session.hang_up().await;
}
