//! Clients that flood, stall or send rubbish: they harm nobody else, and every request has one answer.

use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use serde_json::{Value, json};
use test_support::checkpoint::TinyModel;
use test_support::fixture::Units;

use crate::harness::{LONG, Session, builder, document};

#[tokio::test]
async fn a_client_that_asks_about_hundreds_of_documents_keeps_no_other_from_its_answer() {
    let document = document();
    let (mut flooding, mut other) = Session::pair(LONG).await;
    let held = flooding.hold_engine();
    let mut waiting = Vec::new();
    for n in 0..40 {
        let uri = format!("file:///{n}.rs");
        flooding.did_open(&uri, "rust", 1, &document.text).await;
        waiting.push(flooding.inline_completion(&uri, document.caret(Units::Utf16), 1).await);
    }
    other.did_open(&document.uri, "rust", 1, &document.text).await;
    // Answered without the model, on the threads that are left.
    let inside_word = (1, 4);
    let id = other.inline_completion(&document.uri, inside_word, 2).await;
    assert_eq!(other.answer(id).await, Ok(json!({"items": []})));
    assert_eq!(other.document_state(&document.uri).await["version"], 1);
    drop(held);
    for id in waiting {
        flooding.answer(id).await.unwrap();
    }
    flooding.finish().await;
    other.finish().await;
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_read_no_further_and_served_when_it_reads_again() {
    let mut session = Session::start(builder()).await;
    let mut n_sent = 0;
    // Until the pipes are full: the server must not keep what it cannot get rid of.
    let is_stuck = loop {
        let params = json!({"textDocument": {"uri": format!("file:///{n_sent}")}});
        let message = json!({"jsonrpc": "2.0", "id": 10_000 + n_sent, "method": "dacapo/documentState", "params": params});
        let sent = session.try_send(&message).await;
        if !sent {
            break true;
        }
        n_sent += 1;
        if 100_000 < n_sent {
            break false;
        }
    };
    assert!(is_stuck, "the server takes requests without end");
    assert!(n_sent < 20_000, "{n_sent} requests wait for a client that reads nothing");
    session.vanish().await;
}

fn uri() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("file:///a.rs")),
        Just(json!("file:///b.py")),
        Just(json!("untitled:1")),
        Just(json!("not a uri")),
        Just(json!(7)),
        Just(Value::Null),
    ]
}

fn number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..6u32).prop_map(|n| json!(n)),
        Just(json!(u32::MAX)),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!("1")),
    ]
}

/// Method and parameters of a message that may or may not make sense.
fn message() -> impl Strategy<Value = (String, Value)> {
    let position =
        || (number(), number()).prop_map(|(line, at)| json!({"line": line, "character": at}));
    let text = prop_oneof![
        Just("fn f() {\n    let x = \n}\n"),
        Just(""),
        Just("ö𝄞\r\n\r"),
        Just("def f():\n")
    ];
    let method = prop_oneof![
        Just("textDocument/didOpen"),
        Just("textDocument/didChange"),
        Just("textDocument/didClose"),
        Just("textDocument/inlineCompletion"),
        Just("textDocument/completion"),
        Just("dacapo/explain"),
        Just("dacapo/documentState"),
        Just("textDocument/codeAction"),
        Just("workspace/executeCommand"),
        Just("window/workDoneProgress/cancel"),
        Just("textDocument/didShowCompletion"),
        Just("textDocument/didPartiallyAcceptCompletion"),
        Just("textDocument/didSave"),
        Just("workspace/didChangeConfiguration"),
        Just("workspace/didChangeWorkspaceFolders"),
        Just("workspace/didChangeWatchedFiles"),
        Just("textDocument/hover"),
        Just("$/setTrace"),
        Just("$/unheardOf"),
    ];
    (method, uri(), position(), position(), text, number(), any::<bool>()).prop_map(
        |(method, uri, start, end, text, number, whole)| {
            let change = match whole {
                true => json!({"text": text}),
                false => json!({"range": {"start": start, "end": end}, "text": text}),
            };
            let commands =
                ["dacapo.complete", "dacapo.rewrite", "dacapo.document", "dacapo.nextEdit", "x"];
            let command = commands[text.len() % commands.len()];
            let params = json!({
                "textDocument": {"uri": uri, "version": number, "languageId": "rust", "text": text},
                "position": start,
                "range": {"start": start, "end": end},
                "context": {"triggerKind": number, "diagnostics": [{"range": {"start": end, "end": start}, "message": text}]},
                "command": command,
                "arguments": [{"uri": uri, "range": {"start": start, "end": end}}],
                "token": number,
                "item": {"insertText": text, "range": {"start": start, "end": end}},
                "contentChanges": [change],
                "settings": {"dacapo": {"completion": {"maxTokens": number}}},
                "event": {"added": [{"uri": uri, "name": "a"}], "removed": []},
                "changes": [{"uri": uri, "type": number}],
                "value": text,
            });
            (method.to_owned(), params)
        },
    )
}

const INTERNAL_ERROR: i64 = -32603;

/// Panics of this process since this was called first, those that were caught among them.
fn count_panics() -> usize {
    static N_PANICS: AtomicUsize = AtomicUsize::new(0);
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            N_PANICS.fetch_add(1, Ordering::SeqCst);
            usual(panic);
        }));
    });
    N_PANICS.load(Ordering::SeqCst)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_request_has_one_answer_whatever_comes(
        messages in proptest::collection::vec((message(), any::<bool>(), any::<bool>()), 1..60)
    ) {
        let n_panics = count_panics();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut session = Session::start_with(builder(), TinyModel::SMALL).await;
            let mut ids = Vec::new();
            for ((method, params), is_request, is_cancelled) in messages {
                if !is_request {
                    session.notify(&method, params).await;
                    continue;
                }
                let id = session.request(&method, params).await;
                if is_cancelled {
                    session.cancel(id).await;
                }
                ids.push(id);
            }
            for id in ids {
                // Which answer is for other tests; the client fails on a second one.
                let code = session.answer(id).await.err().map(|error| error.code);
                prop_assert_ne!(code, Some(INTERNAL_ERROR));
            }
            session.finish_ignoring("window/showMessage").await;
            Ok(())
        })?;
        prop_assert_eq!(count_panics(), n_panics);
    }
}
