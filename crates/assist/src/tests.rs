//! `complete` from end to end over a scripted source of tokens.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex};

use context::{Beside, Layout, Sources};
use engine::{CancelFlag, Choice, Error, Finish, Outcome, Priority, Request, Sampling, Status};
use tokenizer::Tokenizer;
use workspace::{DocumentId, Language, Snapshot, Workspace};

use crate::completer::Completer;
use crate::completion::{Completion, Config, Ngrams, Trigger};
use crate::reason::Reason;
use crate::source::{Generate, Tokens};
use crate::writer::Writer;

mod next_edits;

static TOKENIZER: LazyLock<Arc<Tokenizer>> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizer");
    Arc::new(Tokenizer::from_directory(&folder).unwrap())
});

/// Says the same thing whatever it is asked, and notes what it was asked.
#[derive(Debug)]
struct Script {
    status: Status,
    n_context: usize,
    tokens: Vec<u32>,
    /// What it says instead where it is asked to draw, by the seed; the first text beyond the end.
    drawn: Vec<&'static str>,
    finish: Finish,
    /// Raised once so many tokens were handed out.
    cancel_after: Option<usize>,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<Request>>,
    n_preloads: AtomicUsize,
    n_handed_out: AtomicUsize,
}

impl Script {
    fn new(text: &str) -> Self {
        Self {
            status: Status::Ready,
            n_context: 4096,
            tokens: TOKENIZER.encode(text),
            drawn: Vec::new(),
            finish: Finish::Stop,
            cancel_after: None,
            seen: Arc::default(),
        }
    }
}

impl Generate for Script {
    fn status(&self) -> Status {
        self.status.clone()
    }

    fn preload(&self) {
        self.seen.n_preloads.fetch_add(1, Ordering::Relaxed);
    }

    fn n_context(&self) -> Option<usize> {
        (self.status == Status::Ready).then_some(self.n_context)
    }

    fn generate(&self, request: Request) -> Result<Box<dyn Tokens>, Error> {
        let n_prompt = request.tokens.len();
        self.seen.requests.lock().unwrap().push(request.clone());
        if self.n_context < n_prompt + request.max_tokens {
            return Err(Error::TooLong { n_prompt, n_context: self.n_context });
        }
        let drawn = (request.sampling != Sampling::GREEDY)
            .then(|| self.drawn.get(request.sampling.seed as usize))
            .flatten()
            .map(|text| TOKENIZER.encode(text));
        Ok(Box::new(Answer {
            left: drawn.unwrap_or_else(|| self.tokens.clone()).into(),
            finish: self.finish,
            cancel_after: self.cancel_after,
            n_prompt,
            cancel: request.cancel,
            seen: Arc::clone(&self.seen),
        }))
    }
}

struct Answer {
    left: VecDeque<u32>,
    finish: Finish,
    cancel_after: Option<usize>,
    n_prompt: usize,
    cancel: CancelFlag,
    seen: Arc<Seen>,
}

impl Tokens for Answer {
    fn next_choice(&mut self) -> Option<Choice> {
        let n_handed_out = self.seen.n_handed_out.load(Ordering::Relaxed);
        if self.cancel_after == Some(n_handed_out) {
            self.cancel.raise();
        }
        let token = self.left.pop_front()?;
        self.seen.n_handed_out.store(n_handed_out + 1, Ordering::Relaxed);
        Some(Choice { token, log_probability: PROBABILITY.ln() })
    }

    fn finish(self: Box<Self>) -> Result<Outcome, Error> {
        Ok(Outcome {
            finish: if self.left.is_empty() && !self.cancel.is_raised() {
                self.finish
            } else {
                Finish::Cancelled
            },
            n_prompt: self.n_prompt,
            n_generated: self.seen.n_handed_out.load(Ordering::Relaxed),
            ..Outcome::default()
        })
    }
}

/// Of every token of a script.
const PROBABILITY: f32 = 0.5;

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

struct Room {
    completer: Completer,
    seen: Arc<Seen>,
    id: DocumentId,
}

fn completer(script: Script, tokenizer: &Arc<Tokenizer>, config: Config) -> Completer {
    Completer::new(Arc::new(Writer::new(Box::new(script), Arc::clone(tokenizer), &[])), config)
}

impl Room {
    fn new(script: Script) -> Self {
        let seen = Arc::clone(&script.seen);
        let completer = completer(script, &TOKENIZER, CONFIG);
        Self { completer, seen, id: DocumentId("file:///shape".into()) }
    }

    fn n_requests(&self) -> usize {
        self.seen.requests.lock().unwrap().len()
    }

    /// Completes at the caret `$0` of a document.
    fn complete_in(&self, language: Language, fixture: &str, trigger: Trigger) -> Completion {
        let offset = fixture.find("$0").unwrap();
        let text = fixture.replacen("$0", "", 1);
        let mut workspace = Workspace::new(vec![PathBuf::from("/home")]);
        let path = Some(PathBuf::from("/home/shape"));
        workspace.open(self.id.clone(), path, Some(language), 7, &text);
        self.complete_at(&workspace.snapshot(), offset, trigger)
    }

    fn complete_at(&self, snapshot: &Snapshot, offset: usize, trigger: Trigger) -> Completion {
        self.completer.complete(snapshot, &self.id, offset, trigger, &CancelFlag::default())
    }

    fn complete(&self, fixture: &str) -> Completion {
        self.complete_in(Language::Rust, fixture, Trigger::Automatic)
    }
}

fn shown(completion: &Completion) -> String {
    match &completion.suggestion {
        Ok(suggestion) => suggestion.text.clone(),
        Err(reason) => format!("({})", reason.code()),
    }
}

#[track_caller]
fn check(language: Language, trigger: Trigger, fixture: &str, written: &str, expected: &str) {
    let completion = Room::new(Script::new(written)).complete_in(language, fixture, trigger);
    assert_eq!(shown(&completion), expected, "stopped by {}", completion.stopped_by);
}

#[test]
fn what_follows_a_suggestion_is_there_when_it_is_taken() {
    let room = Room::new(Script::new("width * height;"));
    let mut workspace = Workspace::new(vec![PathBuf::from("/home")]);
    let text = "fn area() {\n    let product = \n}\n";
    workspace.open(room.id.clone(), None, Some(Language::Rust), 7, text);
    let snapshot = workspace.snapshot();
    let suggestion = room.complete_at(&snapshot, 30, Trigger::Automatic).suggestion.unwrap();
    let cancel = CancelFlag::default();
    for _ in 0..2 {
        // The second time it is known.
        room.completer.look_ahead(&snapshot, &room.id, &suggestion, &cancel);
        assert_eq!(room.n_requests(), 2);
    }
    let priorities: Vec<Priority> =
        room.seen.requests.lock().unwrap().iter().map(|request| request.priority).collect();
    assert_eq!(priorities, [Priority::Interactive, Priority::LookAhead]);

    let taken = "fn area() {\n    let product = width * height;\n}\n";
    workspace.open(room.id.clone(), None, Some(Language::Rust), 8, taken);
    let next = room.complete_at(&workspace.snapshot(), 45, Trigger::Automatic);
    assert_eq!((shown(&next).as_str(), next.stopped_by), ("width * height;", "memo"));
    assert_eq!(room.n_requests(), 2);
    // What was suggested for an earlier version is not gone on from.
    room.completer.look_ahead(&workspace.snapshot(), &room.id, &suggestion, &cancel);
    assert_eq!(room.n_requests(), 2);
}

#[test]
fn a_line_is_completed() {
    let room = Room::new(Script::new("width * height;\n    product\n}\n"));
    let completion = room.complete("fn area() {\n    let product = $0\n}\n");
    let suggestion = completion.suggestion.unwrap();
    assert_eq!(suggestion.text, "width * height;");
    assert_eq!(suggestion.range, 30..30);
    assert_eq!(suggestion.version, 7);
    assert_eq!(completion.stopped_by, "one-line");
    assert!(completion.raw.starts_with("width * height;\n"));
    let n_handed_out = room.seen.n_handed_out.load(Ordering::Relaxed);
    assert!(n_handed_out < TOKENIZER.encode("width * height;\n    product\n}\n").len());
    assert_eq!(
        completion.outcome.unwrap().n_prompt,
        room.seen.requests.lock().unwrap()[0].tokens.len()
    );
}

#[test]
fn the_request_asks_for_what_was_configured() {
    let room = Room::new(Script::new("1"));
    let completion = room.complete("let x = $0");
    let requests = room.seen.requests.lock().unwrap();
    let request = requests.first().unwrap();
    assert_eq!((request.max_tokens, request.sampling), (64, Sampling::GREEDY));
    assert_eq!(request.n_usable_tokens, TOKENIZER.vocab_size());
    assert_eq!(request.stop_tokens, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(request.tokens.last(), Some(&TOKENIZER.fim().unwrap().middle));
    let n_text: usize = completion.pieces.iter().map(|piece| piece.n_tokens).sum();
    assert_eq!(n_text + 4, request.tokens.len());
    assert_eq!(completion.pieces.first().unwrap().text, "shape\n");
}

#[test]
fn blocks_come_where_a_body_is_missing() {
    use Language::{Python, Rust};
    use Trigger::{Automatic, Invoked};
    let body = "a();\n    b();\n}\n\nfn g() {}\n";
    check(Rust, Automatic, "fn f() {\n    $0\n}\n", body, "a();\n    b();");
    check(Rust, Automatic, "fn f() {\n    c();\n    $0\n}\n", body, "a();");
    let block = "if a {\n        b();\n    }\n    d();\n";
    check(Rust, Automatic, "fn f() {\n    c();\n    $0\n}\n", block, "if a {\n        b();\n    }");
    check(
        Rust,
        Automatic,
        "fn f() {\n    c();\n    if $0\n}\n",
        "a {\n        b();\n    }\n",
        "a {",
    );
    check(Rust, Automatic, "fn f() {\n    c();\n}\n$0\n", "fn g() {\n    h();\n}\n", "fn g() {");
    check(Rust, Invoked, "fn f() {\n    c();\n    $0\n}\n", body, "a();\n    b();");
    check(Rust, Invoked, "fn f() {\n    c($0);\n}\n", "x);\n    b();\n", "x");
    check(
        Python,
        Automatic,
        "def f(x):\n    $0\n\n\ndef g():\n    pass\n",
        "if x:\n        return 1\n    return 2\n\n\ndef h():\n    pass\n",
        "if x:\n        return 1\n    return 2",
    );
}

#[test]
fn documents_keep_their_line_ends() {
    for line_end in ["\n", "\r\n", "\r"] {
        let fixture = "fn f() {\n    $0\n}\n".replace('\n', line_end);
        let expected = "a();\n    b();".replace('\n', line_end);
        check(Language::Rust, Trigger::Automatic, &fixture, "a();\n    b();\n}", &expected);
        check(Language::Rust, Trigger::Automatic, &fixture, "a();\r\n    b();\r\n}", &expected);
    }
}

#[test]
fn characters_of_several_tokens_arrive_whole() {
    check(Language::Rust, Trigger::Automatic, "let x = $0\n", "\"é𝄞\";", "\"é𝄞\";");
}

#[track_caller]
fn check_refused(trigger: Trigger, fixture: &str, expected: &str) {
    let room = Room::new(Script::new("xy"));
    let completion = room.complete_in(Language::Rust, fixture, trigger);
    let refused = completion.stopped_by == "not-asked";
    assert_eq!((shown(&completion).as_str(), refused), (expected, refused));
    assert_eq!(room.n_requests(), usize::from(!refused));
}

#[test]
fn some_places_are_left_alone_while_typing() {
    use Trigger::{Automatic, Invoked};
    check_refused(Automatic, "let va$0lue = 1;\n", "(inside-word)");
    check_refused(Invoked, "let va$0lue = 1;\n", "xy");
    check_refused(Automatic, "// some words $0\n", "(inside-string-or-comment)");
    check_refused(Invoked, "// some words $0\n", "xy");
    check_refused(Automatic, "let a = \"some $0\";\n", "(inside-string-or-comment)");
    check_refused(Automatic, "let a = $0 bread + butter;\n", "(text-after-caret)");
    check_refused(Invoked, "let a = $0 bread + butter;\n", "xy");
    check_refused(Automatic, "f(g([$0]), \"\");   \n", "xy");
}

#[test]
fn what_does_not_parse_is_shown_to_who_asks_for_it() {
    let fixture = "fn f() {\n    $0\n}\n";
    check(Language::Rust, Trigger::Automatic, fixture, "a((b;", "(does-not-parse)");
    check(Language::Rust, Trigger::Invoked, fixture, "a((b;", "a((b;");
    check(Language::Rust, Trigger::Automatic, fixture, "a();\n    b(;", "a();");
    check(Language::Rust, Trigger::Invoked, fixture, "a();\n    b(;", "a();");
}

#[test]
fn closed_and_huge_documents_are_refused() {
    let room = Room::new(Script::new("x"));
    let completion = room.complete_at(&Snapshot::default(), 0, Trigger::Invoked);
    assert_eq!(completion.suggestion, Err(Reason::NotOpen));
    let huge = format!("{}$0", "x\n".repeat(3 << 20));
    let completion = room.complete_in(Language::Rust, &huge, Trigger::Invoked);
    assert_eq!(completion.suggestion, Err(Reason::TooLarge));
    assert_eq!(room.n_requests(), 0);
}

#[test]
fn typing_does_not_wait_for_the_weights() {
    for (status, n_preloads) in [(Status::Unloaded, 1), (Status::Loading, 0)] {
        let room = Room::new(Script { status, ..Script::new("1") });
        assert_eq!(room.complete("let x = $0").suggestion, Err(Reason::Loading));
        assert_eq!(room.seen.n_preloads.load(Ordering::Relaxed), n_preloads);
        assert_eq!(room.n_requests(), 0);
        let asked = room.complete_in(Language::Rust, "let x = $0", Trigger::Invoked);
        assert_eq!(shown(&asked), "1");
    }
    let status = Status::Failed("no such file".to_owned());
    let room = Room::new(Script { status, ..Script::new("1") });
    let failed = Reason::ModelFailed("no such file".to_owned());
    assert_eq!(room.complete("let x = $0").suggestion, Err(failed));
}

#[test]
fn a_raised_flag_ends_it() {
    let room = Room::new(Script { cancel_after: Some(2), ..Script::new("a.b.c.d.e.f") });
    let completion = room.complete("let x = $0");
    assert_eq!(completion.suggestion, Err(Reason::Cancelled));
    assert_eq!(completion.stopped_by, "cancelled");
    assert_eq!(completion.outcome.unwrap().n_generated, 3);
}

#[test]
fn prompts_fit_into_a_short_context() {
    let long = format!("{}let x = $0", "let y = 1;\n".repeat(200));
    let room = Room::new(Script { n_context: 200, ..Script::new("12") });
    assert_eq!(shown(&room.complete(&long)), "12");
    assert_eq!(room.n_requests(), 1);

    // The context of a model that is not loaded yet is known only once it says that the prompt is too long.
    let status = Status::Unloaded;
    let room = Room::new(Script { n_context: 200, status, ..Script::new("1") });
    let completion = room.complete_in(Language::Rust, &long, Trigger::Invoked);
    assert_eq!(shown(&completion), "1");
    assert_eq!(room.n_requests(), 2);

    let room = Room::new(Script { n_context: 10, ..Script::new("1") });
    assert_eq!(shown(&room.complete(&long)), "(engine-error)");
}

#[test]
fn a_model_without_infilling_tokens_is_not_asked_to_fill_in() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/tokenizer/tokenizer.json");
    let json = std::fs::read_to_string(path).unwrap().replace("<|fim_middle|>", "<|other|>");
    let tokenizer = Arc::new(Tokenizer::from_json(json.as_bytes()).unwrap());
    let mut room = Room::new(Script::new("x"));
    let script = Script::new("x");
    room.completer = completer(script, &tokenizer, CONFIG);
    assert_eq!(room.complete("let x = $0").suggestion, Err(Reason::NoInfilling));

    // Left to itself it continues the text, and a space before the caret is the model's to write.
    let config = Config { layout: None, ..CONFIG };
    for written in [" xy", "xy"] {
        let script = Script::new(written);
        let seen = Arc::clone(&script.seen);
        room.completer = completer(script, &tokenizer, config);
        assert_eq!(shown(&room.complete("let x = $0")), "xy");
        let requests = seen.requests.lock().unwrap();
        assert_eq!(TOKENIZER.decode(&requests[0].tokens), "// shape\nlet x =");
    }
}

#[test]
fn text_that_was_cut_off_loses_its_last_line() {
    let script = || Script { finish: Finish::Length, ..Script::new("a();\n    b();\n    pro") };
    let completion = Room::new(script()).complete("fn f() {\n    $0\n}\n");
    assert_eq!((shown(&completion).as_str(), completion.stopped_by), ("a();\n    b();", "length"));
}

#[test]
fn typing_through_a_suggestion_asks_the_model_once() {
    let room = Room::new(Script::new("width * height;"));
    let shown_at = |fixture: &str| {
        let completion = room.complete(fixture);
        (shown(&completion), completion.stopped_by)
    };
    let (first, _) = shown_at("fn area() {\n    let product = $0\n}\n");
    assert_eq!(first, "width * height;");
    for n_typed in 0..first.len() {
        let (typed, rest) = first.split_at(n_typed);
        let fixture = format!("fn area() {{\n    let product = {typed}$0\n}}\n");
        assert_eq!(shown_at(&fixture), (rest.to_owned(), "memo"));
    }
    assert_eq!(room.n_requests(), 1);

    // Other text, other surroundings, another document, or all of it typed: no answer from memory.
    for fixture in [
        "fn area() {\n    let product = h$0\n}\n",
        "fn area() {\n    let other = $0\n}\n",
        "fn area() {\n    let product = $0\n    product\n}\n",
        "fn area() {\n    let product = width * height;$0\n}\n",
    ] {
        let n_before = room.n_requests();
        room.complete(fixture);
        assert_eq!(room.n_requests(), n_before + 1, "{fixture:?}");
    }
    let room = Room { id: DocumentId("file:///other".into()), ..room };
    let n_before = room.n_requests();
    room.complete("fn area() {\n    let product = $0\n}\n");
    assert_eq!(room.n_requests(), n_before + 1);
}

#[test]
fn typing_through_a_suggestion_works_far_into_a_document() {
    let room = Room::new(Script::new("width;"));
    let above = "// é\n".repeat(5000);
    room.complete(&format!("{above}let product = $0\n"));
    let completion = room.complete(&format!("{above}let product = wi$0\n"));
    assert_eq!((shown(&completion).as_str(), completion.stopped_by), ("dth;", "memo"));
    assert!(completion.pieces.last().unwrap().text.ends_with("let product = "));
}

#[test]
fn asking_by_hand_is_not_answered_with_what_typing_got() {
    let room = Room::new(Script::new("a();\n    b();"));
    let fixture = "fn f() {\n    c();\n    $0\n}\n";
    assert_eq!(shown(&room.complete(fixture)), "a();");
    let asked = room.complete_in(Language::Rust, fixture, Trigger::Invoked);
    assert_eq!(shown(&asked), "a();\n    b();");
    assert_eq!(room.n_requests(), 2);
}

#[test]
fn what_the_model_doubts_is_shown_only_when_asked_for() {
    let mut room = Room::new(Script::new("width;"));
    let fixture = "let x = $0\n";
    let confidence = room.complete(fixture).confidence.unwrap();
    assert!((confidence - PROBABILITY).abs() < 1e-5, "{confidence}");
    let config = Config { min_confidence: PROBABILITY + 0.01, ..CONFIG };
    room.completer = completer(Script::new("width;"), &TOKENIZER, config);
    let completion = room.complete(fixture);
    assert_eq!(completion.suggestion, Err(Reason::Unlikely));
    assert_eq!(completion.confidence, Some(confidence));
    // It was not remembered either.
    assert_eq!(room.complete(fixture).suggestion, Err(Reason::Unlikely));
    assert_eq!(shown(&room.complete_in(Language::Rust, fixture, Trigger::Invoked)), "width;");
}

#[track_caller]
fn check_several(drawn: &[&'static str], expected: &[&str], n_requests: usize) {
    let room = Room::new(Script { drawn: drawn.to_vec(), ..Script::new("width;") });
    let fixture = "let x = $0\n";
    let offset = fixture.find("$0").unwrap();
    let mut workspace = Workspace::new(vec![]);
    let text = fixture.replacen("$0", "", 1);
    workspace.open(room.id.clone(), None, Some(Language::Rust), 7, &text);
    for _ in 0..2 {
        // The second time they come from memory, as far as there were enough of them.
        let several = room.completer.complete_several(
            &workspace.snapshot(),
            &room.id,
            offset,
            &CancelFlag::default(),
        );
        let mut texts = vec![shown(&several.first)];
        texts.extend(several.others.iter().map(|other| other.text.clone()));
        assert_eq!(texts[..1], expected[..1]);
        texts.sort();
        let mut expected: Vec<_> = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(texts, expected);
        assert!(several.others.iter().all(|other| other.version == 7 && other.range == (8..8)));
    }
    assert_eq!(room.n_requests(), n_requests);
}

#[test]
fn whoever_asks_may_choose() {
    check_several(&["height;", "depth;", "weight;"], &["width;", "height;", "depth;"], 3);
    // What differs in white space alone, or not at all, is no choice.
    check_several(&["width;", " width ;", "height;", "height;"], &["width;", "height;"], 1 + 4 + 4);
    check_several(&[], &["width;"], 1 + 4 + 4);
}

#[test]
fn a_refused_place_gives_nothing_to_choose() {
    let room = Room::new(Script::new("x"));
    let several =
        room.completer.complete_several(&Snapshot::default(), &room.id, 0, &CancelFlag::default());
    assert_eq!(several.first.suggestion, Err(Reason::NotOpen));
    assert!(several.others.is_empty());
    assert_eq!(room.n_requests(), 0);
}

#[test]
fn memory_is_bounded() {
    let room = Room::new(Script::new("1;"));
    let fixture = |n: usize| format!("let x{n} = $0\n");
    for n in 0..251 {
        room.complete(&fixture(n));
    }
    assert_eq!(room.complete(&fixture(1)).stopped_by, "memo");
    assert_eq!(room.n_requests(), 251);
    room.complete(&fixture(0));
    assert_eq!(room.n_requests(), 252);
}

#[test]
fn the_file_counts_beside_a_model_that_asks_for_it() {
    let mut room = Room::new(Script::new("width;"));
    let fixture = "let a = width;\r\nlet b = $0\r\nlet c;\r\n";
    room.complete(fixture);
    let ngrams = Ngrams { model_weight: 4.0, sources: Sources::NONE };
    let script = Script::new("width;");
    let seen = Arc::clone(&script.seen);
    room.completer = completer(script, &TOKENIZER, Config { ngrams: Some(ngrams), ..CONFIG });
    room.complete(fixture);
    let ngrams = |seen: &Seen| seen.requests.lock().unwrap()[0].ngrams.clone();
    assert_eq!(ngrams(&room.seen), None);
    let expected = engine::Ngrams {
        before: TOKENIZER.encode("let a = width;\nlet b = "),
        after: TOKENIZER.encode("\nlet c;\n"),
        elsewhere: Vec::new(),
        model_weight: 4.0,
    };
    assert_eq!(ngrams(&seen).as_deref(), Some(&expected));
}
