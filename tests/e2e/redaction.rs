//! What is written to the log, at any level, holds no text of the user's.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::{Session, builder, talkative_model};

const SECRET: &str = "hunter2hunter2";

#[derive(Debug, Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn no_text_of_documents_or_prompts_is_logged() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(log.clone())
        .finish();
    // Work is done on many threads, so it has to hold for all of them.
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let uri = "file:///project/main.rs";
    let text = format!("// {SECRET}\nfn main() {{\n    let other = \n}}\n");
    let builder = builder().file(uri, "rust", &text);
    let mut session = Session::start_with(builder, talkative_model().await).await;
    session.explain(uri, (2, 16)).await;
    let at = json!({"line": 2, "character": 16});
    let change = json!([{"range": {"start": at, "end": at}, "text": SECRET}]);
    session.did_change(uri, 2, change).await;
    for trigger_kind in [1, 2] {
        let id = session.inline_completion(uri, (2, 16), trigger_kind).await;
        session.answer(id).await.unwrap();
    }
    // What cannot be understood is where text slips into messages.
    let broken = json!({"textDocument": {"uri": uri}, "position": SECRET});
    session.ask("dacapo/explain", broken.clone()).await.unwrap_err();
    session.notify("textDocument/didChange", broken).await;
    session.finish().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let mut finished = log.lines().filter(|line| line.contains("completion finished"));
    let parts = ["elapsed=", "queued=Some", "prefill=Some", "decode=Some"];
    assert!(finished.any(|line| parts.iter().all(|part| line.contains(part))), "{log}");
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}
