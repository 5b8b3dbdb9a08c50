//! Actions from end to end over a scripted source of tokens.

mod background;
mod infill;
mod instruct;

use std::collections::VecDeque;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock, Mutex};

use context::{Beside, Layout, Sources};
use engine::{CancelFlag, Choice, Error, Finish, Outcome, Request, Sampling, Status};
use tokenizer::Tokenizer;
use workspace::{DocumentId, Language, Workspace};

use crate::action::{Action, ActionAnswer, ActionRequest, Actor, Effect};
use crate::completion::Config;
use crate::source::{Generate, Tokens};
use crate::writer::{Watch, Writer};

static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizer");
    Arc::new(Tokenizer::from_directory(&folder).unwrap())
});

/// Says one thing after the other, the last one again and again; notes what it was asked.
#[derive(Debug)]
struct Script {
    answers: Vec<String>,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Generate for Script {
    fn status(&self) -> Status {
        Status::Ready
    }

    fn preload(&self) {}

    fn n_context(&self) -> Option<usize> {
        Some(2048)
    }

    fn generate(&self, request: Request) -> Result<Box<dyn Tokens>, Error> {
        let mut requests = self.requests.lock().unwrap();
        let text = &self.answers[requests.len().min(self.answers.len() - 1)];
        let mut left: VecDeque<u32> = TOKENIZER.encode(text).into();
        let is_cut = request.max_tokens < left.len();
        left.truncate(request.max_tokens);
        let answer = Answer { n_prompt: request.tokens.len(), n_generated: 0, is_cut, left };
        requests.push(request);
        Ok(Box::new(answer))
    }
}

struct Answer {
    left: VecDeque<u32>,
    is_cut: bool,
    n_prompt: usize,
    n_generated: usize,
}

impl Tokens for Answer {
    fn next_choice(&mut self) -> Option<Choice> {
        let token = self.left.pop_front()?;
        self.n_generated += 1;
        Some(Choice { token, log_probability: 0.0 })
    }

    fn finish(self: Box<Self>) -> Result<Outcome, Error> {
        let finish = match (self.left.is_empty(), self.is_cut) {
            (false, _) => Finish::Cancelled,
            (true, true) => Finish::Length,
            (true, false) => Finish::Stop,
        };
        Ok(Outcome {
            finish,
            n_prompt: self.n_prompt,
            n_generated: self.n_generated,
            ..Outcome::default()
        })
    }
}

const CONFIG: Config = Config {
    max_tokens: 64,
    n_prompt: 640,
    sampling: Sampling::GREEDY,
    min_confidence: 0.0,
    layout: Some(Layout::SuffixFirst),
    sources: Sources::ALL,
    beside: Beside::UNLIMITED,
    ngrams: None,
};

/// A document with an actor that says given things.
struct Stage {
    actor: Actor,
    requests: Arc<Mutex<Vec<Request>>>,
    workspace: Workspace,
    request: ActionRequest,
}

impl Stage {
    /// `marked` holds `$0` for a caret, or twice for a selection.
    fn new(language: Language, marked: &str, action: Action, answers: &[&str]) -> Self {
        let start = marked.find("$0").expect("a caret");
        let text = marked.replacen("$0", "", 1);
        let end = text.find("$0").unwrap_or(start);
        let text = text.replacen("$0", "", 1);
        let mut workspace = Workspace::new(vec![PathBuf::from("/home")]);
        let document = DocumentId("file:///home/shape".into());
        let path = Some(PathBuf::from("/home/shape"));
        workspace.open(document.clone(), path, Some(language), 7, &text);
        Self::with(workspace, document, start..end, action, answers)
    }

    fn with(
        workspace: Workspace,
        document: DocumentId,
        selection: Range<usize>,
        action: Action,
        answers: &[&str],
    ) -> Self {
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let script = Script {
            answers: answers.iter().map(|&answer| answer.to_owned()).collect(),
            requests: Arc::clone(&requests),
        };
        let writer = Writer::new(Box::new(script), Arc::clone(&TOKENIZER), &[]);
        let actor = Actor::new(Arc::new(writer), CONFIG);
        let request =
            ActionRequest { action, document, selection, instruction: None, diagnostic: None };
        Self { actor, requests, workspace, request }
    }

    fn act(&self) -> ActionAnswer {
        let cancel = CancelFlag::default();
        let watch = Watch { cancel: &cancel, report: &|_| {} };
        self.actor.act(&self.workspace.snapshot(), &self.request, watch)
    }
}

/// The text after the action, or the code of the refusal in parentheses.
fn shown(answer: &ActionAnswer) -> String {
    match &answer.effect {
        Ok(Effect::Edit(change)) => change.after().to_string(),
        Ok(Effect::Show(text)) => text.clone(),
        Err(refusal) => format!("({})", refusal.code()),
    }
}

#[track_caller]
fn check(language: Language, marked: &str, action: Action, written: &str, expected: &str) {
    let answer = Stage::new(language, marked, action, &[written]).act();
    assert_eq!(shown(&answer), expected, "raw {:?}", answer.raw);
}
