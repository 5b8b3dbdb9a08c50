//! Beginning and end of a session.

use serde_json::{Value, json};
use server::Ended;
use test_support::fixture::Units;

use crate::harness::{LONG, Session, builder, builder_in, document};

const NOT_INITIALIZED: i64 = -32002;
const INVALID_REQUEST: i64 = -32600;

#[tokio::test]
async fn introduces_itself() {
    let session = Session::start(builder()).await;
    let result = session.initialized.clone();
    assert_eq!(result["serverInfo"]["name"], "dacapo");
    assert!(result["serverInfo"]["version"].is_string());
    assert_eq!(
        result["capabilities"],
        json!({
            "positionEncoding": "utf-16",
            "textDocumentSync": {"openClose": true, "change": 2, "save": true},
            "completionProvider": {},
            "workspace": {"workspaceFolders": {"supported": true, "changeNotifications": true}},
            "inlineCompletionProvider": {},
        })
    );
    session.finish().await;
}

#[tokio::test]
async fn negotiates_the_encoding() {
    for units in Units::ALL {
        let session = Session::start(builder_in(units)).await;
        assert_eq!(session.initialized["capabilities"]["positionEncoding"], units.name());
        session.finish().await;
    }
}

#[tokio::test]
async fn registers_inline_completion_where_the_client_wants_that() {
    let document = document();
    let builder =
        builder().capability("/textDocument/inlineCompletion/dynamicRegistration", json!(true));
    let mut session = Session::start(builder.file(&document.uri, "rust", &document.text)).await;
    assert_eq!(session.initialized["capabilities"]["inlineCompletionProvider"], Value::Null);
    let registration =
        session.server_request("client/registerCapability").await["registrations"][0].clone();
    assert_eq!(registration["method"], "textDocument/inlineCompletion");
    assert_eq!(registration["registerOptions"], json!({"documentSelector": null}));
    let id = session.inline_completion(&document.uri, document.caret(Units::Utf16), 1).await;
    assert!(session.answer(id).await.unwrap()["items"].is_array());
    session.finish().await;
}

#[tokio::test]
async fn refuses_requests_before_initialize() {
    let mut session = Session::silent();
    for method in [
        "textDocument/completion",
        "textDocument/inlineCompletion",
        "dacapo/documentState",
        "shutdown",
    ] {
        let error = session.ask(method, json!({})).await.unwrap_err();
        assert_eq!(error.code, NOT_INITIALIZED, "{method}");
    }
    session.did_open("file:///a.rs", "rust", 1, "ignored").await;
    session.initialize(json!({}), Value::Null).await;
    assert_eq!(session.document_state("file:///a.rs").await, Value::Null);
    session.finish().await;
}

#[tokio::test]
async fn refuses_a_second_initialize() {
    let mut session = Session::start(builder()).await;
    let error = session.ask("initialize", json!({"capabilities": {}})).await.unwrap_err();
    assert_eq!(error.code, INVALID_REQUEST);
    session.finish().await;
}

#[tokio::test]
async fn refuses_requests_after_shutdown() {
    let mut session = Session::start(builder()).await;
    assert_eq!(session.ask("shutdown", Value::Null).await, Ok(Value::Null));
    let error = session
        .ask("dacapo/documentState", json!({"textDocument": {"uri": "file:///a"}}))
        .await
        .unwrap_err();
    assert_eq!(error.code, INVALID_REQUEST);
    assert_eq!(session.hang_up().await, Ended { after_shutdown: true });
}

#[tokio::test]
async fn exit_without_shutdown_is_a_failure() {
    let mut session = Session::start(builder()).await;
    session.notify("exit", Value::Null).await;
    let ended = session.hang_up().await;
    assert_eq!((ended, ended.exit_code()), (Ended { after_shutdown: false }, 1));
    assert_eq!(Ended { after_shutdown: true }.exit_code(), 0);
}

#[tokio::test]
async fn exit_before_initialize_ends_the_server() {
    let mut session = Session::silent();
    session.notify("exit", Value::Null).await;
    assert_eq!(session.hang_up().await, Ended { after_shutdown: false });
}

#[tokio::test]
async fn ends_when_its_input_is_closed() {
    let session = Session::start(builder()).await;
    assert_eq!(session.hang_up().await, Ended { after_shutdown: false });
}

/// What waits for the model is still answered, and the model is not waited for.
#[tokio::test]
async fn ends_when_its_input_is_closed_amid_requests() {
    let document = document();
    let mut session =
        Session::start_with(builder().file(&document.uri, "rust", &document.text), LONG).await;
    let held = session.hold_engine();
    for _ in 0..3 {
        session.inline_completion(&document.uri, document.caret(Units::Utf16), 1).await;
    }
    session.completion(&document.uri, document.caret(Units::Utf16)).await;
    session.notify("textDocument/didSave", json!({"textDocument": {"uri": document.uri}})).await;
    let ended = session.vanish().await;
    drop(held);
    assert_eq!(ended, Ended { after_shutdown: false });
}
