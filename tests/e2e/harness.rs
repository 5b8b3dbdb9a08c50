//! Starts servers for tests and keeps their engines busy where a test needs that.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;

use assist::Assistant;
use engine::{Generation, Handle, Request, Sampling};
use model::{LoadOptions, Plt};
use serde_json::{Value, json};
use server::{Ended, Host, Options};
use test_support::checkpoint::{END_OF_TEXT, TinyModel};
use test_support::client::{Builder, Client};
use test_support::fixture::{self, Fixture, Units};
use test_support::scripted::ScriptedModel;
use tokenizer::{ChatTemplate, Tokenizer};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

/// Room for one burst, so that both sides make progress.
const PIPE: usize = 1 << 16;

pub(crate) type TestClient = Client<DuplexStream, DuplexStream>;

/// A server at work and its only client.
pub(crate) struct Session {
    client: TestClient,
    server: JoinHandle<Ended>,
    pub(crate) engine: Handle,
}

impl Deref for Session {
    type Target = TestClient;

    fn deref(&self) -> &TestClient {
        &self.client
    }
}

impl DerefMut for Session {
    fn deref_mut(&mut self) -> &mut TestClient {
        &mut self.client
    }
}

impl Session {
    pub(crate) async fn start(builder: Builder) -> Self {
        Self::start_with(builder, TinyModel::SMALL).await
    }

    pub(crate) async fn start_with(builder: Builder, model: TinyModel) -> Self {
        let assistant = assistant(model);
        let engine = assistant.engine().clone();
        let (input, output, server) = spawn(assistant, options());
        let session = Self { client: builder.start(input, output).await, server, engine };
        // Until the weights are there, automatic requests are answered with that as the reason.
        drop(session.hold_engine());
        session
    }

    /// A session whose model says one thing whatever it is asked.
    pub(crate) async fn start_scripted(builder: Builder, model: &ScriptedModel) -> Self {
        Self::start_scripted_with(builder, model, options()).await
    }

    pub(crate) async fn start_scripted_with(
        builder: Builder,
        model: &ScriptedModel,
        options: Options,
    ) -> Self {
        let assistant = scripted(model);
        let engine = assistant.engine().clone();
        let (input, output, server) = spawn(assistant, options);
        Self { client: builder.start(input, output).await, server, engine }
    }

    /// A session in which the client has said nothing yet.
    pub(crate) fn silent() -> Self {
        let assistant = assistant(TinyModel::SMALL);
        let engine = assistant.engine().clone();
        let (input, output, server) = spawn(assistant, options());
        Self { client: Client::connect(input, output), server, engine }
    }

    /// Leaves politely; fails on unread messages.
    pub(crate) async fn finish(self) {
        self.client.finish().await;
        assert_eq!(self.server.await.unwrap(), Ended { after_shutdown: true });
    }

    /// As [`Self::finish`], whatever there is of one kind of notification.
    pub(crate) async fn finish_ignoring(self, method: &str) {
        self.client.finish_ignoring(&[method, "$/logTrace"]).await;
        assert_eq!(self.server.await.unwrap(), Ended { after_shutdown: true });
    }

    /// How the server ended, while the client still holds its ends.
    pub(crate) async fn ended(self) -> Ended {
        let ended = self.server.await.unwrap();
        drop(self.client);
        ended
    }

    /// Two sessions of one host.
    pub(crate) async fn pair(model: TinyModel) -> (Self, Self) {
        let assistant = assistant(model);
        let engine = assistant.engine().clone();
        let host = Arc::new(Host::new(assistant));
        let start = async || {
            let (input, output, server) = spawn_on(Arc::clone(&host), options());
            Self { client: builder().start(input, output).await, server, engine: engine.clone() }
        };
        let pair = (start().await, start().await);
        drop(pair.0.hold_engine());
        pair
    }

    /// Closes the server's input; fails on unread messages.
    pub(crate) async fn hang_up(self) -> Ended {
        self.client.at_end().await;
        self.server.await.unwrap()
    }

    /// Goes away without reading what is left.
    pub(crate) async fn vanish(self) -> Ended {
        drop(self.client);
        self.server.await.unwrap()
    }

    /// Keeps the engine busy until the result is dropped, so that every completion waits.
    pub(crate) fn hold_engine(&self) -> Generation {
        let mut generation = self
            .engine
            .generate(Request {
                tokens: vec![u32::from(b'a')],
                max_tokens: usize::MAX,
                n_usable_tokens: END_OF_TEXT as usize,
                // The likeliest text soon repeats itself, and what repeats is made many tokens at a time.
                sampling: Sampling { temperature: 2.0, ..Sampling::GREEDY },
                ..Request::default()
            })
            .unwrap();
        generation.next_token().expect("the held engine works");
        generation
    }
}

/// Settings as given on the command line: what a random model writes is shown however unlikely it is.
pub(crate) fn options() -> Options {
    with_settings(json!({"completion": {"minConfidence": 0}}))
}

pub(crate) fn with_settings(settings: Value) -> Options {
    Options { command_line: settings, ..Options::default() }
}

/// A context that no held engine comes to the end of.
pub(crate) const LONG: TinyModel = TinyModel { n_context: 1 << 17, ..TinyModel::SMALL };

pub(crate) fn builder() -> Builder {
    Builder::default()
}

pub(crate) fn builder_in(units: Units) -> Builder {
    builder().capability("/general/positionEncodings", json!([units.name()]))
}

/// An assistant over `model`; its weights are read at the first request, from files that are there until then.
pub(crate) fn assistant(model: TinyModel) -> Assistant {
    let directory = tempfile::tempdir().unwrap();
    model.write(directory.path());
    let tokenizer = Tokenizer::from_directory(directory.path()).unwrap();
    let engine =
        Handle::spawn(move || Plt::from_directory(directory.path(), LoadOptions::default()));
    assistant_over(engine, tokenizer)
}

/// An assistant that gives its weights back as soon as nobody asks for anything, and its engine.
pub(crate) fn forgetful_assistant() -> (Assistant, Handle) {
    let directory = tempfile::tempdir().unwrap();
    TinyModel::SMALL.write(directory.path());
    let tokenizer = Tokenizer::from_directory(directory.path()).unwrap();
    let options = engine::Options { idle: Some(Duration::from_millis(50)), ..Default::default() };
    let engine = Handle::start(options, move |_| {
        Plt::from_directory(directory.path(), LoadOptions::default())
    });
    (assistant_over(engine.clone(), tokenizer), engine)
}

/// An assistant that says one thing.
pub(crate) fn scripted(model: &ScriptedModel) -> Assistant {
    let directory = tempfile::tempdir().unwrap();
    model.write(directory.path());
    let tokenizer = Tokenizer::from_directory(directory.path()).unwrap();
    let chat = ChatTemplate::from_directory(directory.path()).unwrap();
    let engine =
        Handle::spawn(move || Plt::from_directory(directory.path(), LoadOptions::default()));
    let assistant = assistant_over(engine, tokenizer);
    match chat {
        Some(chat) => assistant.with_chat(chat),
        None => assistant,
    }
}

/// An assistant whose weights cannot be read.
pub(crate) fn broken_assistant() -> Assistant {
    let directory = tempfile::tempdir().unwrap();
    TinyModel::SMALL.write(directory.path());
    let tokenizer = Tokenizer::from_directory(directory.path()).unwrap();
    std::fs::write(directory.path().join("model.safetensors"), b"not weights").unwrap();
    let engine =
        Handle::spawn(move || Plt::from_directory(directory.path(), LoadOptions::default()));
    assistant_over(engine, tokenizer)
}

fn assistant_over(engine: Handle, tokenizer: Tokenizer) -> Assistant {
    let config = assist::Config {
        max_tokens: 24,
        n_prompt: 512,
        sampling: Sampling::GREEDY,
        min_confidence: 0.0,
        layout: Some(assist::Layout::SuffixFirst),
        sources: assist::Sources::ALL,
        beside: assist::Beside::UNLIMITED,
        ngrams: None,
    };
    Assistant::new(engine, Arc::new(tokenizer), vec![END_OF_TEXT], config)
}

/// Starts a server; gives the client's ends of its output and input.
pub(crate) fn spawn(
    assistant: Assistant,
    options: Options,
) -> (DuplexStream, DuplexStream, JoinHandle<Ended>) {
    spawn_on(Arc::new(Host::new(assistant)), options)
}

fn spawn_on(host: Arc<Host>, options: Options) -> (DuplexStream, DuplexStream, JoinHandle<Ended>) {
    let (client_writes, server_reads) = tokio::io::duplex(PIPE);
    let (server_writes, client_reads) = tokio::io::duplex(PIPE);
    let server = tokio::spawn(async move {
        server::serve(server_reads, server_writes, host, options).await.expect("a session thread")
    });
    (client_reads, client_writes, server)
}

/// One file with a caret.
pub(crate) struct Document {
    pub(crate) uri: String,
    pub(crate) text: String,
    pub(crate) caret: usize,
}

impl Document {
    #[track_caller]
    pub(crate) fn parse(raw: &str) -> Self {
        let fixture = Fixture::parse(raw);
        let (file, caret) = fixture.caret();
        Self { uri: format!("file://{}", file.path), text: file.text.clone(), caret }
    }

    pub(crate) fn caret(&self, units: Units) -> (usize, usize) {
        fixture::line_and_column(&self.text, self.caret, units)
    }
}

/// Where something may be suggested: after `=`, nothing behind it on the line.
pub(crate) fn document() -> Document {
    Document::parse(
        "
        //- /project/src/main.rs
        // größe 𝄞
        fn main() {
            let größe = 𝄞(1);
            let other = $0
        }
        ",
    )
}

/// A model that suggests something at the caret of [`document`]. Most random ones do; which does not matter.
pub(crate) async fn talkative_model() -> TinyModel {
    let document = document();
    for seed in 0..64 {
        let model = TinyModel { seed, ..LONG };
        let mut session =
            Session::start_with(builder().file(&document.uri, "rust", &document.text), model).await;
        let explanation = session.explain(&document.uri, document.caret(Units::Utf16)).await;
        session.finish().await;
        if explanation["suggestion"].is_object() {
            return model;
        }
    }
    panic!("no random model suggests anything");
}
