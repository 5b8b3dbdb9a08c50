//! The engine end to end on a random checkpoint: same tokens whatever came before, and every way to stop.

use std::path::{Path, PathBuf};

use model::LoadOptions;
use proptest::prelude::*;

use super::*;
use crate::Finish;

fn checkpoint(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity").join(name)
}

fn spawn() -> Handle {
    Handle::spawn(|| Plt::from_directory(&checkpoint("r2-gqa-w5"), LoadOptions::default()))
}

fn request(tokens: &[u32], max_tokens: usize) -> Request {
    Request { tokens: tokens.to_vec(), max_tokens, ..Request::default() }
}

fn run(handle: &Handle, request: Request) -> Result<(Vec<u32>, Outcome), Error> {
    let mut generation = handle.generate(request)?;
    let tokens = std::iter::from_fn(|| generation.next_token()).collect();
    Ok((tokens, generation.finish()?))
}

#[test]
fn greedy_is_repeatable_and_reuses_the_prompt() {
    let handle = spawn();
    let (first, cold) = run(&handle, request(&[1, 2, 3, 4], 12)).unwrap();
    let (second, warm) = run(&handle, request(&[1, 2, 3, 4], 12)).unwrap();
    assert_eq!(first, second);
    assert_eq!((cold.finish, cold.n_generated), (Finish::Length, 12));
    assert_eq!((cold.n_reused, warm.n_reused), (0, 3));
}

#[test]
fn an_answer_that_was_typed_in_is_reused() {
    let handle = spawn();
    let (answer, _) = run(&handle, request(&[1, 2, 3], 5)).unwrap();
    let mut longer = vec![1, 2, 3];
    longer.extend(&answer);
    let (_, outcome) = run(&handle, request(&longer, 1)).unwrap();
    // The last token of an answer has not been through the model yet.
    assert_eq!(outcome.n_reused, longer.len() - 1);
}

#[test]
fn a_stop_token_ends_the_text_and_is_not_part_of_it() {
    let handle = spawn();
    let (tokens, _) = run(&handle, request(&[5, 6], 8)).unwrap();
    let stop = *tokens.last().unwrap();
    let n_before = tokens.iter().position(|token| *token == stop).unwrap();
    let stopped = Request { stop_tokens: vec![stop], ..request(&[5, 6], 8) };
    let (kept, outcome) = run(&handle, stopped).unwrap();
    assert_eq!(kept, tokens[..n_before]);
    assert_eq!((outcome.finish, outcome.n_generated), (Finish::Stop, n_before));
}

#[test]
fn the_context_ends_a_text() {
    let handle = spawn();
    let (tokens, outcome) = run(&handle, request(&[7; 250], 100)).unwrap();
    // 256 positions: the last token is chosen from the logits of the last position and needs none itself.
    assert_eq!((tokens.len(), outcome.finish), (7, Finish::Length));
}

#[test]
fn nothing_is_generated_for_zero_tokens() {
    let (tokens, outcome) = run(&spawn(), request(&[1], 0)).unwrap();
    assert_eq!((tokens.len(), outcome.finish), (0, Finish::Length));
}

#[test]
fn a_raised_flag_stops_before_any_work() {
    let handle = spawn();
    let cancelled = request(&[1, 2], 5);
    cancelled.cancel.raise();
    let (tokens, outcome) = run(&handle, cancelled).unwrap();
    assert_eq!((tokens.len(), outcome.finish), (0, Finish::Cancelled));
    assert_eq!(handle.status(), Status::Unloaded);
}

#[test]
fn a_flag_raised_on_the_way_stops_within_a_token() {
    let handle = spawn();
    let endless = request(&[1, 2], 240);
    let cancel = endless.cancel.clone();
    let mut generation = handle.generate(endless).unwrap();
    assert!(generation.next_token().is_some());
    cancel.raise();
    let outcome = generation.finish().unwrap();
    assert_eq!(outcome.finish, Finish::Cancelled);
    assert!(outcome.n_generated < 240);
}

#[test]
fn a_dropped_generation_frees_the_engine() {
    let handle = spawn();
    let generation = handle.generate(request(&[1, 2], 240)).unwrap();
    let abandoned = generation.abandoned.clone();
    drop(generation);
    assert!(abandoned.is_raised());
    assert_eq!(run(&handle, request(&[1, 2], 3)).unwrap().0.len(), 3);
}

#[track_caller]
fn check_error(request: Request, expected: &str) {
    let handle = spawn();
    assert_eq!(run(&handle, request).unwrap_err().to_string(), expected);
    // The engine goes on.
    assert_eq!(run(&handle, self::request(&[1], 1)).unwrap().0.len(), 1);
}

#[test]
fn bad_requests_are_refused_in_words() {
    check_error(request(&[], 1), "the prompt is empty");
    check_error(request(&[48], 1), "token 48 is outside of the vocabulary of 48");
    check_error(
        request(&[1; 257], 1),
        "a prompt of 257 tokens does not fit in the model's context of 256",
    );
}

#[test]
fn a_model_that_cannot_be_read_says_why_every_time() {
    let handle =
        Handle::spawn(|| Plt::from_directory(Path::new("/nonexistent"), LoadOptions::default()));
    for _ in 0..2 {
        let error = run(&handle, request(&[1], 1)).unwrap_err();
        assert!(
            matches!(&error, Error::Load(reason) if reason.contains("/nonexistent/config.json"))
        );
        assert!(matches!(handle.status(), Status::Failed(_)));
    }
}

#[test]
fn a_model_that_could_not_be_read_is_tried_again_by_the_next_request() {
    let mut n_tries = 0;
    let handle = Handle::spawn(move || {
        n_tries += 1;
        match n_tries {
            1 => Plt::from_directory(Path::new("/nonexistent"), LoadOptions::default()),
            _ => Plt::from_directory(&checkpoint("r2-gqa-w5"), LoadOptions::default()),
        }
    });
    assert!(matches!(run(&handle, request(&[1], 1)), Err(Error::Load(_))));
    let (tokens, _) = run(&handle, request(&[1], 1)).unwrap();
    assert_eq!((tokens.len(), handle.status()), (1, Status::Ready));
}

#[test]
fn a_panic_while_loading_is_a_failure_and_not_an_end() {
    let handle = Handle::spawn(|| panic!("deliberate"));
    let error = run(&handle, request(&[1], 1)).unwrap_err();
    assert_eq!(error, Error::Load("reading the model panicked".to_owned()));
}

#[test]
fn preloading_reads_the_weights_without_a_request() {
    let handle = spawn();
    assert_eq!((handle.status(), handle.model_info()), (Status::Unloaded, None));
    handle.preload();
    // Requests queue behind the preload, so one that is cancelled marks its end.
    let marker = request(&[1], 0);
    marker.cancel.raise();
    run(&handle, marker).unwrap();
    assert_eq!(handle.status(), Status::Ready);
    assert_eq!(handle.model_info().unwrap().n_loops, 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn earlier_requests_never_show_in_later_ones(
        prompts in proptest::collection::vec(
            (proptest::collection::vec(0..4u32, 1..40), 0..12usize, any::<bool>()), 1..6),
    ) {
        let warm = spawn();
        for (prompt, max_tokens, let_go) in prompts {
            let mut generation = warm.generate(request(&prompt, max_tokens)).unwrap();
            if let_go {
                generation.next_token();
                continue;
            }
            let tokens: Vec<u32> = std::iter::from_fn(|| generation.next_token()).collect();
            let fresh = run(&spawn(), request(&prompt, max_tokens)).unwrap().0;
            prop_assert_eq!(tokens, fresh);
        }
    }
}
