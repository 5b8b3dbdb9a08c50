//! What a client is told about the model.

use std::time::Duration;

use serde_json::{Value, json};
use server::Options;
use test_support::checkpoint::TinyModel;
use test_support::fixture::Units;

use crate::harness::{
    assistant, broken_assistant, builder, document, forgetful_assistant, options, spawn,
    with_settings,
};

fn preloading() -> Options {
    with_settings(json!({"model": {"preload": true}}))
}

#[tokio::test]
async fn a_client_that_asks_is_told() {
    let document = document();
    let builder = builder().initialization_options(json!({"status": true, "unheardOf": [1]}));
    let (input, output, server) = spawn(assistant(TinyModel::SMALL), options());
    let mut client = builder.file(&document.uri, "rust", &document.text).start(input, output).await;
    let complaint = client.notification("window/showMessage").await;
    assert!(complaint["message"].as_str().unwrap().contains("unheardOf"), "{complaint}");
    let first = client.notification("dacapo/status").await;
    assert_eq!(
        first,
        json!({
            "busy": false,
            "message": "the model is loaded at the first request",
            "kind": "Inactive",
            "reason": null,
        })
    );
    client.explain(&document.uri, document.caret(Units::Utf16)).await;
    loop {
        let status = client.notification("dacapo/status").await;
        assert_eq!(
            status.as_object().unwrap().keys().collect::<Vec<_>>(),
            ["busy", "kind", "message", "reason"]
        );
        if status["kind"] == "Normal" && status["busy"] == false {
            break;
        }
    }
    client.finish().await;
    server.await.unwrap();
}

#[tokio::test]
async fn weights_that_were_given_back_are_read_again_for_who_types() {
    let document = document();
    let builder = builder().initialization_options(json!({"status": true}));
    let (assistant, engine) = forgetful_assistant();
    let (input, output, server) = spawn(assistant, options());
    let mut client = builder.file(&document.uri, "rust", &document.text).start(input, output).await;
    assert_eq!(client.notification("dacapo/status").await["kind"], "Inactive");
    client.explain(&document.uri, document.caret(Units::Utf16)).await;
    while engine.status() != engine::Status::Unloaded {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let saved = json!({"textDocument": {"uri": document.uri}});
    client.notify("textDocument/didSave", saved).await;
    while client.notification("dacapo/status").await["kind"] != "Inactive" {}

    let (line, character) = document.caret(Units::Utf16);
    let caret = json!({"line": line, "character": character});
    let typed = json!([{"range": {"start": caret, "end": caret}, "text": " "}]);
    client.did_change(&document.uri, 2, typed).await;
    let status = client.notification("dacapo/status").await;
    assert_eq!(status["kind"], "Normal", "{status}");
    client.finish_ignoring(&["dacapo/status"]).await;
    server.await.unwrap();
}

#[tokio::test]
async fn a_model_that_cannot_be_read_makes_empty_answers_and_a_reason() {
    let document = document();
    let (input, output, server) = spawn(broken_assistant(), preloading());
    let builder = builder().initialization_options(json!({"status": true}));
    let mut client = builder.file(&document.uri, "rust", &document.text).start(input, output).await;
    let status = loop {
        let status = client.notification("dacapo/status").await;
        if status["kind"] == "Error" {
            break status;
        }
    };
    assert_eq!((&status["reason"], &status["busy"]), (&json!("model-failed"), &json!(false)));
    let message = status["message"].as_str().unwrap();
    assert!(message.contains("model.safetensors"), "{message}");

    let id = client.inline_completion(&document.uri, document.caret(Units::Utf16), 1).await;
    assert_eq!(client.answer(id).await, Ok(json!({"items": []})));
    let explanation = client.explain(&document.uri, document.caret(Units::Utf16)).await;
    assert_eq!(explanation["reason"]["code"], "model-failed");
    assert_eq!(explanation["suggestion"], Value::Null);
    client.finish().await;
    assert!(server.await.unwrap().after_shutdown);
}
