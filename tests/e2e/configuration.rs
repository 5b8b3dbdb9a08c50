//! Settings: where they come from while a session runs, and what is said of wrong ones.

use serde_json::{Value, json};
use test_support::client::Builder;
use test_support::fixture::Units;
use test_support::scripted::ScriptedModel;

use crate::harness::{Document, LONG, Session, builder, document, with_settings};

async fn start(builder: Builder, document: &Document) -> Session {
    Session::start_with(builder.file(&document.uri, "rust", &document.text), LONG).await
}

/// The code of the reason why there is no suggestion; another one than a setting is `null`.
async fn switched_off(session: &mut Session, document: &Document) -> Value {
    let explained = session.explain(&document.uri, document.caret(Units::Utf16)).await;
    let code = explained["reason"]["code"].clone();
    let by_setting =
        [json!("disabled"), json!("automatic-off"), json!("language-disabled"), json!("excluded")];
    if by_setting.contains(&code) { code } else { Value::Null }
}

async fn check_options(options: Value, expected: Value) {
    let document = document();
    let mut session = start(builder().initialization_options(options), &document).await;
    assert_eq!(switched_off(&mut session, &document).await, expected);
    session.finish().await;
}

#[tokio::test]
async fn initialization_options_switch_off() {
    check_options(json!({"enabled": false}), json!("disabled")).await;
    check_options(json!({"completion": {"automatic": false}}), json!("automatic-off")).await;
    check_options(json!({"dacapo": {"enabled": false}}), json!("disabled")).await;
    let languages = json!({"completion.disabledLanguages": ["rust"]});
    check_options(languages, json!("language-disabled")).await;
    check_options(json!({"context": {"exclude": ["/src/main.rs"]}}), Value::Null).await;
    check_options(json!({"context": {"exclude": ["main.*"]}}), json!("excluded")).await;
    check_options(json!(null), Value::Null).await;
}

#[tokio::test]
async fn a_client_may_push_its_settings() {
    let document = document();
    let mut session = start(builder(), &document).await;
    for (enabled, expected) in [(false, json!("disabled")), (true, Value::Null)] {
        let settings = json!({"settings": {"dacapo": {"enabled": enabled}}});
        session.notify("workspace/didChangeConfiguration", settings).await;
        assert_eq!(switched_off(&mut session, &document).await, expected);
    }
    session.finish().await;
}

#[tokio::test]
async fn a_client_that_can_be_asked_is_asked() {
    let document = document();
    let builder = builder()
        .capability("/workspace/configuration", json!(true))
        .capability("/workspace/didChangeConfiguration/dynamicRegistration", json!(true))
        .configuration(json!({"enabled": false}));
    let mut session = start(builder, &document).await;
    let asked = session.server_request("workspace/configuration").await;
    assert_eq!(asked, json!({"items": [{"section": "dacapo"}]}));
    let registered = session.server_request("client/registerCapability").await;
    assert_eq!(registered["registrations"][0]["method"], "workspace/didChangeConfiguration");
    assert_eq!(switched_off(&mut session, &document).await, "disabled");

    session.set_configuration(json!({"enabled": true}));
    // What comes along with the notification is not the client's word on it.
    session.notify("workspace/didChangeConfiguration", json!({"settings": null})).await;
    session.server_request("workspace/configuration").await;
    while switched_off(&mut session, &document).await != Value::Null {}
    session.finish().await;
}

#[tokio::test]
async fn wrong_settings_are_said_and_the_rest_holds() {
    let document = document();
    let options = json!({"enabled": "yes", "completion": {"automatic": false}});
    let mut session = start(builder().initialization_options(options), &document).await;
    let said = session.notification("window/showMessage").await;
    assert_eq!(said["type"], 2);
    let message = said["message"].as_str().unwrap();
    assert!(message.contains("enabled: expected true or false, found \"yes\""), "{message}");
    assert_eq!(switched_off(&mut session, &document).await, "automatic-off");
    session.finish().await;
}

#[tokio::test]
async fn a_workspace_file_narrows_until_it_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".dacapo.toml"), "enabled = false\nmodel.preload = true\n")
        .unwrap();
    let uri = format!("file://{}/a.rs", folder.path().display());
    let document = Document { uri, ..document() };
    for trusted in [false, true] {
        let builder =
            builder().folder(folder.path()).initialization_options(json!({"trusted": trusted}));
        let mut session = start(builder, &document).await;
        if !trusted {
            let said = session.notification("window/showMessage").await;
            let message = said["message"].as_str().unwrap();
            assert!(message.contains("model.preload: only a trusted workspace"), "{message}");
        }
        assert_eq!(switched_off(&mut session, &document).await, "disabled");
        session.finish().await;
    }
}

#[tokio::test]
async fn what_is_likely_enough_to_be_shown_is_a_setting() {
    let document = document();
    let model = ScriptedModel::new("compute(first);\n");
    for (least, expected) in [(0.0, Value::Null), (1.0, json!("unlikely"))] {
        let options = with_settings(json!({"completion": {"minConfidence": least}}));
        let builder = builder().file(&document.uri, "rust", &document.text);
        let mut session = Session::start_scripted_with(builder, &model, options).await;
        drop(session.hold_engine());
        let explained = session.explain(&document.uri, document.caret(Units::Utf16)).await;
        assert_eq!(explained["reason"]["code"], expected, "{explained}");
        session.finish().await;
    }
}

#[tokio::test]
async fn limits_are_those_of_the_folder_of_a_document() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    std::fs::write(folders[1].path().join(".dacapo.toml"), "completion.maxTokens = 1\n").unwrap();
    let documents = folders.each_ref().map(|folder| {
        let uri = format!("file://{}/a.rs", folder.path().display());
        Document { uri, ..document() }
    });
    let mut builder = builder();
    for (folder, document) in folders.iter().zip(&documents) {
        builder = builder.folder(folder.path()).file(&document.uri, "rust", &document.text);
    }
    let model = ScriptedModel::new("compute(first);\n");
    let mut session = Session::start_scripted(builder, &model).await;
    drop(session.hold_engine());
    let mut written = Vec::new();
    for document in &documents {
        let explained = session.explain(&document.uri, document.caret(Units::Utf16)).await;
        written.push(explained["raw"].as_str().unwrap().to_owned());
    }
    assert_eq!(written, ["compute(first);\n", "com"]);
    session.finish().await;
}
