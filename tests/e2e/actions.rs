//! Code actions over the wire: the menu, the run, the edit, and everything that can come between.

use serde_json::{Value, json};
use test_support::client::Builder;
use test_support::fixture::{Units, line_and_column};
use test_support::scripted::ScriptedModel;

use crate::harness::{Session, builder, builder_in};

const URI: &str = "file:///project/src/gr%C3%B6%C3%9Fe.rs";
const INVALID_PARAMS: i64 = -32602;
const REQUEST_CANCELLED: i64 = -32800;

/// A client that takes everything there is.
fn able(builder: Builder) -> Builder {
    builder
        .capability("/workspace/applyEdit", json!(true))
        .capability("/workspace/workspaceEdit/documentChanges", json!(true))
        .capability("/workspace/workspaceEdit/resourceOperations", json!(["create"]))
        .capability(
            "/textDocument/codeAction/codeActionLiteralSupport/codeActionKind/valueSet",
            json!(["", "quickfix", "refactor", "refactor.rewrite", "source"]),
        )
        .capability("/textDocument/codeAction/disabledSupport", json!(true))
        .capability("/window/workDoneProgress", json!(true))
}

/// A place in `text`, marked by `$0`, or a range between two marks; and the text without them.
fn marked(marked: &str, units: Units) -> (String, Value) {
    let text = marked.replace("$0", "");
    let start = marked.find("$0").expect("a mark");
    let end = marked.rfind("$0").filter(|end| *end != start).map_or(start, |end| end - 2);
    let position = |offset| {
        let (line, character) = line_and_column(&text, offset, units);
        json!({"line": line, "character": character})
    };
    let range = json!({"start": position(start), "end": position(end)});
    (text, range)
}

fn offset(text: &str, position: &Value, units: Units) -> usize {
    let at = (
        position["line"].as_u64().unwrap() as usize,
        position["character"].as_u64().unwrap() as usize,
    );
    (0..=text.len())
        .filter(|&offset| text.is_char_boundary(offset))
        .find(|&offset| line_and_column(text, offset, units) == at)
        .unwrap_or_else(|| panic!("no character at {position}"))
}

/// `text` with edits done as a client does them: from the last to the first.
fn applied(text: &str, edits: &Value, units: Units) -> String {
    let mut edits: Vec<_> = edits
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| {
            let at = |end: &str| offset(text, &edit["range"][end], units);
            (at("start")..at("end"), edit["newText"].as_str().unwrap())
        })
        .collect();
    edits.sort_by_key(|(range, _)| range.start);
    let mut text = text.to_owned();
    for (range, new_text) in edits.into_iter().rev() {
        text.replace_range(range, new_text);
    }
    text
}

fn argument(range: &Value) -> Value {
    json!({"uri": URI, "range": range})
}

async fn menu(session: &mut Session, range: &Value, context: Value) -> Value {
    let params = json!({"textDocument": {"uri": URI}, "range": range, "context": context});
    session.ask("textDocument/codeAction", params).await.unwrap()
}

fn titles(menu: &Value) -> Vec<&str> {
    menu.as_array().unwrap().iter().map(|entry| entry["title"].as_str().unwrap()).collect()
}

/// Reads the messages of a run whose progress the server began; the client was not asked to begin it.
async fn progress(session: &mut Session) -> Vec<String> {
    let token = session.server_request("window/workDoneProgress/create").await["token"].clone();
    let mut kinds = Vec::new();
    loop {
        let params = session.notification("$/progress").await;
        assert_eq!(params["token"], token);
        let kind = params["value"]["kind"].as_str().unwrap().to_owned();
        kinds.push(kind.clone());
        if kind == "end" {
            return kinds;
        }
    }
}

#[tokio::test]
async fn the_menu_comes_without_the_model() {
    let (text, range) = marked("fn f() {$0}\n", Units::Utf16);
    let model = ScriptedModel::new("a();");
    let builder = able(builder()).file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder, &model).await;
    let capabilities = &session.initialized["capabilities"];
    assert_eq!(capabilities["codeActionProvider"]["resolveProvider"], false);
    let commands = capabilities["executeCommandProvider"]["commands"].as_array().unwrap();
    assert!(commands.contains(&json!("dacapo.complete")), "{commands:?}");

    let all = menu(&mut session, &range, json!({"diagnostics": []})).await;
    assert_eq!(titles(&all), ["Complete this body", "Document `f`"]);
    let expected = json!({
        "title": "Complete this body",
        "kind": "refactor.rewrite",
        "command": {
            "title": "Complete this body",
            "command": "dacapo.complete",
            "arguments": [argument(&range)],
        },
    });
    assert_eq!(all[0], expected);
    for entry in all.as_array().unwrap() {
        assert!(entry["command"]["command"].is_string(), "nothing is left to resolve: {entry}");
    }
    assert_eq!(session.engine.status(), engine::Status::Unloaded);

    let only = |kind: &str| json!({"diagnostics": [], "only": [kind]});
    assert_eq!(menu(&mut session, &range, only("refactor")).await, all);
    assert_eq!(menu(&mut session, &range, only("source.organizeImports")).await, json!([]));
    let automatic = json!({"diagnostics": [], "triggerKind": 2});
    assert_eq!(menu(&mut session, &range, automatic).await, json!([]));
    session.finish().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_shown_with_the_reason_or_left_out() {
    let (text, range) = marked("/// Adds.\nfn f() {$0}\n", Units::Utf16);
    let model = ScriptedModel::new("a();");
    let context = json!({"diagnostics": []});
    let builder = able(builder()).file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder.clone(), &model).await;
    let entries = menu(&mut session, &range, context.clone()).await;
    assert_eq!(titles(&entries), ["Complete this body", "Document this item"]);
    assert!(entries[1]["disabled"]["reason"].as_str().unwrap().contains("comment already"));
    session.finish().await;

    let builder = builder.capability("/textDocument/codeAction/disabledSupport", json!(false));
    let mut session = Session::start_scripted(builder, &model).await;
    assert_eq!(titles(&menu(&mut session, &range, context).await), ["Complete this body"]);
    session.finish().await;
}

#[tokio::test]
async fn a_command_ends_in_an_edit() {
    for units in Units::ALL {
        let (text, range) = marked("// größe 𝄞\nfn f() { /* 𝄞 */ g($0old$0) }\n", units);
        let model = ScriptedModel::new("fresh, one)");
        let builder = able(builder_in(units)).file(URI, "rust", &text);
        let mut session = Session::start_scripted(builder, &model).await;
        let run = json!({"command": "dacapo.rewrite", "arguments": [argument(&range)]});
        let id = session.request("workspace/executeCommand", run).await;
        let kinds = progress(&mut session).await;
        assert_eq!(
            (kinds.first().unwrap().as_str(), kinds.last().unwrap().as_str()),
            ("begin", "end")
        );
        let params = session.server_request("workspace/applyEdit").await;
        let result = session.answer(id).await.unwrap();
        session.finish().await;
        assert_eq!(result, json!({"applied": true, "reason": null}));
        assert_eq!(params["label"], "Rewrite selection");
        let change = &params["edit"]["documentChanges"][0];
        assert_eq!(change["textDocument"], json!({"uri": URI, "version": 1}));
        assert_eq!(
            applied(&text, &change["edits"], units),
            "// größe 𝄞\nfn f() { /* 𝄞 */ g(fresh, one) }\n"
        );
    }
}

#[tokio::test]
async fn plain_clients_get_bare_commands_and_plain_edits() {
    let (text, range) = marked("fn f() {\r\n    $0\r\n}\r\n", Units::Utf16);
    let model = ScriptedModel::new("a();\n    b();\n}\n");
    let builder =
        builder().capability("/workspace/applyEdit", json!(true)).file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder, &model).await;
    let entries = menu(&mut session, &range, json!({"diagnostics": []})).await;
    assert_eq!(entries[0]["command"], "dacapo.complete");
    let run = json!({"command": "dacapo.complete", "arguments": entries[0]["arguments"]});
    let result = session.ask("workspace/executeCommand", run).await.unwrap();
    assert_eq!(result["applied"], true);
    let params = session.server_request("workspace/applyEdit").await;
    session.finish().await;
    assert_eq!(params["edit"]["documentChanges"], Value::Null);
    assert_eq!(
        applied(&text, &params["edit"]["changes"][URI], Units::Utf16),
        "fn f() {\r\n    a();\r\n    b();\r\n}\r\n"
    );
}

#[tokio::test]
async fn clients_that_take_no_edits_are_offered_nothing() {
    let (text, range) = marked("fn f() {$0}\n", Units::Utf16);
    let model = ScriptedModel::new("a();");
    let builder = builder().file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder, &model).await;
    assert_eq!(session.initialized["capabilities"]["codeActionProvider"], Value::Null);
    assert_eq!(menu(&mut session, &range, json!({"diagnostics": []})).await, json!([]));
    session.finish().await;
}

#[tokio::test]
async fn wrong_commands_are_refused_in_words() {
    let model = ScriptedModel::new("a();");
    let builder = able(builder()).file(URI, "rust", "fn f() {}\n");
    let mut session = Session::start_scripted(builder, &model).await;
    let mut check = async |command: &str, arguments: Value, expected: &str| {
        let run = json!({"command": command, "arguments": arguments});
        let error = session.ask("workspace/executeCommand", run).await.unwrap_err();
        assert_eq!(error.code, INVALID_PARAMS);
        assert!(error.message.contains(expected), "{}", error.message);
    };
    check("dacapo.dance", json!([]), "dacapo.rewrite").await;
    check("dacapo.rewrite", json!([]), "one argument").await;
    check("dacapo.rewrite", json!([{"uri": URI}]), "range").await;
    session.finish().await;
}

#[tokio::test]
async fn refusals_are_shown() {
    let (text, range) = marked("fn f() { $0a()$0; g() }\n", Units::Utf16);
    let model = ScriptedModel::new("b((");
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let builder = builder.file(URI, "rust", &text);
    let run = |uri: &str| {
        let argument = json!({"uri": uri, "range": range});
        json!({"command": "dacapo.rewrite", "arguments": [argument]})
    };
    let mut session = Session::start_scripted(builder.clone(), &model).await;
    let result = session.ask("workspace/executeCommand", run(URI)).await.unwrap();
    assert_eq!(
        (&result["applied"], &result["reason"]["code"]),
        (&json!(false), &json!("no-longer-parses"))
    );
    let shown = session.notification("window/showMessage").await;
    assert_eq!(shown["message"], result["reason"]["message"]);
    let result = session.ask("workspace/executeCommand", run("file:///gone.rs")).await.unwrap();
    assert_eq!(result["reason"]["code"], "not-open");
    session.notification("window/showMessage").await;
    session.finish().await;

    // Where the user can be asked, the user decides.
    let builder = builder
        .capability("/workspace/workspaceEdit/changeAnnotationSupport/groupsOnLabel", json!(true));
    let mut session = Session::start_scripted(builder, &model).await;
    let result = session.ask("workspace/executeCommand", run(URI)).await.unwrap();
    let edit = session.server_request("workspace/applyEdit").await["edit"].clone();
    session.finish().await;
    assert_eq!(result["applied"], true);
    assert_eq!(edit["changeAnnotations"]["dacapo"]["needsConfirmation"], true);
    assert_eq!(edit["documentChanges"][0]["edits"][0]["annotationId"], "dacapo");
}

#[tokio::test]
async fn an_edit_that_the_client_does_not_make_is_explained() {
    let (text, range) = marked("fn f() { $0a()$0; g() }\n", Units::Utf16);
    let model = ScriptedModel::new("b()");
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let mut session = Session::start_scripted(builder.file(URI, "rust", &text), &model).await;
    session.edit_response = json!({"applied": false, "failureReason": "the file is read-only"});
    let run = json!({"command": "dacapo.rewrite", "arguments": [argument(&range)]});
    let result = session.ask("workspace/executeCommand", run).await.unwrap();
    session.server_request("workspace/applyEdit").await;
    let shown = session.notification("window/showMessage").await;
    session.finish().await;
    assert_eq!(result["reason"]["code"], "not-applied");
    assert!(shown["message"].as_str().unwrap().contains("read-only"), "{shown}");
}

/// Runs a rewrite on the second line while the client changes the document.
async fn run_and_change(changes: Value) -> (Session, String, i64) {
    let (text, range) = marked("fn f() {\n    $0a()$0;\n    g();\n}\n", Units::Utf16);
    let model = ScriptedModel::new("b()");
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let builder = builder.file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder, &model).await;
    let held = session.hold_engine();
    let run = json!({"command": "dacapo.rewrite", "arguments": [argument(&range)]});
    let id = session.request("workspace/executeCommand", run).await;
    session.did_change(URI, 2, changes).await;
    // The change has been taken in when this is answered.
    session.document_state(URI).await;
    assert!(!session.is_answered(id));
    drop(held);
    (session, text, id)
}

#[tokio::test]
async fn an_edit_follows_a_document_that_moved() {
    let at = |line: usize| json!({"line": line, "character": 0});
    let insert = json!([{"range": {"start": at(0), "end": at(0)}, "text": "// one\n// two\n"}]);
    let (mut session, text, id) = run_and_change(insert).await;
    let params = session.server_request("workspace/applyEdit").await;
    assert_eq!(session.answer(id).await.unwrap()["applied"], true);
    session.finish().await;
    let change = &params["edit"]["documentChanges"][0];
    assert_eq!(change["textDocument"]["version"], 2);
    let now = format!("// one\n// two\n{text}");
    let expected = now.replace("a()", "b()");
    assert_eq!(applied(&now, &change["edits"], Units::Utf16), expected);
}

#[tokio::test]
async fn an_edit_that_no_longer_parses_in_what_the_document_became_is_refused() {
    let (text, range) = marked("/*\n$0a$0\n*/\n", Units::Utf16);
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let builder = builder.file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder, &ScriptedModel::new("b((")).await;
    let run = json!({"command": "dacapo.rewrite", "arguments": [argument(&range)]});
    let result = session.ask("workspace/executeCommand", run.clone()).await.unwrap();
    assert_eq!(result["applied"], true, "in a comment there is nothing to parse: {result}");
    session.server_request("workspace/applyEdit").await;

    let held = session.hold_engine();
    let id = session.request("workspace/executeCommand", run).await;
    let line = |line: usize| json!({"start": {"line": line, "character": 0}, "end": {"line": line, "character": 2}});
    let changes = json!([
        {"range": line(0), "text": "fn f() {"},
        {"range": line(2), "text": "}"},
    ]);
    session.did_change(URI, 2, changes).await;
    session.document_state(URI).await;
    drop(held);
    let result = session.answer(id).await.unwrap();
    assert_eq!(result["reason"]["code"], "no-longer-parses");
    session.notification("window/showMessage").await;
    session.finish().await;
}

#[tokio::test]
async fn an_edit_of_what_was_edited_meanwhile_is_refused() {
    let (mut session, _, id) = run_and_change(json!([{"text": "fn f() {\n    c();\n}\n"}])).await;
    let result = session.answer(id).await.unwrap();
    assert_eq!(result["reason"]["code"], "moved");
    session.notification("window/showMessage").await;
    session.finish().await;
}

#[tokio::test]
async fn a_run_is_cancelled_by_its_progress_its_request_or_its_document() {
    let (text, range) = marked("fn f() { $0a()$0; g() }\n", Units::Utf16);
    let model = ScriptedModel::new("b()");
    let builder = able(builder()).file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder, &model).await;
    let held = session.hold_engine();
    let run = json!({"command": "dacapo.rewrite", "arguments": [argument(&range)], "workDoneToken": "mine"});

    let id = session.request("workspace/executeCommand", run.clone()).await;
    let begun = session.notification("$/progress").await;
    assert_eq!((&begun["token"], &begun["value"]["kind"]), (&json!("mine"), &json!("begin")));
    session.notify("window/workDoneProgress/cancel", json!({"token": "mine"})).await;
    assert_eq!(session.answer(id).await.unwrap()["reason"]["code"], "cancelled");
    assert_eq!(session.notification("$/progress").await["value"]["kind"], "end");

    let id = session.request("workspace/executeCommand", run.clone()).await;
    session.notification("$/progress").await;
    session.cancel(id).await;
    assert_eq!(session.answer(id).await.unwrap_err().code, REQUEST_CANCELLED);
    assert_eq!(session.notification("$/progress").await["value"]["kind"], "end");

    let older = session.request("workspace/executeCommand", run.clone()).await;
    session.notification("$/progress").await;
    let id = session.request("workspace/executeCommand", run).await;
    assert_eq!(session.answer(older).await.unwrap()["reason"]["code"], "superseded");
    session.did_close(URI).await;
    assert_eq!(session.answer(id).await.unwrap()["reason"]["code"], "not-open");
    session.notification("window/showMessage").await;
    session.ignore_notifications("$/progress");
    drop(held);
    session.document_state(URI).await;
    session.ignore_notifications("$/progress");
    session.finish().await;
}

#[tokio::test]
async fn what_runs_at_the_end_of_the_session_is_answered() {
    let (text, range) = marked("fn f() { $0a()$0; g() }\n", Units::Utf16);
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let builder = builder.file(URI, "rust", &text);
    let mut session = Session::start_scripted(builder, &ScriptedModel::new("b()")).await;
    let held = session.hold_engine();
    let run = json!({"command": "dacapo.rewrite", "arguments": [argument(&range)]});
    let id = session.request("workspace/executeCommand", run).await;
    assert_eq!(session.ask("shutdown", Value::Null).await, Ok(Value::Null));
    assert_eq!(session.answer(id).await.unwrap()["reason"]["code"], "cancelled");
    drop(held);
    session.notify("exit", Value::Null).await;
    session.hang_up().await;
}

#[tokio::test]
async fn a_model_that_follows_instructions_offers_and_does_more() {
    let (text, range) = marked("// dacapo: call h\nfn f() {\n    $0g();\n}\n", Units::Utf16);
    let model =
        ScriptedModel::chat("<think>Hm.</think>Sure:\n```rust\nfn f() {\n    h();\n}\n```\n");
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let mut session = Session::start_scripted(builder.file(URI, "rust", &text), &model).await;
    let diagnostic = json!({"range": range, "message": "cannot find function `g`"});
    let context = json!({"diagnostics": [diagnostic], "triggerKind": 2});
    let entries = menu(&mut session, &range, context).await;
    assert_eq!(titles(&entries), ["Fix: cannot find function `g`", "Edit: call h"]);
    assert_eq!(
        (&entries[0]["kind"], &entries[0]["diagnostics"][0]),
        (&json!("quickfix"), &diagnostic)
    );

    for (entry, expected) in [
        (&entries[0], "// dacapo: call h\nfn f() {\n    h();\n}\n"),
        (&entries[1], "fn f() {\n    h();\n}\n"),
    ] {
        let command = &entry["command"];
        let run = json!({"command": command["command"], "arguments": command["arguments"]});
        let result = session.ask("workspace/executeCommand", run).await.unwrap();
        assert_eq!(result["applied"], true, "{result}");
        let edit = session.server_request("workspace/applyEdit").await;
        let edits = &edit["edit"]["documentChanges"][0]["edits"];
        assert_eq!(applied(&text, edits, Units::Utf16), expected);
    }

    let run = json!({"command": "dacapo.explain", "arguments": [argument(&range)]});
    let result = session.ask("workspace/executeCommand", run).await.unwrap();
    let shown = session.notification("window/showMessage").await;
    session.finish().await;
    assert_eq!(result["text"], shown["message"]);
    assert!(shown["message"].as_str().unwrap().starts_with("Sure:"), "{shown}");
}

#[tokio::test]
async fn tests_come_in_a_file_that_the_edit_creates() {
    let (text, range) = marked("def f():\n    return $01\n", Units::Utf16);
    let model = ScriptedModel::chat("```python\ndef test_f():\n    assert f() == 1\n```\n");
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let uri = "file:///project/none/shape.py";
    let mut session = Session::start_scripted(builder.file(uri, "python", &text), &model).await;
    let run = json!({"command": "dacapo.tests", "arguments": [{"uri": uri, "range": range}]});
    let result = session.ask("workspace/executeCommand", run).await.unwrap();
    assert_eq!(result["applied"], true, "{result}");
    let edit = session.server_request("workspace/applyEdit").await["edit"].clone();
    session.finish().await;
    let file = "file:///project/none/test_shape.py";
    assert_eq!(
        (&edit["documentChanges"][0]["kind"], &edit["documentChanges"][0]["uri"]),
        (&json!("create"), &json!(file))
    );
    assert_eq!(
        edit["documentChanges"][1]["edits"][0]["newText"],
        "def test_f():\n    assert f() == 1\n"
    );
}

#[tokio::test]
async fn the_last_edit_is_repeated_at_the_next_place() {
    let text = "fn old() {}\nfn f() { old(); }\n";
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let builder = builder.file(URI, "rust", text);
    let mut session = Session::start_scripted(builder, &ScriptedModel::new("words")).await;
    let at = |line: usize, character: usize| json!({"line": line, "character": character});
    let change = json!([{"range": {"start": at(0, 3), "end": at(0, 6)}, "text": "fresh"}]);
    session.did_change(URI, 2, change).await;
    let range = json!({"start": at(0, 8), "end": at(0, 8)});
    let entries = menu(&mut session, &range, json!({"diagnostics": [], "triggerKind": 2})).await;
    assert_eq!(titles(&entries), ["Repeat the last edit at the next place"]);
    let run =
        json!({"command": "dacapo.nextEdit", "arguments": entries[0]["command"]["arguments"]});
    let result = session.ask("workspace/executeCommand", run).await.unwrap();
    assert_eq!(result["applied"], true, "{result}");
    let edit = session.server_request("workspace/applyEdit").await;
    session.finish().await;
    let now = "fn fresh() {}\nfn f() { old(); }\n";
    let edits = &edit["edit"]["documentChanges"][0]["edits"];
    assert_eq!(applied(now, edits, Units::Utf16), "fn fresh() {}\nfn f() { fresh(); }\n");
}

#[tokio::test]
async fn the_last_edit_is_repeated_in_a_file_that_is_not_open() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let uri = |name: &str| format!("file://{}", path(name).display());
    let (text, other) = ("fn old() {}\n", "fn f() {\n    old();\n}\n");
    std::fs::write(path("main.rs"), text).unwrap();
    std::fs::write(path("other.rs"), other).unwrap();
    let builder = able(builder()).capability("/window/workDoneProgress", json!(false));
    let builder = builder.folder(folder.path()).file(&uri("main.rs"), "rust", text);
    let mut session = Session::start_scripted(builder, &ScriptedModel::new("words")).await;
    let at = |line: usize, character: usize| json!({"line": line, "character": character});
    let change = json!([{"range": {"start": at(0, 3), "end": at(0, 6)}, "text": "fresh"}]);
    session.did_change(&uri("main.rs"), 2, change).await;
    let params = json!({
        "textDocument": {"uri": uri("main.rs")},
        "range": {"start": at(0, 8), "end": at(0, 8)},
        "context": {"diagnostics": [], "triggerKind": 2},
    });
    // The folder is indexed meanwhile.
    let mut entries = json!([]);
    for _ in 0..200 {
        entries = session.ask("textDocument/codeAction", params.clone()).await.unwrap();
        if entries != json!([]) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(titles(&entries), ["Repeat the last edit at the next place"]);
    let run =
        json!({"command": "dacapo.nextEdit", "arguments": entries[0]["command"]["arguments"]});
    let result = session.ask("workspace/executeCommand", run).await.unwrap();
    assert_eq!(result["applied"], true, "{result}");
    let edit = session.server_request("workspace/applyEdit").await["edit"].clone();
    session.finish().await;
    let change = &edit["documentChanges"][0];
    let document = json!({"uri": uri("other.rs"), "version": null});
    assert_eq!(change["textDocument"], document);
    assert_eq!(applied(other, &change["edits"], Units::Utf16), "fn f() {\n    fresh();\n}\n");
}

#[tokio::test]
async fn words_are_shown_in_a_document_of_their_own_where_the_client_has_room_for_one() {
    let (text, range) = marked("fn f() {$0}\n", Units::Utf16);
    let model = ScriptedModel::chat("It does nothing.\n\n- Really.");
    let builder = able(builder())
        .capability("/window/workDoneProgress", json!(false))
        .capability("/window/showDocument/support", json!(true));
    let mut session = Session::start_scripted(builder.file(URI, "rust", &text), &model).await;
    let run = json!({"command": "dacapo.explain", "arguments": [argument(&range)]});
    let result = session.ask("workspace/executeCommand", run.clone()).await.unwrap();
    let shown = session.server_request("window/showDocument").await;
    assert_eq!((&shown["external"], &shown["takeFocus"]), (&json!(false), &json!(false)));
    let uri = shown["uri"].as_str().unwrap();
    assert!(uri.ends_with("gr%C3%B6%C3%9Fe.rs.md"), "{uri}");
    let path = percent_decoded(uri.strip_prefix("file://").unwrap());
    let words = std::fs::read_to_string(&path).unwrap();
    assert_eq!((words.as_str(), &json!(words)), ("It does nothing.\n\n- Really.", &result["text"]));

    // Each in a document of its own, and in a message where the client shows none.
    session.shows_documents = false;
    session.ask("workspace/executeCommand", run).await.unwrap();
    let again = session.server_request("window/showDocument").await;
    assert_ne!(again["uri"], shown["uri"]);
    assert_eq!(session.notification("window/showMessage").await["message"], words);
    session.finish().await;
    assert!(!std::path::Path::new(&path).parent().unwrap().exists(), "nothing is left of it");
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let escaped = match (first, behind.get(..2)) {
            (b'%', Some(hex)) => {
                std::str::from_utf8(hex).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { &behind[2..] } else { behind };
    }
    String::from_utf8(bytes).unwrap()
}
