//! The GPU against the CPU, and the equalities that hold for any PLT, on whatever stands behind the driver's interface.

mod checkpoint;

use proptest::prelude::*;

use self::checkpoint::{Checkpoint, Models};
use crate::cache::Cache;
use crate::{
    CacheOptions, Choice, DeviceChoice, Draws, Error, Format, LaterLoops, LoadOptions, Plt, Rule,
    Weights,
};

const FULL: CacheOptions = CacheOptions { format: None, later_loops: LaterLoops::Full };

fn text(n: usize) -> Vec<u32> {
    (0..n as u32).map(|i| (i * i * 7 + i * 5 + 3) % 96).collect()
}

fn prefill_all(model: &Plt, tokens: &[u32], cache: &mut Cache) -> Vec<Vec<f64>> {
    model.prefill_all(tokens, cache).unwrap().to_f64().unwrap()
}

fn decode_all(model: &Plt, tokens: &[u32], cache: &mut Cache) -> Vec<Vec<f64>> {
    tokens.iter().flat_map(|token| model.decode(*token, cache).unwrap().to_f64().unwrap()).collect()
}

fn relative_error(found: &[Vec<f64>], expected: &[Vec<f64>]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let square = |sum: f64, (a, b): (&f64, &f64)| sum + (a - b) * (a - b);
    let pairs = || found.iter().flatten().zip(expected.iter().flatten());
    let norm: f64 = expected.iter().flatten().map(|value| value * value).sum();
    (pairs().fold(0.0, square) / norm).sqrt()
}

/// Operands of bf16 are rounded to 8 bits four times in a layer, and keys and values to 11: each by 2^-9 at most, which adds
/// up like a random walk over some ten roundings. Half of this was seen.
const TOLERANCE: f64 = 1e-2;

/// Operands of integers are rounded to 7 bits on the CPU too, but where one falls on the other side of a step it is a whole
/// step, so two roundings differ by as much as each from the truth.
#[track_caller]
fn check_logits(checkpoint: Checkpoint) {
    let Some(device) = cuda::device_for_test!() else { return };
    let Models { gpu, cpu, exact, .. } = &checkpoint.models(device.info().index, FULL);
    let text = text(40);
    let mut on_cpu = exact.new_cache();
    let expected = prefill_all(exact, &text, &mut on_cpu);
    let of_cpu = relative_error(&prefill_all(cpu, &text, &mut cpu.new_cache()), &expected);
    let tolerance = TOLERANCE + 1.5 * of_cpu;
    let mut on_gpu = gpu.new_cache();
    for (what, found) in [
        ("many rows", prefill_all(gpu, &text, &mut on_gpu)),
        ("few rows", decode_all(gpu, &text, &mut gpu.new_cache())),
    ] {
        let error = relative_error(&found, &expected);
        assert!(error < tolerance, "{checkpoint:?}, {what}: {error:e}, of the CPU {of_cpu:e}");
    }
    for loop_idx in 0..checkpoint.n_loops - 1 {
        let end = text.len();
        let found = on_gpu.device().unwrap().carried(loop_idx, end - 1);
        let found = vec![found.into_iter().map(f64::from).collect()];
        let expected = on_cpu.host().unwrap().carried_before::<f64>(loop_idx, end..end + 1);
        let error = relative_error(&found, &expected.unwrap().to_vec2().unwrap());
        assert!(error < tolerance, "{checkpoint:?}, loop {loop_idx}: {error:e}");
    }
}

#[test]
fn logits_are_those_of_the_cpu_for_one_to_four_loops() {
    for n_loops in 1..=4 {
        check_logits(Checkpoint { n_loops, ..Checkpoint::PLAIN });
    }
}

#[test]
fn logits_are_those_of_the_cpu_in_eight_and_four_bits() {
    for format in [Format::Int8, Format::Int4] {
        check_logits(Checkpoint { format: Some(format), ..Checkpoint::PLAIN });
    }
}

#[test]
fn logits_are_those_of_the_cpu_for_heads_of_every_width() {
    check_logits(Checkpoint { head_dim: 64, n_kv_heads: 4, ..Checkpoint::PLAIN });
    check_logits(Checkpoint { head_dim: 128, n_kv_heads: 1, is_tied: true, ..Checkpoint::PLAIN });
    check_logits(Checkpoint { normalizes: false, n_loops: 3, ..Checkpoint::PLAIN });
}

/// A pass of few rows has the same bits however the text is cut and whether loops run side by side.
#[test]
fn few_rows_have_the_same_bits_however_they_come() {
    let Some(device) = cuda::device_for_test!() else { return };
    for format in [None, Some(Format::Int8), Some(Format::Int4)] {
        let checkpoint = Checkpoint { n_loops: 3, format, ..Checkpoint::PLAIN };
        let Models { gpu, .. } = &checkpoint.models(device.info().index, FULL);
        let text = text(30);
        let one_by_one = decode_all(gpu, &text, &mut gpu.new_cache());
        let mut cache = gpu.new_cache();
        let mut rest = text.as_slice();
        let mut chunked = Vec::new();
        for n in [1, 7, 16, 2, 4] {
            let (chunk, after) = rest.split_at(n);
            chunked.extend(prefill_all(gpu, chunk, &mut cache));
            rest = after;
        }
        assert!(chunked == one_by_one, "{format:?}");
        let mut cache = gpu.new_cache();
        prefill_all(gpu, &text[..9], &mut cache);
        prefill_all(gpu, &[1, 2, 3, 4, 5, 6, 7], &mut cache);
        cache.truncate(9);
        assert!(decode_all(gpu, &text[9..], &mut cache) == one_by_one[9..], "{format:?}");
    }
}

#[test]
fn many_rows_agree_however_they_are_cut() {
    let Some(device) = cuda::device_for_test!() else { return };
    let Models { gpu, .. } = &Checkpoint::PLAIN.models(device.info().index, FULL);
    let text = text(90);
    let whole = prefill_all(gpu, &text, &mut gpu.new_cache());
    let mut cache = gpu.new_cache();
    let mut chunked = Vec::new();
    for chunk in text.chunks(30) {
        chunked.extend(prefill_all(gpu, chunk, &mut cache));
    }
    let error = relative_error(&chunked, &whole);
    assert!(error < TOLERANCE, "{error:e}");
    let decoded = decode_all(gpu, &text, &mut gpu.new_cache());
    let error = relative_error(&decoded, &whole);
    assert!(error < TOLERANCE, "{error:e}");
}

/// A ring as small as it can be.
fn ringed(mut models: Models) -> Models {
    for model in [&mut models.gpu, &mut models.cpu] {
        model.cache_shape.later_loops = LaterLoops::Ring;
        model.cache_shape.chunk = 8;
        model.cache_shape.slack = 3;
    }
    models
}

#[test]
fn a_ring_slides_and_a_sequence_grows_without_a_trace() {
    let Some(device) = cuda::device_for_test!() else { return };
    let index = device.info().index;
    for n_loops in [2, 3] {
        let checkpoint = Checkpoint { n_loops, ..Checkpoint::PLAIN };
        let (full, ring) = (checkpoint.models(index, FULL), ringed(checkpoint.models(index, FULL)));
        let text = text(140);
        let expected = decode_all(&full.gpu, &text, &mut full.gpu.new_cache());
        let mut cache = ring.gpu.new_cache();
        assert!(decode_all(&ring.gpu, &text, &mut cache) == expected);
        assert!(cache.n_bytes() < ring.gpu.cache_bytes(256) + 1);
        cache.truncate(139);
        assert!(decode_all(&ring.gpu, &text[139..], &mut cache) == expected[139..]);
    }
}

#[test]
fn later_loops_over_a_tail_give_what_loops_over_everything_give() {
    let Some(device) = cuda::device_for_test!() else { return };
    for n_loops in [2, 3] {
        let checkpoint = Checkpoint { n_loops, ..Checkpoint::PLAIN };
        let Models { gpu, .. } = &ringed(checkpoint.models(device.info().index, FULL));
        let text = text(100);
        let mut cache = gpu.new_cache();
        for chunk in text.chunks(16) {
            gpu.extend(chunk, &mut cache).unwrap();
        }
        let found = gpu.settle_with(0, 4, &mut cache, || true).unwrap().unwrap().to_f64().unwrap();
        assert!(0 < cache.spans()[0].from);
        let expected = decode_all(gpu, &text, &mut gpu.new_cache());
        assert!(found == expected[99..]);
        // What was kept of it is read again.
        let again = gpu.settle(&mut cache, || true).unwrap().unwrap().to_f64().unwrap();
        assert!(again == found);
    }
}

#[test]
fn sequences_do_not_see_each_other() {
    let Some(device) = cuda::device_for_test!() else { return };
    let Models { gpu, .. } = &Checkpoint::PLAIN.models(device.info().index, FULL);
    let texts = [text(24), text(40)[16..].to_vec()];
    let alone = texts.each_ref().map(|text| decode_all(gpu, text, &mut gpu.new_cache()));
    let mut caches = [gpu.new_cache(), gpu.new_cache()];
    let mut found = [Vec::new(), Vec::new()];
    for i in 0..24 {
        for (which, cache) in caches.iter_mut().enumerate() {
            found[which].extend(decode_all(gpu, &texts[which][i..=i], cache));
        }
    }
    assert!(found == alone);
}

#[test]
fn guesses_are_read_as_if_they_had_been_decoded() {
    let Some(device) = cuda::device_for_test!() else { return };
    for n_loops in 1..=4 {
        let checkpoint = Checkpoint { n_loops, ..Checkpoint::PLAIN };
        let Models { gpu, .. } = &ringed(checkpoint.models(device.info().index, FULL));
        let text = text(20);
        let expected = decode_all(gpu, &text, &mut gpu.new_cache());
        let mut cache = gpu.new_cache();
        decode_all(gpu, &text[..6], &mut cache);
        let mut found = Vec::new();
        for tokens in [6..9, 9..11, 11..11, 11..11, 11..14] {
            let Ok(logits) = gpu.step(&text[tokens], &mut cache) else { continue };
            found.extend(logits.to_f64().unwrap());
        }
        // Guesses that were wrong are cut off.
        let n_read = 6 + found.len();
        cache.truncate(n_read);
        found.extend(decode_all(gpu, &text[n_read..], &mut cache));
        assert!(found == expected[6..], "{n_loops} loops");
    }
}

/// A number in 0..1 for each token, the same each time.
fn uniforms(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * i * 37 + i * 11 + 5) as f32 % 101.0 / 101.0).collect()
}

/// What the CPU's rule makes of the GPU's logits, one call for each token.
fn plainly(model: &Plt, token: u32, cache: &mut Cache, draws: Draws<'_>, n: usize) -> Vec<Choice> {
    let mut chosen = Vec::new();
    let mut token = token;
    for idx in 0..n {
        let logits = model.decode(token, cache).unwrap().last().unwrap();
        let choice = draws.choose(idx, &logits).unwrap();
        chosen.push(choice);
        token = choice.token;
    }
    chosen
}

#[track_caller]
fn check_choices(found: &[Choice], expected: &[Choice]) {
    let tokens = |choices: &[Choice]| choices.iter().map(|choice| choice.token).collect::<Vec<_>>();
    assert_eq!(tokens(found), tokens(expected));
    for (found, expected) in found.iter().zip(expected) {
        let error = (found.log_probability - expected.log_probability).abs();
        assert!(error < 1e-4, "{found:?} {expected:?}");
    }
}

const DRAWN: Rule = Rule { n_usable_tokens: 90, temperature: 0.7, top_p: 0.95, top_k: 20 };

#[test]
fn choices_after_guesses_are_those_of_the_rule() {
    let Some(device) = cuda::device_for_test!() else { return };
    let Models { gpu, .. } = &Checkpoint::PLAIN.models(device.info().index, FULL);
    let text = text(30);
    let uniforms = uniforms(20);
    for rule in [Rule::greedy(90), DRAWN] {
        for tokens in [6..7, 6..12, 6..26] {
            let draws = Draws { rule, uniforms: &uniforms };
            let [mut plain, mut cache] = [gpu.new_cache(), gpu.new_cache()];
            for cache in [&mut plain, &mut cache] {
                decode_all(gpu, &text[..6], cache);
            }
            let logits = gpu.step(&text[tokens.clone()], &mut plain).unwrap();
            let found = gpu.step_choosing(&text[tokens], draws, &mut cache).unwrap();
            let found: Vec<Choice> = found.into_iter().map(Option::unwrap).collect();
            let expected: Vec<Choice> = (0..logits.n_rows())
                .map(|row| draws.choose(row, &logits.row(row).unwrap()).unwrap())
                .collect();
            check_choices(&found, &expected);
        }
    }
}

#[track_caller]
fn check_running_ahead(n_loops: usize, rule: Rule) {
    let Some(device) = cuda::device_for_test!() else { return };
    let checkpoint = Checkpoint { n_loops, ..Checkpoint::PLAIN };
    let Models { gpu, .. } = &ringed(checkpoint.models(device.info().index, FULL));
    let prompt = text(7);
    let uniforms = uniforms(150 + 20);
    let mut expected_cache = gpu.new_cache();
    gpu.extend(&prompt, &mut expected_cache).unwrap();
    let draws = Draws { rule, uniforms: &uniforms };
    let expected = plainly(gpu, 5, &mut expected_cache, draws, 150);

    let mut cache = gpu.new_cache();
    gpu.extend(&prompt, &mut cache).unwrap();
    let mut found: Vec<Choice> = Vec::new();
    let mut token = 5;
    // Stopped here and there, where a step or two are under way.
    for n in [1, 4, 30, 115] {
        let max = if n == 4 { n } else { n + 20 };
        let mut n_here = 0;
        let draws = Draws { rule, uniforms: &uniforms[found.len()..] };
        let n_chosen = gpu
            .decode_while(token, &mut cache, draws, max, |choice| {
                found.push(choice);
                n_here += 1;
                n_here < n
            })
            .unwrap();
        assert_eq!(n_chosen, n);
        token = found.last().unwrap().token;
    }
    check_choices(&found, &expected);
    assert_eq!(cache.tokens(), expected_cache.tokens());
    // Nothing of the steps that nobody wanted is left.
    let next = |cache: &mut Cache| gpu.decode(3, cache).unwrap().to_f64().unwrap();
    assert!(next(&mut cache) == next(&mut expected_cache));
}

#[test]
fn running_ahead_chooses_what_decoding_chooses() {
    for n_loops in 1..=4 {
        check_running_ahead(n_loops, Rule::greedy(90));
    }
    check_running_ahead(2, DRAWN);
}

#[test]
fn a_token_that_comes_by_running_ahead_is_one_launch() {
    let Some(device) = cuda::device_for_test!() else { return };
    let Models { gpu, .. } = &Checkpoint::PLAIN.models(device.info().index, FULL);
    let mut cache = gpu.new_cache();
    gpu.extend(&text(3), &mut cache).unwrap();
    gpu.decode_while(1, &mut cache, Draws::greedy(96), 1, |_| true).unwrap();
    let crate::plt::Backend::Device(twin) = &gpu.backend else { panic!("it is on the device") };
    let before = twin.device.n_launches();
    let bytes = twin.device.allocated();
    assert_eq!(gpu.decode_while(1, &mut cache, Draws::greedy(96), 40, |_| true).unwrap(), 40);
    assert_eq!(twin.device.n_launches() - before, 40);
    assert_eq!(twin.device.allocated(), bytes);
}

/// Whatever their rows hold.
#[test]
fn passes_of_few_rows_are_one_launch_each() {
    let Some(device) = cuda::device_for_test!() else { return };
    let Models { gpu, .. } = &Checkpoint::PLAIN.models(device.info().index, FULL);
    let crate::plt::Backend::Device(twin) = &gpu.backend else { panic!("it is on the device") };
    let mut cache = gpu.new_cache();
    decode_all(gpu, &text(3), &mut cache);
    let mut launches = |tokens: &[u32]| {
        cache.truncate(3);
        gpu.settle(&mut cache, || true).unwrap();
        let before = twin.device.n_launches();
        gpu.step_choosing(tokens, Draws::greedy(96), &mut cache).unwrap();
        twin.device.n_launches() - before
    };
    for tokens in [&[1, 2][..], &[7, 8], &[1, 2, 3, 4], &[9, 9, 9, 9]] {
        launches(tokens);
        // The pass, and the choice.
        assert_eq!(launches(tokens), 2, "{tokens:?}");
    }
}

#[test]
fn a_stop_between_two_layers_leaves_the_sequence_as_it_was() {
    let Some(device) = cuda::device_for_test!() else { return };
    let Models { gpu, .. } = &Checkpoint::PLAIN.models(device.info().index, FULL);
    let text = text(34);
    let expected = prefill_all(gpu, &text, &mut gpu.new_cache());
    let mut cache = gpu.new_cache();
    gpu.extend(&text[..4], &mut cache).unwrap();
    // Few rows are not stopped on their way.
    for (end, n_allowed) in [(14, 0), (34, 0), (34, 1)] {
        let mut n = 0;
        let mut keep_going = || {
            n += 1;
            n <= n_allowed
        };
        assert!(!gpu.extend_while(&text[4..end], &mut cache, &mut keep_going).unwrap());
        assert_eq!(cache.tokens(), &text[..4]);
    }
    gpu.extend(&text[4..], &mut cache).unwrap();
    let found = gpu.settle(&mut cache, || true).unwrap().unwrap().to_f64().unwrap();
    let error = relative_error(&found, &expected[33..]);
    assert!(error < TOLERANCE, "{error:e}");
}

#[test]
fn a_sequence_of_another_model_is_refused() {
    let Some(device) = cuda::device_for_test!() else { return };
    let index = device.info().index;
    let Models { gpu, cpu, .. } = &Checkpoint::PLAIN.models(index, FULL);
    let other = Checkpoint { n_layers: 3, ..Checkpoint::PLAIN }.models(index, FULL);
    for (model, mut cache) in
        [(gpu, cpu.new_cache()), (cpu, gpu.new_cache()), (gpu, other.gpu.new_cache())]
    {
        let refused = model.prefill(&[1, 2], &mut cache);
        assert!(matches!(refused, Err(Error::OtherModel)), "{refused:?}");
    }
}

/// The shapes of the small fixtures are none that kernels know, and small models need no GPU.
#[test]
fn what_cannot_or_need_not_run_there_says_why() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity");
    let directory = root.join("r2-gqa-w5");
    let auto = Plt::from_directory(&directory, LoadOptions::default()).unwrap();
    let placement = auto.placement().to_string();
    assert!(!auto.placement().is_cuda() && placement.starts_with("CPU ("), "{placement}");
    let Some(device) = cuda::device_for_test!() else { return };
    assert!(placement.contains("needs no GPU"), "{placement}");
    let choice = DeviceChoice::Cuda(device.info().index);
    let options = LoadOptions { device: choice, ..LoadOptions::default() };
    let error = Plt::from_directory(&directory, options).unwrap_err().to_string();
    assert_eq!(error, "the model cannot run on the GPU: its heads are 8 wide; 32, 64 or 128");
}

/// The CPU is given other weights than the GPU has.
#[test]
fn a_gpu_that_computes_something_else_is_found_out() {
    let Some(device) = cuda::device_for_test!() else { return };
    let index = device.info().index;
    for format in [None, Some(Format::Int8), Some(Format::Int4)] {
        let checkpoint = Checkpoint { format, ..Checkpoint::PLAIN };
        let Models { gpu, .. } = checkpoint.models(index, FULL);
        let other = Checkpoint { seed: 2, ..checkpoint }.models(index, FULL);
        let weights = Weights::from_directory(other.directory.path()).unwrap();
        let error = gpu.checked(&weights, &LoadOptions::default()).unwrap_err().to_string();
        assert!(error.contains("it computes something else there than on the CPU"), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]

    /// Whatever came before: what is decoded next has the bits of a fresh sequence, where rows are few.
    #[test]
    fn what_came_before_leaves_no_trace(
        steps in proptest::collection::vec((0..4u32, 1..9usize), 1..8),
    ) {
        let Some(device) = cuda::device_for_test!() else { return Ok(()) };
        let checkpoint = Checkpoint { n_loops: 3, ..Checkpoint::PLAIN };
        let Models { gpu, .. } = &ringed(checkpoint.models(device.info().index, FULL));
        let mut cache = gpu.new_cache();
        for (kind, n) in steps {
            let tokens = &text(n + cache.len())[cache.len()..];
            match kind {
                0 => gpu.extend(tokens, &mut cache).unwrap(),
                1 => drop(gpu.step(tokens, &mut cache).unwrap()),
                2 => {
                    gpu.decode_while(tokens[0], &mut cache, Draws::greedy(96), n, |_| true).unwrap();
                }
                _ => cache.truncate(cache.len().saturating_sub(n)),
            }
        }
        let tokens = [cache.tokens(), &[3]].concat();
        let next = decode_all(gpu, &[3], &mut cache);
        let fresh = decode_all(gpu, &tokens, &mut gpu.new_cache());
        prop_assert!(next == fresh[tokens.len() - 1..]);
    }
}

/// Where two tokens are about as likely, rounding decides.
#[test]
fn the_built_in_model_writes_the_same_text() {
    let Some(device) = cuda::device_for_test!() else { return };
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/default");
    let load = |device| {
        Plt::from_directory(&directory, LoadOptions { device, ..LoadOptions::default() }).unwrap()
    };
    let (gpu, cpu) = (load(DeviceChoice::Cuda(device.info().index)), load(DeviceChoice::Cpu));
    assert_eq!(gpu.placement().kind(), "cuda");
    let prompt: Vec<u32> = (0..20).map(|i| 300 + i * 37).collect();
    let (mut on_gpu, mut on_cpu) = (gpu.new_cache(), cpu.new_cache());
    gpu.extend(&prompt, &mut on_gpu).unwrap();
    cpu.extend(&prompt, &mut on_cpu).unwrap();
    let mut token = 11;
    let mut n_compared = 0;
    for _ in 0..8 {
        let found = gpu.decode(token, &mut on_gpu).unwrap().last().unwrap();
        let expected = cpu.decode(token, &mut on_cpu).unwrap().last().unwrap();
        let row = |logits: &[f32]| vec![logits.iter().map(|logit| f64::from(*logit)).collect()];
        let error = relative_error(&row(&found), &row(&expected));
        assert!(error < 2.0 * TOLERANCE, "{error:e}");
        token = crate::likeliest(&expected).unwrap().token;
        let mut sorted = expected.clone();
        sorted.sort_unstable_by(|a, b| b.total_cmp(a));
        if 0.1 < sorted[0] - sorted[1] {
            assert_eq!(crate::likeliest(&found).unwrap().token, token);
            n_compared += 1;
        }
    }
    assert!(4 <= n_compared, "{n_compared}");
}
