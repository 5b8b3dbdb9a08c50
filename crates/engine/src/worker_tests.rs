//! The worker turn by turn: who comes first, what is kept, and text that guesses do not change.

use std::cell::Cell;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};
use model::{DType, DeviceChoice, Draws, LoadOptions};
use proptest::prelude::*;

use super::*;
use crate::running::Reply;
use crate::sampler::Sampler;
use crate::{CancelFlag, Finish, Ngrams, Outcome, Sampling};

fn plt(fixture: &str) -> Result<Plt, model::Error> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity");
    let options = LoadOptions { dtype: DType::F64, ..LoadOptions::default() };
    Plt::from_directory(&root.join(fixture), options)
}

type Load = Box<dyn FnMut(&mut dyn FnMut(f32)) -> Result<Plt, model::Error>>;

/// A worker that does nothing unless it is told to.
struct Bench {
    worker: Worker<Load>,
    commands: Sender<Command>,
    n_loads: Rc<Cell<usize>>,
}

struct Answer {
    replies: Receiver<Reply>,
    cancel: CancelFlag,
}

impl Answer {
    /// Tokens that came since, and how it ended if it has.
    fn read(&self) -> (Vec<u32>, Option<Result<Outcome, Error>>) {
        let mut tokens = Vec::new();
        for reply in self.replies.try_iter() {
            match reply {
                Reply::Token(choice) => tokens.push(choice.token),
                Reply::End(end) => return (tokens, Some(end)),
            }
        }
        (tokens, None)
    }
}

impl Bench {
    fn new(fixture: &'static str, options: Options) -> Self {
        Self::of(options, move || plt(fixture))
    }

    fn of(options: Options, mut load: impl FnMut() -> Result<Plt, model::Error> + 'static) -> Self {
        let (commands, received) = crossbeam_channel::bounded(MAX_WAITING);
        let n_loads = Rc::new(Cell::new(0));
        let counted = Rc::clone(&n_loads);
        let load: Load = Box::new(move |report| {
            counted.set(counted.get() + 1);
            report(0.5);
            load()
        });
        let worker = Worker::new(load, options, received, Arc::new(Shared::new()));
        Self { worker, commands, n_loads }
    }

    fn ask(&self, request: Request) -> Answer {
        let (replies, received) = unbounded();
        let cancel = request.cancel.clone();
        let abandoned = CancelFlag::default();
        let job = Job { request, asked_at: Instant::now(), abandoned, replies };
        self.commands.try_send(Command::Generate(job)).unwrap();
        // Two requests at the same instant have no order.
        std::thread::sleep(Duration::from_micros(1));
        Answer { replies: received, cancel }
    }

    fn finish(&mut self) {
        self.worker.turn();
        while !self.worker.waiting.is_empty() || !self.worker.running.is_empty() {
            self.worker.turn();
        }
    }

    fn answer(&mut self, request: Request) -> (Vec<u32>, Outcome) {
        let answer = self.ask(request);
        self.finish();
        let (tokens, end) = answer.read();
        (tokens, end.unwrap().unwrap())
    }
}

fn request(priority: Priority, tokens: &[u32], max_tokens: usize) -> Request {
    Request { tokens: tokens.to_vec(), max_tokens, priority, ..Request::default() }
}

fn bench() -> Bench {
    Bench::new("r2-gqa-w5", Options::default())
}

#[test]
fn who_types_comes_first_and_the_newest_of_them_before_the_others() {
    let mut bench = bench();
    let requests = [
        (Priority::WarmUp, 4),
        (Priority::Action, 2),
        (Priority::Action, 3),
        (Priority::Interactive, 1),
        (Priority::Interactive, 0),
    ];
    let answers: Vec<_> = requests
        .iter()
        .map(|(priority, rank)| (*rank, bench.ask(request(*priority, &[*rank, 7, 9], 4))))
        .collect();
    let mut order = Vec::new();
    while order.len() < answers.len() {
        bench.worker.turn();
        let ended = answers.iter().filter(|(_, answer)| matches!(answer.read(), (_, Some(Ok(_)))));
        order.extend(ended.map(|(rank, _)| *rank));
    }
    assert_eq!(order, [0, 1, 2, 3, 4]);
}

#[test]
fn an_action_is_interrupted_between_two_tokens_and_goes_on_as_if_nothing_had_been() {
    let mut bench = bench();
    let (alone, _) = bench.answer(request(Priority::Action, &[1, 2, 3], 30));
    let action = bench.ask(request(Priority::Action, &[1, 2, 3], 30));
    let mut tokens = Vec::new();
    while tokens.is_empty() {
        bench.worker.turn();
        tokens.extend(action.read().0);
    }
    let typing = bench.ask(request(Priority::Interactive, &[1, 2, 9], 5));
    let mut typed = typing.read();
    while typed.1.is_none() {
        bench.worker.turn();
        typed = typing.read();
    }
    assert!(action.read().0.is_empty());
    bench.finish();
    let (rest, end) = action.read();
    tokens.extend(rest);
    assert_eq!(tokens, alone);
    assert_eq!(end.unwrap().unwrap().n_generated, 30);
}

#[test]
fn a_cancelled_request_ends_with_the_step_it_is_in() {
    let mut bench = bench();
    let answer = bench.ask(request(Priority::Interactive, &[3; 100], 50));
    bench.worker.turn();
    answer.cancel.raise();
    bench.worker.turn();
    let (tokens, end) = answer.read();
    assert_eq!((tokens, end.unwrap().unwrap().finish), (vec![], Finish::Cancelled));
    // What the step before had done is there for the next prompt.
    let (_, outcome) = bench.answer(request(Priority::Interactive, &[3; 100], 1));
    assert_eq!(outcome.n_reused, 64);
}

#[test]
fn a_warm_up_leaves_a_prompt_that_only_has_to_settle() {
    let mut bench = bench();
    let prompt: Vec<u32> = (0..90).map(|i| i % 48).collect();
    let (cold, _) = Bench::new("r2-gqa-w5", Options::default()).answer(request(
        Priority::Interactive,
        &prompt,
        8,
    ));
    let (tokens, outcome) = bench.answer(request(Priority::WarmUp, &prompt, 8));
    assert_eq!((tokens, outcome.finish, outcome.n_passes), (vec![], Finish::Length, 0));
    let (warm, outcome) = bench.answer(request(Priority::Interactive, &prompt, 8));
    assert_eq!(outcome.n_reused, 89);
    assert_eq!(warm, cold);
}

#[test]
fn texts_are_kept_side_by_side_and_the_oldest_goes_first() {
    let options = Options { n_sequences: 2, ..Options::default() };
    let mut bench = Bench::new("r2-gqa-w5", options);
    let text = |first: u32| -> Vec<u32> { (first..first + 20).collect() };
    let mut reused =
        |first| bench.answer(request(Priority::Interactive, &text(first), 2)).1.n_reused;
    assert_eq!([reused(0), reused(20), reused(0), reused(20)], [0, 0, 19, 19]);
    // The third text takes the place of the one that was used least recently.
    assert_eq!([reused(10), reused(20), reused(0)], [0, 19, 0]);
}

#[test]
fn memory_bounds_what_is_kept_but_not_the_last_text() {
    let mut bench = Bench::new("r2-gqa-w5", Options { cache_bytes: 1, ..Options::default() });
    let ask = |bench: &mut Bench, first: u32| {
        let text: Vec<u32> = (first..first + 20).collect();
        bench.answer(request(Priority::Interactive, &text, 2)).1.n_reused
    };
    assert_eq!([ask(&mut bench, 0), ask(&mut bench, 0)], [0, 19]);
    assert_eq!([ask(&mut bench, 20), ask(&mut bench, 0)], [0, 0]);
}

#[test]
fn an_idle_model_is_unloaded_and_read_again_on_demand() {
    let options = Options { idle: Some(Duration::ZERO), ..Options::default() };
    let mut bench = Bench::new("r2-gqa-w5", options);
    let before = bench.answer(request(Priority::Interactive, &[1, 2, 3], 5)).0;
    assert_eq!((bench.worker.shared.status(), bench.n_loads.get()), (Status::Ready, 1));
    assert!(bench.worker.wait());
    assert_eq!(bench.worker.shared.status(), Status::Unloaded);
    let (after, outcome) = bench.answer(request(Priority::Interactive, &[1, 2, 3], 5));
    assert_eq!((after, outcome.n_reused, bench.n_loads.get()), (before, 0, 2));
}

#[test]
fn too_many_requests_are_refused_and_the_least_urgent_first() {
    let mut bench = bench();
    let typing: Vec<Answer> =
        (0..MAX_WAITING).map(|_| bench.ask(request(Priority::Interactive, &[1], 1))).collect();
    let full = bench.commands.try_send(Command::Preload);
    assert!(full.is_err());
    while let Ok(command) = bench.worker.commands.try_recv() {
        bench.worker.accept(command);
    }
    let warm_up = bench.ask(request(Priority::WarmUp, &[1], 1));
    bench.finish();
    assert_eq!(warm_up.read().1, Some(Err(Error::Busy { n_waiting: MAX_WAITING + 1 })));
    assert!(typing.iter().all(|answer| matches!(answer.read().1, Some(Ok(_)))));
}

#[test]
fn progress_is_seen_while_the_weights_are_read() {
    let shared = Arc::new(Shared::new());
    let seen = Rc::new(Cell::new(None));
    let (observed, observer) = (Rc::clone(&seen), Arc::clone(&shared));
    let load = move |report: &mut dyn FnMut(f32)| {
        report(0.25);
        observed.set(observer.load_progress());
        plt("r2-gqa-w5")
    };
    let (_, received) = unbounded();
    let mut worker = Worker::new(load, Options::default(), received, Arc::clone(&shared));
    worker.load();
    assert_eq!((seen.get(), shared.load_progress()), (Some(0.25), None));
}

/// The built-in model, in single precision.
fn built_in(device: DeviceChoice) -> Result<Plt, model::Error> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/default");
    Plt::from_directory(&directory, LoadOptions { device, ..LoadOptions::default() })
}

/// Where there is a GPU, or something that behaves like one.
#[test]
fn a_device_runs_ahead_and_writes_what_single_steps_write() {
    let model = match built_in(DeviceChoice::Cuda(0)) {
        Ok(model) => model,
        Err(reason) => {
            assert!(std::env::var_os("DACAPO_REQUIRE_DEVICE").is_none(), "{reason}");
            let _ = writeln!(std::io::stderr(), "skipped: a GPU runs ahead ({reason})");
            return;
        }
    };
    assert!(model.runs_ahead());
    let drawn = Sampling { temperature: 0.8, top_p: 0.9, top_k: 30, seed: 4 };
    let mut bench = Bench::of(Options::default(), || built_in(DeviceChoice::Cuda(0)));
    for sampling in [Sampling::GREEDY, drawn] {
        let asked = Request {
            n_usable_tokens: model.config().vocab_size,
            sampling,
            ..request(Priority::Interactive, &[300, 11, 400, 12, 500, 13], 9)
        };
        let expected = plain(&model, &asked);
        let guesses = expected[..expected.len().min(5)].to_vec();
        for (runs_ahead, drafts) in [(true, vec![]), (false, vec![]), (true, guesses)] {
            bench.worker.load();
            bench.worker.runs_ahead = runs_ahead;
            let (tokens, outcome) = bench.answer(Request { drafts, ..asked.clone() });
            assert_eq!(tokens, expected, "{sampling:?} {outcome:?}");
        }
    }
}

/// One token after the other, without an engine.
fn plain(model: &Plt, request: &Request) -> Vec<u32> {
    let mut cache = model.new_cache();
    let mut logits = model.prefill(&request.tokens, &mut cache).unwrap();
    let mut sampler = Sampler::new(request.sampling, request.n_usable_tokens);
    let mut tokens = Vec::new();
    loop {
        let uniforms = sampler.upcoming(1);
        sampler.skip(1);
        let draws = Draws { rule: sampler.rule(), uniforms: &uniforms };
        let mut row = logits.last().unwrap();
        if let Some(ngrams) = &request.ngrams {
            ngrams.mix(&tokens, &request.stop_tokens, &mut row);
        }
        let token = draws.choose(0, &row).unwrap().token;
        if request.stop_tokens.contains(&token) {
            return tokens;
        }
        tokens.push(token);
        if tokens.len() == request.max_tokens || cache.len() == model.config().max_positions {
            return tokens;
        }
        logits = model.decode(token, &mut cache).unwrap();
    }
}

#[test]
fn a_model_that_runs_ahead_stops_for_who_is_more_urgent() {
    let mut bench = bench();
    bench.worker.load();
    let (alone, _) = bench.answer(request(Priority::Action, &[1, 2, 3], 60));
    bench.worker.runs_ahead = true;
    let action = bench.ask(request(Priority::Action, &[1, 2, 3], 60));
    let mut tokens = Vec::new();
    while tokens.len() < 2 {
        bench.worker.turn();
        tokens.extend(action.read().0);
    }
    // So many at a time, and after the first of the next no more.
    assert!(tokens.len() <= 18, "{}", tokens.len());
    let typing = bench.ask(request(Priority::Interactive, &[1, 2, 9], 5));
    bench.worker.running[0]
        .advance(
            match &bench.worker.weights {
                Weights::Loaded(model) => model,
                _ => unreachable!(),
            },
            &mut bench.worker.pace,
            || false,
        )
        .unwrap();
    let more = action.read().0;
    assert_eq!(more.len(), 1);
    tokens.extend(more);
    bench.finish();
    assert_eq!(typing.read().0.len(), 5);
    tokens.extend(action.read().0);
    assert_eq!(tokens, alone);
}

#[test]
fn guesses_that_are_no_tokens_of_the_model_are_left_out() {
    let model = plt("r2-gqa-w5").unwrap();
    let plainly = request(Priority::Action, &[1, 2, 3, 4], 12);
    let expected = plain(&model, &plainly);
    let drafts = expected[..3].iter().copied().chain([48, 1_000_000]).collect();
    let (tokens, outcome) = bench().answer(Request { drafts, ..plainly });
    assert_eq!(tokens, expected, "{outcome:?}");
}

#[test]
fn an_answer_that_was_expected_takes_few_passes() {
    for (fixture, most_passes) in [("r1-mha-tied", 8), ("r2-gqa-w5", 10), ("r3-w64-long-f32", 14)] {
        let model = plt(fixture).unwrap();
        let plainly = request(Priority::Action, &[1, 2, 3, 4], 40);
        let drafts = plain(&model, &plainly);
        let mut bench = Bench::new(fixture, Options::default());
        let (tokens, outcome) = bench.answer(Request { drafts: drafts.clone(), ..plainly });
        assert_eq!(tokens, drafts);
        assert!(outcome.n_passes <= most_passes, "{fixture}: {outcome:?}");
        assert_eq!(outcome.n_accepted, outcome.n_drafted);
    }
}

/// A guess that is right and the last of its pass leaves no token to go on from by itself.
#[test]
fn a_model_runs_ahead_from_what_was_chosen_and_never_from_a_guess() {
    let model = plt("r2-gqa-w5").unwrap();
    let mut asked = request(Priority::Interactive, &[2, 0, 0], 31);
    let expected = plain(&model, &asked);
    asked.drafts = expected.iter().copied().chain([1, 2, 3]).collect();
    for wrong in [16, 22] {
        asked.drafts[wrong] = 0;
    }
    let mut bench = bench();
    bench.worker.load();
    bench.worker.runs_ahead = true;
    let (tokens, outcome) = bench.answer(asked);
    assert_eq!(tokens, expected, "{outcome:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is guessed, and whatever else is asked before: the text is that of the model alone.
    #[test]
    fn guesses_change_no_text(
        fixture in prop_oneof![
            Just("r1-mha-tied"), Just("r2-gqa-w5"), Just("r3-w64-long-f32"), Just("r3-gqa-w5-bf16"),
        ],
        prompt in proptest::collection::vec(0..4u32, 1..30),
        max_tokens in 1..40usize,
        flips in proptest::collection::vec((0..40usize, 0..48u32), 0..6),
        temperature in prop_oneof![Just(0f32), Just(0.7)],
        stop in proptest::option::of(0..48u32),
        runs_ahead in any::<bool>(),
        beside in proptest::option::of(proptest::collection::vec(0..6u32, 0..30)),
    ) {
        let model = plt(fixture).unwrap();
        let mut request = Request {
            sampling: Sampling { temperature, seed: 5, ..Sampling::GREEDY },
            stop_tokens: stop.into_iter().collect(),
            ngrams: beside.map(|text| {
                let (before, after) = (prompt.clone(), text.clone());
                Arc::new(Ngrams { before, after, elsewhere: vec![text], model_weight: 1.0 })
            }),
            ..request(Priority::Interactive, &prompt, max_tokens)
        };
        let expected = plain(&model, &request);
        // A guess that is right but for a few tokens, and longer than the answer.
        request.drafts = expected.iter().copied().chain([1, 2, 3]).collect();
        for (at, token) in flips {
            if let Some(draft) = request.drafts.get_mut(at) {
                *draft = token;
            }
        }
        let mut bench = Bench::new(fixture, Options::default());
        bench.worker.load();
        bench.worker.runs_ahead = runs_ahead;
        for _ in 0..2 {
            let (tokens, outcome) = bench.answer(request.clone());
            prop_assert_eq!(&tokens, &expected);
            prop_assert_eq!(outcome.n_generated, expected.len());
            prop_assert!(outcome.n_accepted <= outcome.n_drafted);
        }
    }
}
