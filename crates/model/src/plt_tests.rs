//! Parity with the float64 reference, and the equalities that hold for any PLT.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{Draws, LaterLoops, Rule};

#[derive(Deserialize)]
struct Expected {
    positions: Vec<usize>,
    /// One row per entry of `positions`.
    logits: Vec<Vec<f64>>,
    /// What each loop hands on at the last token.
    h: Vec<Vec<f64>>,
}

struct Fixture {
    name: String,
    directory: PathBuf,
    tokens: Vec<u32>,
    expected: Expected,
}

static FIXTURES: LazyLock<Vec<Fixture>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity");
    let mut directories: Vec<PathBuf> =
        std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    directories.sort();
    let read = |path: PathBuf| std::fs::read(path).unwrap();
    let fixtures: Vec<Fixture> = directories
        .into_iter()
        .map(|directory| Fixture {
            name: directory.file_name().unwrap().to_string_lossy().into_owned(),
            tokens: serde_json::from_slice(&read(directory.join("tokens.json"))).unwrap(),
            expected: serde_json::from_slice(&read(directory.join("expected.json"))).unwrap(),
            directory,
        })
        .collect();
    assert!(10 <= fixtures.len(), "only {} fixtures were found", fixtures.len());
    fixtures
});

/// The fixtures' models in double precision, where equal means equal; first with all K/V of later loops, then with a
/// ring that is as small as it can be.
static MODELS: LazyLock<Vec<(&Fixture, Plt)>> = LazyLock::new(|| {
    let full = FIXTURES.iter().map(|fixture| (fixture, load(fixture, DType::F64)));
    let ringed = FIXTURES.iter().map(|fixture| {
        let mut model = load(fixture, DType::F64);
        model.cache_shape.later_loops = LaterLoops::Ring;
        model.cache_shape.chunk = 8;
        model.cache_shape.slack = 3;
        (fixture, model)
    });
    full.chain(ringed).collect()
});

fn load(fixture: &Fixture, dtype: DType) -> Plt {
    let cache = CacheOptions { format: Some(CacheFormat::Exact), later_loops: LaterLoops::Full };
    let options = LoadOptions { dtype, cache, ..LoadOptions::default() };
    Plt::from_directory(&fixture.directory, options).unwrap()
}

fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    square(&mut found.iter().zip(expected).map(|(a, b)| a - b))
        / square(&mut expected.iter().copied())
}

#[track_caller]
fn check_rows(what: &str, found: &[Vec<f64>], expected: &[Vec<f64>], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = relative_error(found, expected);
        assert!(
            error <= tolerance,
            "{what}, row {row}: relative error {error:e} above {tolerance:e}"
        );
    }
}

fn prefill_all(model: &Plt, tokens: &[u32], cache: &mut Cache) -> Vec<Vec<f64>> {
    model.prefill_all(tokens, cache).unwrap().to_f64().unwrap()
}

fn decode_all(model: &Plt, tokens: &[u32], cache: &mut Cache) -> Vec<Vec<f64>> {
    tokens.iter().flat_map(|token| model.decode(*token, cache).unwrap().to_f64().unwrap()).collect()
}

fn check_parity(dtype: DType, tolerance: f64) {
    for fixture in FIXTURES.iter() {
        let model = load(fixture, dtype);
        let pick = |rows: Vec<Vec<f64>>| -> Vec<Vec<f64>> {
            fixture.expected.positions.iter().map(|position| rows[*position].clone()).collect()
        };
        let mut cache = model.new_cache();
        let sequential = pick(prefill_all(&model, &fixture.tokens, &mut cache));
        check_rows(&fixture.name, &sequential, &fixture.expected.logits, tolerance);
        for loop_idx in 1..model.config().n_loops {
            let end = cache.len();
            let carried = match dtype {
                DType::F32 => {
                    cache.host().unwrap().carried_before::<f32>(loop_idx - 1, end..end + 1).unwrap()
                }
                DType::F64 => {
                    cache.host().unwrap().carried_before::<f64>(loop_idx - 1, end..end + 1).unwrap()
                }
            };
            let carried = carried.to_dtype(candle_core::DType::F64).unwrap().to_vec2().unwrap();
            check_rows(
                &fixture.name,
                &carried,
                &fixture.expected.h[loop_idx - 1..loop_idx],
                tolerance,
            );
        }
        let fused = pick(decode_all(&model, &fixture.tokens, &mut model.new_cache()));
        check_rows(&format!("{} fused", fixture.name), &fused, &fixture.expected.logits, tolerance);
    }
}

#[test]
fn single_precision_agrees_with_the_reference() {
    check_parity(DType::F32, 1e-4);
}

#[test]
fn double_precision_agrees_with_the_reference() {
    check_parity(DType::F64, 1e-10);
}

/// Half precision keeps 11 bits and eight bits keep 7; random weights make the error some five times larger.
#[test]
fn rounded_keys_and_values_move_logits_by_their_rounding() {
    for (format, tolerance) in [(CacheFormat::F16, 1e-2), (CacheFormat::Int8, 1e-1)] {
        for fixture in FIXTURES.iter() {
            let cache = CacheOptions { format: Some(format), ..CacheOptions::default() };
            let options = LoadOptions { cache, ..LoadOptions::default() };
            let model = Plt::from_directory(&fixture.directory, options).unwrap();
            assert_eq!(model.cache_format(), format);
            let found = decode_all(&model, &fixture.tokens, &mut model.new_cache());
            let found: Vec<Vec<f64>> =
                fixture.expected.positions.iter().map(|at| found[*at].clone()).collect();
            let what = format!("{} {format:?}", fixture.name);
            check_rows(&what, &found, &fixture.expected.logits, tolerance);
        }
    }
}

#[test]
fn fixtures_cover_one_to_four_loops() {
    let mut loops: Vec<usize> = MODELS.iter().map(|(_, model)| model.config().n_loops).collect();
    loops.sort_unstable();
    loops.dedup();
    assert_eq!(loops, [1, 2, 3, 4]);
}

/// A model and a text in its vocabulary, of about two windows of the short-windowed fixtures.
fn model_and_text() -> impl Strategy<Value = (usize, Vec<u32>)> {
    (0..MODELS.len()).prop_flat_map(|model_idx| {
        let vocab_size = MODELS[model_idx].1.config().vocab_size as u32;
        (Just(model_idx), proptest::collection::vec(0..vocab_size, 2..24))
    })
}

const EXACT: f64 = 1e-11;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_make_no_difference(
        (model_idx, text) in model_and_text(),
        cuts in proptest::collection::vec(1..24usize, 0..4),
    ) {
        let model = &MODELS[model_idx].1;
        let whole = prefill_all(model, &text, &mut model.new_cache());
        let mut cache = model.new_cache();
        let mut chunked = Vec::new();
        let mut rest = text.as_slice();
        for cut in cuts.into_iter().chain([text.len()]) {
            let (chunk, after) = rest.split_at(cut.min(rest.len()));
            if !chunk.is_empty() {
                chunked.extend(prefill_all(model, chunk, &mut cache));
            }
            rest = after;
        }
        check_rows("chunked", &chunked, &whole, EXACT);
    }

    #[test]
    fn fused_decode_equals_sequential_loops(
        (model_idx, text) in model_and_text(),
        n_prompt in 0..24usize,
    ) {
        let model = &MODELS[model_idx].1;
        let whole = prefill_all(model, &text, &mut model.new_cache());
        let mut cache = model.new_cache();
        let (prompt, rest) = text.split_at(n_prompt.min(text.len()));
        if !prompt.is_empty() {
            model.prefill(prompt, &mut cache).unwrap();
        }
        let decoded = decode_all(model, rest, &mut cache);
        check_rows("fused", &decoded, &whole[prompt.len()..], EXACT);
    }

    #[test]
    fn a_truncated_cache_is_as_good_as_a_fresh_one(
        (model_idx, text) in model_and_text(),
        (_, other) in model_and_text(),
        keep in 0..24usize,
    ) {
        let model = &MODELS[model_idx].1;
        let vocab_size = model.config().vocab_size as u32;
        let keep = keep.min(text.len() - 1);
        let mut cache = model.new_cache();
        let mut stale = text[..keep].to_vec();
        stale.extend(other.iter().map(|token| token % vocab_size));
        prefill_all(model, &stale, &mut cache);
        cache.truncate(keep);
        let resumed = prefill_all(model, &text[keep..], &mut cache);
        let fresh = prefill_all(model, &text, &mut model.new_cache());
        check_rows("resumed", &resumed, &fresh[keep..], EXACT);
    }
}

/// Something that a caller does to a sequence.
#[derive(Debug, Clone)]
enum Step {
    Extend(Vec<u32>),
    /// Reads the last logits with this slack, giving up after so many layers.
    Settle {
        slack: usize,
        chunk: usize,
        patience: usize,
    },
    Decode(u32),
    /// Appends these in one pass, and then keeps so many percent of what it got through some loops alone.
    Guess(Vec<u32>, usize),
    PrefillAll(Vec<u32>),
    /// Keeps this share of the text, in percent.
    Truncate(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let tokens = |max| proptest::collection::vec(0..48u32, 1..max);
    prop_oneof![
        3 => tokens(40).prop_map(Step::Extend),
        3 => (0..8usize, 1..5usize, prop_oneof![Just(usize::MAX), 0..24usize])
            .prop_map(|(slack, chunk, patience)| Step::Settle { slack, chunk, patience }),
        3 => (tokens(5), 0..100usize).prop_map(|(tokens, keep)| Step::Guess(tokens, keep)),
        2 => (0..48u32).prop_map(Step::Decode),
        1 => tokens(8).prop_map(Step::PrefillAll),
        2 => (50..101usize).prop_map(Step::Truncate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Skipping what later loops do not need changes nothing, whatever came before.
    #[test]
    fn loops_over_a_tail_equal_loops_over_everything(
        model_idx in 0..MODELS.len(),
        steps in proptest::collection::vec(step(), 1..10),
    ) {
        let model = &MODELS[model_idx].1;
        let mut cache = model.new_cache();
        for step in steps {
            let n_new = match &step {
                Step::Extend(tokens) | Step::PrefillAll(tokens) | Step::Guess(tokens, _) => {
                    tokens.len()
                }
                _ => 1,
            };
            if model.config().max_positions < cache.len() + n_new {
                continue;
            }
            match step {
                Step::Extend(tokens) => model.extend(&tokens, &mut cache).unwrap(),
                Step::Decode(token) => drop(model.decode(token, &mut cache).unwrap()),
                Step::PrefillAll(tokens) => drop(model.prefill_all(&tokens, &mut cache).unwrap()),
                Step::Guess(tokens, percent) => {
                    let n_before = cache.len();
                    drop(model.step(&tokens, &mut cache).unwrap());
                    cache.truncate(n_before + tokens.len() * percent / 100);
                }
                Step::Truncate(percent) => cache.truncate(cache.len() * percent / 100),
                Step::Settle { slack, chunk, mut patience } => {
                    let stopped = model.settle_with(slack, chunk, &mut cache, || {
                        patience = patience.saturating_sub(1);
                        patience != 0
                    });
                    prop_assert!(cache.is_empty() == stopped.is_err());
                }
            }
        }
        if cache.is_empty() {
            return Ok(());
        }
        let text = cache.tokens().to_vec();
        let found = model.settle_with(0, 4, &mut cache, || true).unwrap().unwrap().to_f64().unwrap();
        let fresh = prefill_all(model, &text, &mut model.new_cache());
        check_rows("settled", &found, &fresh[text.len() - 1..], EXACT);
        let next = decode_all(model, &[3], &mut cache);
        let mut longer = text.clone();
        longer.push(3);
        let fresh = prefill_all(model, &longer, &mut model.new_cache());
        check_rows("decoded", &next, &fresh[text.len()..], EXACT);
    }
}

/// Guesses that were right are read by one loop more with every pass.
#[test]
fn a_pass_takes_every_loop_as_far_as_the_one_before_had_come() {
    for (model_idx, (fixture, model)) in MODELS.iter().enumerate() {
        let text: Vec<u32> = (0..20).map(|i| i * 7 % 48).collect();
        let whole = prefill_all(model, &text, &mut model.new_cache());
        let mut cache = model.new_cache();
        model.prefill(&text[..6], &mut cache).unwrap();
        let mut found = Vec::new();
        let mut passes = Vec::new();
        for tokens in [6..10, 10..13, 13..13, 13..13, 13..20, 20..20, 20..20, 20..20] {
            let Ok(logits) = model.step(&text[tokens], &mut cache) else { continue };
            passes.push(logits.n_rows());
            found.extend(logits.to_f64().unwrap());
        }
        check_rows(&format!("{} {model_idx}", fixture.name), &found, &whole[6..], EXACT);
        let expected: &[usize] = match model.config().n_loops {
            1 => &[4, 3, 7],
            2 => &[1, 4, 2, 1, 6],
            3 => &[1, 1, 4, 1, 1, 1, 5],
            _ => &[1, 1, 1, 4, 1, 1, 1, 4],
        };
        assert_eq!(passes, expected, "{}", fixture.name);
    }
}

#[test]
fn a_tail_skips_the_beginning_of_a_long_text() {
    let model = baseline();
    let mut cache = model.new_cache();
    let text: Vec<u32> = (0..100).map(|i| i * 11 % 48).collect();
    model.extend(&text, &mut cache).unwrap();
    let found = model.settle_with(0, 4, &mut cache, || true).unwrap().unwrap().to_f64().unwrap();
    // Two layers and a window of five: eleven tokens, of which the last alone goes through both layers.
    assert_eq!(cache.spans(), [crate::cache::Span { from: 99, to: 100 }]);
    let fresh = prefill_all(model, &text, &mut model.new_cache());
    check_rows("tail", &found, &fresh[99..], EXACT);
}

/// A later loop may be done where an earlier one is not: the earlier was stopped after the text had been cut.
#[test]
fn the_last_loop_may_be_ahead_of_the_one_before() {
    let (_, model) = MODELS.iter().find(|(_, model)| model.config().n_loops == 3).unwrap();
    let text: Vec<u32> = (0..40).map(|i| i * 5 % 48).collect();
    let mut cache = model.new_cache();
    prefill_all(model, &text, &mut cache);
    cache.set_span(1, crate::cache::Span::default());
    cache.truncate(30);
    let found = model.settle_with(0, 4, &mut cache, || true).unwrap().unwrap().to_f64().unwrap();
    let fresh = prefill_all(model, &text[..30], &mut model.new_cache());
    check_rows("settled", &found, &fresh[29..], EXACT);
}

fn baseline() -> &'static Plt {
    let found = MODELS.iter().find(|(fixture, _)| fixture.name == "r2-gqa-w5");
    &found.expect("the baseline fixture is there").1
}

#[test]
fn growth_keeps_what_was_written() {
    let model = baseline();
    let text: Vec<u32> = (0..256).map(|i| i * 7 % 48).collect();
    let whole = prefill_all(model, &text, &mut model.new_cache());
    let decoded = decode_all(model, &text, &mut model.new_cache());
    check_rows("decoded over a growth", &decoded, &whole, EXACT);
}

#[test]
fn a_failed_call_leaves_the_cache_as_it_was() {
    let model = baseline();
    let mut cache = model.new_cache();
    model.prefill(&[1, 2, 3], &mut cache).unwrap();
    let error = model.prefill(&[4, 48], &mut cache).unwrap_err().to_string();
    assert_eq!(error, "token 48 is outside of the vocabulary of 48");
    assert!(matches!(model.prefill(&[], &mut cache), Err(Error::NoTokens)));
    assert_eq!(cache.len(), 3);
    let resumed = decode_all(model, &[4], &mut cache);
    let fresh = prefill_all(model, &[1, 2, 3, 4], &mut model.new_cache());
    check_rows("resumed", &resumed, &fresh[3..], EXACT);
}

#[test]
fn a_stop_between_two_layers_leaves_the_cache_as_it_was() {
    let prompt: Vec<u32> = (0..40).map(|i| i * 5 % 48).collect();
    for (fixture, model) in MODELS.iter() {
        let fresh = prefill_all(model, &prompt, &mut model.new_cache());
        let mut cache = model.new_cache();
        model.prefill(&prompt[..7], &mut cache).unwrap();
        for n_allowed in 0..model.config().n_layers {
            let stopped = model.extend_while(&prompt[7..], &mut cache, &mut at_most(n_allowed));
            assert!(!stopped.unwrap());
            assert_eq!(cache.tokens(), &prompt[..7]);
        }
        model.extend(&prompt[7..], &mut cache).unwrap();
        let mut found = None;
        let mut n_allowed = 0;
        while found.is_none() {
            found = model.settle_in_chunks(&mut cache, 8, at_most(n_allowed)).unwrap();
            n_allowed += 1;
        }
        let found = found.unwrap().to_f64().unwrap();
        check_rows(&fixture.name, &found, &fresh[39..], EXACT);
    }
}

/// Says yes so many times.
fn at_most(mut n: usize) -> impl FnMut() -> bool {
    move || {
        let goes_on = 0 < n;
        n = n.saturating_sub(1);
        goes_on
    }
}

#[test]
fn the_context_is_bounded() {
    let model = baseline();
    let mut cache = model.new_cache();
    let too_long = vec![1; model.config().max_positions + 1];
    let error = model.prefill(&too_long, &mut cache).unwrap_err();
    assert!(matches!(error, Error::ContextFull { .. }), "{error}");
    assert!(cache.is_empty());
}

#[test]
#[cfg(debug_assertions)]
fn unwritten_positions_are_poison() {
    let model = baseline();
    let mut cache = model.new_cache();
    cache.advance(&[1]);
    cache.reserve(1).unwrap();
    cache.make_room(1, &(0..2)).unwrap();
    cache.set_span(1, crate::cache::Span { from: 0, to: 1 });
    let logits = model.decode(1, &mut cache).unwrap().last().unwrap();
    assert!(logits.iter().all(|logit| logit.is_nan()));
}

#[test]
fn a_missing_tensor_is_named() {
    let (fixture, _) = &MODELS[0];
    assert_eq!(fixture.name, "r1-mha-tied");
    let weights = Weights::from_directory(&fixture.directory).unwrap();
    let mut config = Config::from_directory(&fixture.directory).unwrap();
    config.tie_word_embeddings = false;
    let error = Plt::from_weights(config, &weights, LoadOptions::default()).unwrap_err();
    assert_eq!(error.to_string(), "tensor lm_head.weight is missing; expected shape [48, 32]");
}

/// Stopped by whoever looks, or by its limit.
#[test]
fn text_that_is_left_to_itself_is_that_of_single_steps() {
    for (fixture, model) in MODELS.iter() {
        let prompt: Vec<u32> = (0..9).map(|i| i * 7 % 48).collect();
        let mut plain = model.new_cache();
        model.extend(&prompt, &mut plain).unwrap();
        let mut expected = Vec::new();
        let mut token = 5;
        for _ in 0..30 {
            let logits = model.decode(token, &mut plain).unwrap().last().unwrap();
            let choice = crate::likeliest(&logits[..40]).unwrap();
            expected.push(choice);
            token = choice.token;
        }
        let mut cache = model.new_cache();
        model.extend(&prompt, &mut cache).unwrap();
        let mut found = Vec::new();
        let mut token = 5;
        for (wanted, max) in [(1, 1), (4, 20), (25, 25)] {
            let mut n_here = 0;
            let n_chosen = model
                .decode_while(token, &mut cache, Draws::greedy(40), max, |choice| {
                    found.push(choice);
                    n_here += 1;
                    n_here < wanted
                })
                .unwrap();
            assert_eq!(n_chosen, wanted);
            token = found[found.len() - 1].token;
        }
        assert_eq!(found, expected, "{}", fixture.name);
        assert_eq!(cache.tokens(), plain.tokens());
        let next = |cache: &mut Cache| model.decode(3, cache).unwrap().to_f64().unwrap();
        assert_eq!(next(&mut cache), next(&mut plain));
    }
}

/// A number in 0..1 for each token, the same each time.
fn uniforms(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * i * 37 + i * 11 + 5) as f32 % 101.0 / 101.0).collect()
}

#[test]
fn what_is_drawn_is_drawn_by_the_numbers_in_turn() {
    let model = baseline();
    let rule = Rule { n_usable_tokens: 40, temperature: 0.8, top_p: 0.9, top_k: 12 };
    let uniforms = uniforms(12);
    let prompt = [1, 2, 3];
    let mut cache = model.new_cache();
    model.extend(&prompt, &mut cache).unwrap();
    let (mut expected, mut token) = (Vec::new(), 5);
    for uniform in &uniforms {
        let logits = model.decode(token, &mut cache).unwrap().last().unwrap();
        expected.push(rule.choose(&logits, *uniform).unwrap());
        token = expected[expected.len() - 1].token;
    }
    let mut left_alone = model.new_cache();
    model.extend(&prompt, &mut left_alone).unwrap();
    let mut found = Vec::new();
    let draws = Draws { rule, uniforms: &uniforms };
    let n_chosen = model
        .decode_while(5, &mut left_alone, draws, 99, |choice| {
            found.push(choice);
            true
        })
        .unwrap();
    // There are no more numbers.
    assert_eq!((n_chosen, &found), (12, &expected));
    // Tokens that are known before are chosen after in one pass.
    let guesses: Vec<u32> = expected[..4].iter().map(|choice| choice.token).collect();
    let mut stepped = model.new_cache();
    model.extend(&prompt, &mut stepped).unwrap();
    model.settle(&mut stepped, || true).unwrap();
    let first = model.step_choosing(&[5], draws, &mut stepped).unwrap();
    assert_eq!(first, [Some(expected[0])]);
    let mut choices = Vec::new();
    for tokens in [guesses.as_slice(), &[], &[], &[]] {
        let draws = Draws { rule, uniforms: &uniforms[1 + choices.len()..] };
        choices.extend(model.step_choosing(tokens, draws, &mut stepped).unwrap_or_default());
    }
    assert_eq!(choices, expected[1..5].iter().map(|choice| Some(*choice)).collect::<Vec<_>>());
}

#[test]
fn text_that_is_left_to_itself_ends_with_the_context() {
    let model = baseline();
    let mut cache = model.new_cache();
    model.extend(&[1; 250], &mut cache).unwrap();
    assert_eq!(model.decode_while(1, &mut cache, Draws::greedy(48), 0, |_| true).unwrap(), 0);
    assert_eq!(model.decode_while(1, &mut cache, Draws::greedy(48), 100, |_| true).unwrap(), 6);
    let full = model.decode_while(1, &mut cache, Draws::greedy(48), 1, |_| true);
    assert!(matches!(full, Err(Error::ContextFull { .. })), "{full:?}");
}
