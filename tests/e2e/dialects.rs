//! Clients that speak the protocol in a way of their own.

use serde_json::{Value, json};
use test_support::fixture::Units;

use crate::harness::{Session, builder, document};

#[tokio::test]
async fn whatever_a_client_says_of_itself_it_is_served() {
    let document = document();
    for params in [
        json!({}),
        Value::Null,
        json!([]),
        json!({"capabilities": null, "processId": "none", "rootPath": 7}),
        json!({"capabilities": {"textDocument": {"completion": "yes"}, "general": []}}),
        json!({"capabilities": {}, "workspaceFolders": [{"path": "/a"}], "trace": "loud"}),
    ] {
        let mut session = Session::silent();
        let result = session.ask("initialize", params).await.unwrap();
        assert_eq!(result["capabilities"]["positionEncoding"], "utf-16");
        session.notify("initialized", json!({})).await;
        session.did_open(&document.uri, "rust", 1, &document.text).await;
        let state = session.document_state(&document.uri).await;
        assert_eq!(state["version"], 1);
        session.finish().await;
    }
}

#[tokio::test]
async fn a_client_of_another_server_gets_the_status_under_the_name_it_knows() {
    let options = json!({"status": true, "editorInfo": {"name": "x", "version": "1"}, "editorPluginInfo": {}});
    let mut session = Session::start(builder().initialization_options(options)).await;
    let status = session.notification("didChangeStatus").await;
    assert_eq!(status["kind"], "Inactive");
    session.finish_ignoring("didChangeStatus").await;
}

#[tokio::test]
async fn a_trace_is_given_while_it_is_asked_for() {
    let document = document();
    let builder = builder().file(&document.uri, "rust", &document.text);
    let mut session = Session::start(builder).await;
    let caret = document.caret(Units::Utf16);
    session.explain(&document.uri, caret).await;
    session.notify("$/setTrace", json!({"value": "verbose"})).await;
    session.explain(&document.uri, caret).await;
    let trace = session.notification("$/logTrace").await;
    assert!(trace["message"].as_str().unwrap().starts_with("dacapo/explain: "), "{trace}");
    assert!(trace["verbose"].is_string());
    session.notify("$/setTrace", json!({"value": "off"})).await;
    session.explain(&document.uri, caret).await;
    session.finish().await;
}

#[tokio::test]
async fn folders_come_and_go() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".dacapo.toml"), "enabled = false").unwrap();
    let root = format!("file://{}", folder.path().display());
    let uri = format!("{root}/a.rs");
    let mut session = Session::start(builder().file(&uri, "rust", "fn main() {}\n")).await;
    let folders = session.initialized["capabilities"]["workspace"]["workspaceFolders"].clone();
    assert_eq!(folders, json!({"supported": true, "changeNotifications": true}));
    let folder = json!([{"uri": root, "name": "a"}]);
    for (added, removed, is_off) in [(&folder, &json!([]), true), (&json!([]), &folder, false)] {
        let params = json!({"event": {"added": added, "removed": removed}});
        session.notify("workspace/didChangeWorkspaceFolders", params).await;
        let explained = session.explain(&uri, (0, 12)).await;
        assert_eq!(explained["reason"]["code"] == "disabled", is_off, "{explained}");
    }
    session.finish().await;
}

#[tokio::test]
async fn a_settings_file_that_is_watched_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(".dacapo.toml");
    let root = format!("file://{}", folder.path().display());
    let uri = format!("{root}/a.rs");
    let builder = builder()
        .folder(folder.path())
        .capability("/workspace/didChangeWatchedFiles/dynamicRegistration", json!(true))
        .file(&uri, "rust", "fn main() {}\n");
    let mut session = Session::start(builder).await;
    let registered = session.server_request("client/registerCapability").await;
    assert_eq!(registered["registrations"][0]["method"], "workspace/didChangeWatchedFiles");
    std::fs::write(&file, "enabled = false").unwrap();
    let changes = json!({"changes": [{"uri": format!("{root}/.dacapo.toml"), "type": 1}]});
    session.notify("workspace/didChangeWatchedFiles", changes).await;
    let explained = session.explain(&uri, (0, 12)).await;
    assert_eq!(explained["reason"]["code"], "disabled");
    session.finish().await;
}
