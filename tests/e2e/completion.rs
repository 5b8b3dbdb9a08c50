//! Suggestions: their shape, and that both ways to ask give the same.

use serde_json::{Value, json};
use test_support::fixture::{Units, line_and_column};
use test_support::scripted::ScriptedModel;

use crate::harness::{Session, builder, builder_in, document, talkative_model, with_settings};

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

/// `text` with one edit done as a client does it; the range must be on one line.
fn apply(text: &str, range: &Value, inserted: &Value, units: Units) -> String {
    assert_eq!(range["start"]["line"], range["end"]["line"], "{range}");
    let range = offset(text, &range["start"], units)..offset(text, &range["end"], units);
    let mut text = text.to_owned();
    text.replace_range(range, inserted.as_str().unwrap());
    text
}

#[tokio::test]
async fn both_ways_to_ask_suggest_the_same() {
    let document = document();
    let model = talkative_model().await;
    for units in Units::ALL {
        let builder = builder_in(units).capability(
            "/textDocument/completion/completionItem/documentationFormat",
            json!(["markdown"]),
        );
        let mut session =
            Session::start_with(builder.file(&document.uri, "rust", &document.text), model).await;
        let caret = document.caret(units);

        let id = session.inline_completion(&document.uri, caret, 2).await;
        let inline = session.answer(id).await.unwrap()["items"][0].clone();
        let id = session.completion(&document.uri, caret).await;
        let list = session.answer(id).await.unwrap();
        let explained = session.explain(&document.uri, caret).await;
        session.finish().await;

        assert_eq!(list["isIncomplete"], true);
        let item = &list["items"][0];
        let by_inline = apply(&document.text, &inline["range"], &inline["insertText"], units);
        let by_item =
            apply(&document.text, &item["textEdit"]["range"], &item["textEdit"]["newText"], units);
        let suggestion = &explained["suggestion"];
        assert_eq!(by_inline, by_item);
        assert_eq!(
            by_inline,
            apply(&document.text, &suggestion["range"], &suggestion["text"], units)
        );
        assert_ne!(by_inline, document.text);

        assert_eq!(inline["filterText"], inline["insertText"]);
        assert!(inline["insertText"].as_str().unwrap().starts_with("let other = "), "{inline}");
        assert_eq!((&item["sortText"], &item["insertTextFormat"]), (&json!("0"), &json!(1)));
        assert!(item["label"].as_str().unwrap().chars().count() <= 60);
        assert!(item["documentation"]["value"].as_str().unwrap().starts_with("```"), "{item}");
        assert_eq!(suggestion["version"], 1);
    }
}

#[tokio::test]
async fn an_explanation_shows_prompt_and_timings() {
    let document = document();
    let model = talkative_model().await;
    let mut session =
        Session::start_with(builder().file(&document.uri, "rust", &document.text), model).await;
    let explained = session.explain(&document.uri, document.caret(Units::Utf16)).await;
    session.finish().await;
    let keys: Vec<&str> = explained.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        ["pieces", "promptTokens", "raw", "reason", "stoppedBy", "suggestion", "timings"]
    );
    assert_eq!(explained["reason"], Value::Null);
    for name in ["queuedMs", "prefillMs", "decodeMs"] {
        assert!(0.0 <= explained["timings"][name].as_f64().unwrap(), "{name}");
    }
    let n_new = explained["promptTokens"]["new"].as_u64().unwrap();
    let n_reused = explained["promptTokens"]["reused"].as_u64().unwrap();
    let n_in_pieces: u64 = explained["pieces"]
        .as_array()
        .unwrap()
        .iter()
        .map(|piece| piece["tokens"].as_u64().unwrap())
        .sum();
    assert!(0 < n_in_pieces && n_in_pieces <= n_new + n_reused, "{explained}");
    let prefix = explained["pieces"]
        .as_array()
        .unwrap()
        .iter()
        .find(|piece| piece["kind"] == "prefix")
        .unwrap();
    assert!(prefix["text"].as_str().unwrap().ends_with("let other = "), "{prefix}");
}

#[tokio::test]
async fn a_selected_menu_item_is_extended_or_nothing_is_shown() {
    let document = document();
    let model = talkative_model().await;
    let mut session =
        Session::start_with(builder().file(&document.uri, "rust", &document.text), model).await;
    let (line, character) = document.caret(Units::Utf16);
    let position = json!({"line": line, "character": character});
    let mut ask = async |selected: &str| {
        let params = json!({
            "textDocument": {"uri": document.uri},
            "position": position,
            "context": {
                "triggerKind": 2,
                "selectedCompletionInfo": {"range": {"start": position, "end": position}, "text": selected},
            },
        });
        session.ask("textDocument/inlineCompletion", params).await.unwrap()["items"].clone()
    };
    let items = ask("").await;
    let text = items[0]["insertText"].as_str().unwrap().to_owned();
    assert_eq!(items[0]["range"], json!({"start": position, "end": position}));
    let first: String = text.chars().take(1).collect();
    assert_eq!(ask(&first).await, items);
    assert_eq!(ask("something else altogether").await, json!([]));
    session.finish().await;
}

/// Takes what is suggested at the end of a line, and says what ended the next suggestion there; each `number` makes another document.
async fn after_taking(session: &mut Session, number: usize) -> Value {
    let uri = format!("file:///{number}.rs");
    let line = format!("    let value_{number} = ");
    session.did_open(&uri, "rust", 1, &format!("fn main() {{\n{line}\n}}\n")).await;
    let id = session.inline_completion(&uri, (1, line.len()), 2).await;
    let items = session.answer(id).await.unwrap()["items"].clone();
    let taken = items[0]["insertText"].as_str().unwrap().trim_start().to_owned();
    // Time for the model, as long as a few messages take.
    for _ in 0..20 {
        session.document_state(&uri).await;
    }
    let change = json!([{"range": items[0]["range"], "text": taken}]);
    session.did_change(&uri, 2, change).await;
    let end = items[0]["range"]["start"]["character"].as_u64().unwrap() as usize + taken.len();
    session.explain(&uri, (1, end)).await["stoppedBy"].clone()
}

#[tokio::test]
async fn what_follows_a_suggestion_is_written_while_it_is_shown() {
    let model = ScriptedModel::new("compute(first);\n");
    let mut session = Session::start_scripted(builder(), &model).await;
    drop(session.hold_engine());
    // How fast the model is next to the messages is not known, but some time it is there first.
    let mut is_first = false;
    for number in 0..200 {
        is_first |= after_taking(&mut session, number).await == "memo";
        if is_first {
            break;
        }
    }
    assert!(is_first, "nobody looked ahead");
    session.finish().await;
}

#[tokio::test]
async fn nobody_looks_ahead_where_that_is_switched_off() {
    let model = ScriptedModel::new("compute(first);\n");
    let settings = json!({"completion": {"minConfidence": 0, "lookAhead": false}});
    let mut session =
        Session::start_scripted_with(builder(), &model, with_settings(settings)).await;
    drop(session.hold_engine());
    for number in 0..4 {
        assert_ne!(after_taking(&mut session, number).await, "memo");
    }
    session.finish().await;
}

/// What is offered at a place of the second line after the function of the first was renamed: text, replaced text, filter.
async fn offered_after_renaming(
    line: &str,
    new: &str,
    column: usize,
    kind: i32,
) -> Vec<(String, String, String)> {
    let uri = "file:///project/a.rs";
    let text = format!("fn old() {{}}\n{line}\n");
    let builder = builder_in(Units::Utf16).file(uri, "rust", &text);
    let mut session = Session::start_scripted(builder, &ScriptedModel::new("1234;")).await;
    let at = |character: usize| json!({"line": 0, "character": character});
    let change = json!([{"range": {"start": at(3), "end": at(6)}, "text": new}]);
    session.did_change(uri, 2, change).await;
    let id = session.inline_completion(uri, (1, column), kind).await;
    let answer = session.answer(id).await.unwrap();
    session.finish().await;
    let items = answer["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let end = |name: &str| {
                assert_eq!(item["range"][name]["line"], 1, "{item}");
                item["range"][name]["character"].as_u64().unwrap() as usize
            };
            let (start, end) = (end("start"), end("end"));
            assert!((start..=end).contains(&column), "{item} does not hold the caret");
            let replaced: String = line.chars().take(end).skip(start).collect();
            let string = |name: &str| item[name].as_str().unwrap().to_owned();
            (string("insertText"), replaced, string("filterText"))
        })
        .collect()
}

#[tokio::test]
async fn a_renaming_is_offered_at_the_next_place_without_the_model() {
    let line = "fn f() { old(); }";
    let owned = |items: &[(&str, &str, &str)]| -> Vec<(String, String, String)> {
        items.iter().map(|it| (it.0.into(), it.1.into(), it.2.into())).collect()
    };
    // The model was never loaded, and at the end of the old name or inside of it the model would not be asked.
    for column in [9, 10, 12] {
        let found = offered_after_renaming(line, "fresh", column, 2).await;
        let (text, replaced) = ("fn f() { fresh", "fn f() { old");
        let filter = if column == 9 { text } else { replaced };
        assert_eq!(found, owned(&[(text, replaced, filter)]), "column {column}");
    }
    // A name that goes on from the old one can be shown as ghost text.
    let found = offered_after_renaming(line, "older", 12, 2).await;
    assert_eq!(found, owned(&[("fn f() { older", "fn f() { old", "fn f() { older")]));
    assert_eq!(offered_after_renaming(line, "fresh", 7, 2).await, []);

    // Who asks by hand is offered it from anywhere on the line, behind what the model says.
    let found = offered_after_renaming("fn f() { old(); }", "fresh", 16, 1).await;
    assert!(found[0].0.contains("1234"), "{found:?}");
    let last = found.last().unwrap();
    assert_eq!((last.0.as_str(), last.1.as_str()), ("fn f() { fresh(); ", "fn f() { old(); "));
    assert_eq!(last.2, last.1);
}

#[tokio::test]
async fn a_renaming_is_in_the_menu_too() {
    let uri = "file:///project/a.rs";
    let builder = builder_in(Units::Utf16).file(uri, "rust", "fn old() {}\nfn f() { old(); }\n");
    let mut session = Session::start_scripted(builder, &ScriptedModel::new("words")).await;
    let at = |line: usize, character: usize| json!({"line": line, "character": character});
    let change = json!([{"range": {"start": at(0, 3), "end": at(0, 6)}, "text": "fresh"}]);
    session.did_change(uri, 2, change).await;
    let id = session.completion(uri, (1, 12)).await;
    let answer = session.answer(id).await.unwrap();
    session.finish().await;
    let item = &answer["items"][0];
    let range = json!({"start": at(1, 9), "end": at(1, 12)});
    assert_eq!(item["textEdit"], json!({"range": range, "newText": "fresh"}));
    // Editors compare it with the word before the caret, and would leave out an item that is only what replaces it.
    assert_eq!((&item["label"], &item["filterText"]), (&json!("fresh"), &json!("old")));
}
