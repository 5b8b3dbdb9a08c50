//! A strict LSP client over any pair of streams.
//!
//! It speaks plain JSON, so that it shares no mistake with a server's own types, and fails on every breach of the protocol:
//! a frame or message of the wrong shape, a second answer, an answer to nothing, an unread message at the end.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

/// Nothing is timed; a deadlock fails here instead of hanging the suite.
const DEADLOCK: Duration = Duration::from_secs(50);

/// What a client tells at `initialize`.
#[derive(Debug, Clone)]
pub struct Builder {
    capabilities: Value,
    initialization_options: Value,
    configuration: Value,
    folders: Vec<String>,
    files: Vec<(String, String, String)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            capabilities: json!({}),
            initialization_options: Value::Null,
            configuration: Value::Null,
            folders: Vec::new(),
            files: Vec::new(),
        }
    }
}

impl Builder {
    /// Sets a capability by its JSON pointer, e.g. `/general/positionEncodings`.
    #[must_use]
    pub fn capability(mut self, pointer: &str, value: Value) -> Self {
        let mut at = &mut self.capabilities;
        for name in pointer.split('/').skip(1) {
            at = &mut at[name];
        }
        *at = value;
        self
    }

    #[must_use]
    pub fn initialization_options(mut self, options: Value) -> Self {
        self.initialization_options = options;
        self
    }

    /// What is answered for each item of `workspace/configuration`.
    #[must_use]
    pub fn configuration(mut self, settings: Value) -> Self {
        self.configuration = settings;
        self
    }

    /// A folder of the workspace.
    #[must_use]
    pub fn folder(mut self, path: &Path) -> Self {
        self.folders.push(format!("file://{}", path.display()));
        self
    }

    /// Opens a document, at version 1, as soon as the session stands.
    #[must_use]
    pub fn file(mut self, uri: &str, language_id: &str, text: &str) -> Self {
        self.files.push((uri.into(), language_id.into(), text.into()));
        self
    }

    /// Connects, initialises and opens the files.
    pub async fn start<R, W>(self, reader: R, writer: W) -> Client<R, W>
    where
        R: AsyncRead + Unpin,
        W: AsyncWrite + Unpin,
    {
        let mut client = Client::connect(reader, writer);
        client.configuration = self.configuration;
        client.folders = self.folders;
        client.initialize(self.capabilities, self.initialization_options).await;
        for (uri, language_id, text) in self.files {
            client.did_open(&uri, &language_id, 1, &text).await;
        }
        client
    }
}

/// What the server answered: a result, or an error with its code.
pub type Answer = Result<Value, Error>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub code: i64,
    pub message: String,
}

#[derive(Debug)]
pub struct Client<R, W> {
    reader: BufReader<R>,
    writer: W,
    next_id: i64,
    /// Methods of notifications that are not kept.
    ignored: Vec<String>,
    configuration: Value,
    folders: Vec<String>,
    /// Requests without an answer yet.
    pending: Vec<i64>,
    /// Answers nobody has asked for yet.
    answers: BTreeMap<i64, Answer>,
    /// Errors with a null id, which answer messages that could not be read.
    refusals: VecDeque<Error>,
    /// Notifications nobody has asked for yet.
    notifications: VecDeque<(String, Value)>,
    /// Methods of the server's requests, all of which were answered.
    server_requests: Vec<(String, Value)>,
    /// The answer to `workspace/applyEdit`.
    pub edit_response: Value,
    /// Whether `window/showDocument` succeeds.
    pub shows_documents: bool,
    /// The answer to `initialize`.
    pub initialized: Value,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Client<R, W> {
    /// A client that has said nothing yet.
    pub fn connect(reader: R, writer: W) -> Self {
        Self {
            reader: BufReader::new(reader),
            writer,
            next_id: 1,
            ignored: Vec::new(),
            configuration: Value::Null,
            folders: Vec::new(),
            pending: Vec::new(),
            answers: BTreeMap::new(),
            refusals: VecDeque::new(),
            notifications: VecDeque::new(),
            server_requests: Vec::new(),
            edit_response: json!({"applied": true}),
            shows_documents: true,
            initialized: Value::Null,
        }
    }

    pub async fn initialize(&mut self, capabilities: Value, initialization_options: Value) {
        let folders = match self.folders.as_slice() {
            [] => Value::Null,
            folders => folders.iter().map(|uri| json!({"uri": uri, "name": uri})).collect(),
        };
        let params = json!({
            "processId": null,
            "clientInfo": {"name": "test-support", "version": "1"},
            "rootUri": null,
            "workspaceFolders": folders,
            "capabilities": capabilities,
            "initializationOptions": initialization_options,
        });
        self.initialized = self.ask("initialize", params).await.expect("initialize");
        self.notify("initialized", json!({})).await;
    }

    pub async fn did_open(&mut self, uri: &str, language_id: &str, version: i32, text: &str) {
        let document =
            json!({"uri": uri, "languageId": language_id, "version": version, "text": text});
        self.notify("textDocument/didOpen", json!({"textDocument": document})).await;
    }

    /// `changes` as in `TextDocumentContentChangeEvent[]`.
    pub async fn did_change(&mut self, uri: &str, version: i32, changes: Value) {
        let params =
            json!({"textDocument": {"uri": uri, "version": version}, "contentChanges": changes});
        self.notify("textDocument/didChange", params).await;
    }

    pub async fn did_close(&mut self, uri: &str) {
        self.notify("textDocument/didClose", json!({"textDocument": {"uri": uri}})).await;
    }

    /// Id of the request.
    pub async fn inline_completion(
        &mut self,
        uri: &str,
        at: (usize, usize),
        trigger_kind: i32,
    ) -> i64 {
        let mut params = at_position(uri, at);
        params["context"] = json!({"triggerKind": trigger_kind});
        self.request("textDocument/inlineCompletion", params).await
    }

    /// Id of the request.
    pub async fn completion(&mut self, uri: &str, at: (usize, usize)) -> i64 {
        let mut params = at_position(uri, at);
        params["context"] = json!({"triggerKind": 1});
        self.request("textDocument/completion", params).await
    }

    pub async fn document_state(&mut self, uri: &str) -> Value {
        self.ask("dacapo/documentState", json!({"textDocument": {"uri": uri}}))
            .await
            .expect("documentState")
    }

    pub async fn explain(&mut self, uri: &str, at: (usize, usize)) -> Value {
        self.ask("dacapo/explain", at_position(uri, at)).await.expect("explain")
    }

    pub async fn cancel(&mut self, id: i64) {
        self.notify("$/cancelRequest", json!({"id": id})).await;
    }

    /// Sends a request and waits for its answer.
    pub async fn ask(&mut self, method: &str, params: Value) -> Answer {
        let id = self.request(method, params).await;
        self.answer(id).await
    }

    /// Sends a request and gives its id.
    pub async fn request(&mut self, method: &str, params: Value) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        self.pending.push(id);
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
        id
    }

    pub async fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    }

    /// Sends bytes as they are, frame and all.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        guard(self.write(bytes)).await;
    }

    /// Waits for the answer to a request.
    pub async fn answer(&mut self, id: i64) -> Answer {
        loop {
            if let Some(answer) = self.answers.remove(&id) {
                return answer;
            }
            assert!(self.pending.contains(&id), "request {id} has been answered and read already");
            self.receive().await;
        }
    }

    /// Waits for the error that answers a message which could not be read.
    pub async fn refusal(&mut self) -> Error {
        loop {
            if let Some(error) = self.refusals.pop_front() {
                return error;
            }
            self.receive().await;
        }
    }

    /// Waits for a notification of this method; others stay unread.
    pub async fn notification(&mut self, method: &str) -> Value {
        loop {
            if let Some(at) = self.notifications.iter().position(|(name, _)| name == method) {
                return self.notifications.remove(at).expect("it is there").1;
            }
            self.receive().await;
        }
    }

    /// Waits for a request of the server's; it has been answered.
    pub async fn server_request(&mut self, method: &str) -> Value {
        loop {
            if let Some(at) = self.server_requests.iter().position(|(name, _)| name == method) {
                return self.server_requests.remove(at).1;
            }
            self.receive().await;
        }
    }

    /// What is answered from now on for each item of `workspace/configuration`.
    pub fn set_configuration(&mut self, settings: Value) {
        self.configuration = settings;
    }

    /// Whether the answer has come already, without waiting.
    pub fn is_answered(&self, id: i64) -> bool {
        self.answers.contains_key(&id)
    }

    /// Drops the notifications of this method that nobody read.
    pub fn ignore_notifications(&mut self, method: &str) {
        self.notifications.retain(|(name, _)| name != method);
    }

    /// Sends a message whose answer nobody will read, if the server takes it within a short while.
    pub async fn try_send(&mut self, message: &Value) -> bool {
        const SHORT: Duration = Duration::from_millis(500);
        let body = message.to_string();
        let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        tokio::time::timeout(SHORT, self.write(frame.as_bytes())).await.is_ok()
    }

    /// As [`Self::finish`], whatever there is of some kinds of notifications.
    pub async fn finish_ignoring(mut self, methods: &[&str]) {
        self.ignored = methods.iter().map(|&method| method.to_owned()).collect();
        let ignored = self.ignored.clone();
        self.notifications.retain(|(method, _)| !ignored.contains(method));
        self.finish().await;
    }

    /// Sends `shutdown` and `exit`, reads what is left and fails on anything nobody read.
    pub async fn finish(mut self) {
        let answer = self.ask("shutdown", Value::Null).await;
        assert_eq!(answer, Ok(Value::Null), "shutdown");
        self.send(&json!({"jsonrpc": "2.0", "method": "exit"})).await;
        self.at_end().await;
    }

    /// Reads until the server closes its output and fails on anything nobody read.
    pub async fn at_end(mut self) {
        guard(self.writer.shutdown()).await.expect("closing the output");
        while let Some(message) = guard(read_message(&mut self.reader)).await {
            let reply = self.take(message);
            assert_eq!(reply, None, "the server asks at the end");
        }
        assert!(self.pending.is_empty(), "requests without an answer: {:?}", self.pending);
        assert!(self.answers.is_empty(), "answers nobody read: {:?}", self.answers);
        assert!(self.refusals.is_empty(), "refusals nobody read: {:?}", self.refusals);
        assert!(
            self.notifications.is_empty(),
            "notifications nobody read: {:?}",
            self.notifications
        );
        assert!(
            self.server_requests.is_empty(),
            "server requests nobody read: {:?}",
            self.server_requests
        );
    }

    async fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let frame = format!("Content-Length: {}\r\n\r\n{body}", body.len());
        guard(self.write(frame.as_bytes())).await;
    }

    async fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let n_written = self.writer.write(bytes).await.expect("the server closed its input");
            bytes = &bytes[n_written..];
        }
        self.writer.flush().await.expect("the server closed its input");
    }

    async fn receive(&mut self) {
        let message =
            guard(read_message(&mut self.reader)).await.expect("the server closed its output");
        if let Some(reply) = self.take(message) {
            self.send(&reply).await;
        }
    }

    /// Files a message; gives the reply that it asks for.
    fn take(&mut self, message: Value) -> Option<Value> {
        assert_eq!(message["jsonrpc"], "2.0", "{message}");
        let fields: Vec<&str> =
            message.as_object().expect("an object").keys().map(String::as_str).collect();
        let params = message.get("params").cloned().unwrap_or(Value::Null);
        let Some(method) =
            message.get("method").map(|method| method.as_str().expect("a method's name"))
        else {
            assert!(
                fields == ["id", "jsonrpc", "result"] || fields == ["error", "id", "jsonrpc"],
                "{message}"
            );
            self.take_answer(&message);
            return None;
        };
        assert!(
            fields.iter().all(|field| ["id", "jsonrpc", "method", "params"].contains(field)),
            "{message}"
        );
        let Some(id) = message.get("id") else {
            if !self.ignored.iter().any(|ignored| ignored == method) {
                self.notifications.push_back((method.into(), params));
            }
            return None;
        };
        assert!(id.is_i64() || id.is_string(), "{message}");
        let result = match method {
            "workspace/configuration" => {
                let n_items = params["items"].as_array().expect("items").len();
                json!(vec![self.configuration.clone(); n_items])
            }
            "workspace/applyEdit" => self.edit_response.clone(),
            "window/showDocument" => json!({"success": self.shows_documents}),
            "client/registerCapability"
            | "client/unregisterCapability"
            | "window/workDoneProgress/create" => Value::Null,
            _ => panic!("the server asks for {method}, which this client did not offer"),
        };
        self.server_requests.push((method.into(), params));
        Some(json!({"jsonrpc": "2.0", "id": id, "result": result}))
    }

    fn take_answer(&mut self, message: &Value) {
        let answer = match message.get("error") {
            Some(error) => Err(Error {
                code: error["code"].as_i64().expect("an error code"),
                message: error["message"].as_str().expect("an error message").into(),
            }),
            None => Ok(message["result"].clone()),
        };
        match (&message["id"], answer) {
            (Value::Null, Err(error)) => self.refusals.push_back(error),
            (id, answer) => {
                let id = id.as_i64().unwrap_or_else(|| panic!("an answer to nothing: {message}"));
                let at = self.pending.iter().position(|&pending| pending == id);
                self.pending
                    .swap_remove(at.unwrap_or_else(|| panic!("an answer to nothing: {message}")));
                self.answers.insert(id, answer);
            }
        }
    }
}

fn at_position(uri: &str, (line, character): (usize, usize)) -> Value {
    json!({"textDocument": {"uri": uri}, "position": {"line": line, "character": character}})
}

async fn guard<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLOCK, work).await.expect("a deadlock")
}

/// `None` at the end of the stream; panics within a frame and on headers other than the one that is required.
async fn read_message<R: AsyncRead + Unpin>(reader: &mut BufReader<R>) -> Option<Value> {
    let mut header = String::new();
    if reader.read_line(&mut header).await.expect("headers in ASCII") == 0 {
        return None;
    }
    let length = header.strip_prefix("Content-Length: ").and_then(|rest| rest.strip_suffix("\r\n"));
    let length: usize = length
        .and_then(|length| length.parse().ok())
        .unwrap_or_else(|| panic!("header {header:?}"));
    let mut empty = String::new();
    reader.read_line(&mut empty).await.expect("headers in ASCII");
    assert_eq!(empty, "\r\n", "one header only");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).await.expect("a whole body");
    Some(serde_json::from_slice(&body).expect("a body in JSON"))
}
