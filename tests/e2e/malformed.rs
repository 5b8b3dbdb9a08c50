//! Input that is not as it should be: an answer with a reason, and the server goes on.

use serde_json::{Value, json};
use test_support::fixture::Units;

use crate::harness::{Session, builder, document};

const PARSE_ERROR: i64 = -32700;
const INVALID_REQUEST: i64 = -32600;
const METHOD_NOT_FOUND: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;

fn frame(body: &[u8]) -> Vec<u8> {
    [format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

/// Sends raw bytes; expects one refusal of this code, and a server that still knows its documents.
async fn check_refused(raw: &[u8], code: i64) {
    let document = document();
    let mut session = Session::start(builder().file(&document.uri, "rust", &document.text)).await;
    for _ in 0..2 {
        session.send_raw(raw).await;
        let error = session.refusal().await;
        assert_eq!(error.code, code, "{raw:?}");
        assert!(!error.message.contains("secret"), "{error:?}");
        assert_eq!(session.document_state(&document.uri).await["version"], 1);
    }
    session.finish().await;
}

#[tokio::test]
async fn malformed_bodies_are_refused() {
    check_refused(&frame(b"{\"jsonrpc\":\"2.0\",\"method\":\"secret"), PARSE_ERROR).await;
    check_refused(&frame(b"\xff\xfe secret"), PARSE_ERROR).await;
    check_refused(&frame(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff secret\"}"), PARSE_ERROR).await;
    check_refused(&frame(b""), PARSE_ERROR).await;
    check_refused(&frame("[".repeat(100_000).as_bytes()), PARSE_ERROR).await;
}

#[tokio::test]
async fn malformed_messages_are_refused() {
    check_refused(&frame(b"[]"), INVALID_REQUEST).await;
    check_refused(&frame(b"\"secret\""), INVALID_REQUEST).await;
    check_refused(&frame(b"{}"), INVALID_REQUEST).await;
    check_refused(&frame(br#"{"jsonrpc":"1.0","method":"secret"}"#), INVALID_REQUEST).await;
    check_refused(&frame(br#"{"method":"secret"}"#), INVALID_REQUEST).await;
    check_refused(&frame(br#"{"jsonrpc":"2.0","method":7,"id":null}"#), INVALID_REQUEST).await;
}

#[tokio::test]
async fn malformed_headers_are_refused() {
    check_refused(b"Content-Length: secret\r\n\r\n", PARSE_ERROR).await;
    check_refused(b"Content-Type: text\r\n\r\n", PARSE_ERROR).await;
    check_refused(b"Content-Length: -1\r\n\r\n", PARSE_ERROR).await;
}

#[tokio::test]
async fn answers_to_nothing_are_ignored() {
    let mut session = Session::start(builder()).await;
    session.send_raw(&frame(br#"{"jsonrpc":"2.0","id":99,"result":null}"#)).await;
    session
        .send_raw(&frame(br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no"}}"#))
        .await;
    session.send_raw(&frame(br#"{"jsonrpc":"2.0","id":1,"error":7}"#)).await;
    assert_eq!(session.document_state("file:///a").await, Value::Null);
    session.finish().await;
}

#[tokio::test]
async fn unknown_methods() {
    let mut session = Session::start(builder()).await;
    let params =
        json!({"textDocument": {"uri": "file:///a"}, "position": {"line": 0, "character": 0}});
    for method in ["textDocument/unheardOf", "$/unheardOf", "", "textDocument/hover"] {
        assert_eq!(
            session.ask(method, params.clone()).await.unwrap_err().code,
            METHOD_NOT_FOUND,
            "{method:?}"
        );
    }
    session.notify("$/unheardOf", json!({})).await;
    session.notify("textDocument/unheardOf", json!({})).await;
    session.notify("$/cancelRequest", json!({"id": "never sent"})).await;
    session.notify("$/setTrace", json!({"value": "verbose"})).await;
    session.finish().await;
}

#[tokio::test]
async fn parameters_of_the_wrong_shape() {
    let document = document();
    let mut session = Session::start(builder().file(&document.uri, "rust", &document.text)).await;
    let text_document = json!({"uri": document.uri});
    for (method, params) in [
        ("textDocument/completion", json!({})),
        ("textDocument/completion", json!([1, 2])),
        (
            "textDocument/inlineCompletion",
            json!({"textDocument": text_document, "position": {"line": 0, "character": 0}}),
        ),
        (
            "dacapo/explain",
            json!({"textDocument": text_document, "position": {"line": -1, "character": 0}}),
        ),
        ("dacapo/documentState", json!({"textDocument": {"uri": 7}})),
    ] {
        assert_eq!(
            session.ask(method, params.clone()).await.unwrap_err().code,
            INVALID_PARAMS,
            "{method} {params}"
        );
    }
    for params in [json!({}), json!({"textDocument": text_document}), json!(null)] {
        session.notify("textDocument/didChange", params.clone()).await;
        session.notify("textDocument/didOpen", params.clone()).await;
    }
    for params in [json!({}), json!([document.uri]), json!(null)] {
        session.notify("textDocument/didClose", params).await;
    }
    assert_eq!(session.document_state(&document.uri).await["version"], json!(1));
    session.finish().await;
}

#[tokio::test]
async fn documents_that_are_not_open() {
    let mut session = Session::start(builder()).await;
    let uri = "file:///nowhere.rs";
    session.did_change(uri, 2, json!([{"text": "x"}])).await;
    session.did_close(uri).await;
    let id = session.inline_completion(uri, (0, 0), 1).await;
    assert_eq!(session.answer(id).await, Ok(json!({"items": []})));
    let id = session.completion(uri, (0, 0)).await;
    assert_eq!(session.answer(id).await, Ok(json!({"isIncomplete": true, "items": []})));
    let explanation = session.explain(uri, (0, 0)).await;
    assert_eq!(explanation["suggestion"], Value::Null);
    assert_eq!(explanation["reason"]["code"], "not-open");
    assert_eq!(session.document_state(uri).await, Value::Null);
    session.finish().await;
}

#[tokio::test]
async fn positions_past_the_end() {
    let document = document();
    let mut session = Session::start(builder().file(&document.uri, "rust", &document.text)).await;
    for at in [(0, 4_000_000), (4_000_000, 0), (u32::MAX as usize, u32::MAX as usize)] {
        for trigger_kind in [1, 2] {
            let id = session.inline_completion(&document.uri, at, trigger_kind).await;
            assert!(session.answer(id).await.unwrap()["items"].is_array());
        }
        let id = session.completion(&document.uri, at).await;
        assert!(session.answer(id).await.unwrap()["items"].is_array());
    }
    session.finish().await;
}

#[tokio::test]
async fn documents_on_no_disk() {
    let document = document();
    let mut session = Session::start(builder()).await;
    for uri in [
        "untitled:Untitled-1",
        "vscode-notebook-cell:/a.ipynb#W0sZ",
        "git:/a.rs?ref=HEAD",
        "file:///%ff%00.rs",
    ] {
        session.did_open(uri, "rust", 7, &document.text).await;
        assert_eq!(session.document_state(uri).await["version"], 7, "{uri}");
        let explanation = session.explain(uri, document.caret(Units::Utf16)).await;
        assert_ne!(
            explanation["suggestion"].is_null(),
            explanation["reason"].is_null(),
            "{explanation}"
        );
        session.did_close(uri).await;
        assert_eq!(session.document_state(uri).await, Value::Null, "{uri}");
    }
    session.finish().await;
}
