//! Choices against the rule of `crates/model/src/choose.rs`, and the ring that they go to.

use crate::device::Device;
use crate::launch::attention::reference::Random;
use crate::shapes::{Choice, Row};

const NOBODY: Choice = Choice { token: 99, log_probability: f32::NAN, is_finite: 99, position: 99 };

fn log_probability(logits: &[f32], token: usize) -> f64 {
    let finite = || logits.iter().filter(|logit| logit.is_finite()).map(|logit| f64::from(*logit));
    let largest = finite().fold(f64::MIN, f64::max);
    let total: f64 = finite().map(|logit| (logit - largest).exp()).sum();
    f64::from(logits[token]) - largest - total.ln()
}

#[track_caller]
fn check_probability(choice: Choice, logits: &[f32]) {
    let expected = log_probability(logits, choice.token as usize);
    let error = (f64::from(choice.log_probability) - expected).abs();
    assert!(error <= 2e-5 * (1.0 + expected.abs()), "{choice:?} {expected}");
    assert_eq!(choice.is_finite, 1);
}

/// Logits as a model has them: most of them far below a few.
fn logits(random: &mut Random, n: usize) -> Vec<f32> {
    (0..n).map(|_| 8.0 * (random.float() + random.float() + random.float())).collect()
}

#[test]
fn the_first_of_the_largest_is_taken() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for vocab in [1, 2, 31, 1000, 5003] {
        let mut rows = logits(random, 3 * vocab);
        let (first, last) = (random.below(vocab), random.below(vocab));
        rows[first] = 50.0;
        rows[last] = 50.0;
        // Beyond the usable ones, and no numbers.
        let n_usable = vocab - vocab / 10;
        rows[vocab..][n_usable..vocab].fill(90.0);
        rows[2 * vocab + random.below(vocab)] = f32::NAN;
        rows[2 * vocab + random.below(vocab)] = f32::INFINITY;
        rows[2 * vocab + random.below(vocab)] = f32::NEG_INFINITY;
        let mut out = device.upload(&[NOBODY; 4]).unwrap();
        device.argmax(&device.upload(&rows).unwrap(), 3, vocab, n_usable, &mut out).unwrap();
        let choices = device.read(&out, 0..4).unwrap();
        assert_eq!(choices[3].is_finite, 99);
        for (row, choice) in rows.chunks(vocab).zip(choices) {
            let usable = &row[..n_usable];
            let finite = || usable.iter().enumerate().filter(|(_, logit)| logit.is_finite());
            let largest = finite().map(|(_, logit)| *logit).fold(f32::MIN, f32::max);
            match finite().find(|(_, logit)| **logit == largest) {
                Some((token, _)) => {
                    assert_eq!(choice.token as usize, token, "{vocab}");
                    check_probability(choice, usable);
                }
                None => assert_eq!(choice.is_finite, 0),
            }
        }
    }
}

#[test]
fn nothing_finite_is_said() {
    let Some(device) = crate::device_for_test!() else { return };
    let logits = device.upload(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0]).unwrap();
    let mut out = device.upload(&[NOBODY]).unwrap();
    device.argmax(&logits, 1, 4, 3, &mut out).unwrap();
    assert_eq!(device.read(&out, 0..1).unwrap()[0].is_finite, 0);
    let (uniforms, count) = (device.upload(&[0.5]).unwrap(), device.pinned(1).unwrap());
    device.sample(&logits, 1, 4, 3, 1.0, 0, 1.0, &uniforms, &count, &mut out).unwrap();
    assert_eq!(device.read(&out, 0..1).unwrap()[0].is_finite, 0);
    device.sample(&logits, 1, 4, 0, 1.0, 0, 1.0, &uniforms, &count, &mut out).unwrap();
    assert_eq!(device.read(&out, 0..1).unwrap()[0].is_finite, 0);
}

#[derive(Debug, Clone, Copy)]
struct Rule {
    temperature: f32,
    top_k: usize,
    top_p: f32,
    uniform: f32,
}

/// Candidates in the sampler's order, with their weights.
fn candidates(logits: &[f32], temperature: f32) -> Vec<(usize, f64)> {
    let mut candidates: Vec<(usize, f32)> = logits
        .iter()
        .enumerate()
        .filter(|(_, logit)| logit.is_finite())
        .map(|(id, logit)| (id, logit / temperature))
        .collect();
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let largest = candidates.first().map_or(0.0, |first| first.1);
    let weight = |scaled: f32| f64::from(scaled - largest).exp();
    candidates.into_iter().map(|(id, scaled)| (id, weight(scaled))).collect()
}

/// The place in the order that the sampler takes. It grows with `top_p` and `uniform`.
fn place(candidates: &[(usize, f64)], rule: Rule, [top_p, uniform]: [f64; 2]) -> usize {
    let n = if rule.top_k == 0 { candidates.len() } else { rule.top_k.min(candidates.len()) };
    let weights = || candidates[..n].iter().map(|(_, weight)| *weight);
    let reaches = |goal: f64| {
        let mut sum = 0.0;
        let found = weights().position(|weight| {
            sum += weight;
            goal <= sum
        });
        (found.unwrap_or(n - 1), sum)
    };
    let (_, kept) = reaches(top_p * weights().sum::<f64>());
    reaches(uniform * kept).0
}

fn sample(device: &Device, logits: &[f32], n_usable: usize, rule: Rule) -> Choice {
    let Rule { temperature, top_k, top_p, uniform } = rule;
    let mut out = device.upload(&[NOBODY]).unwrap();
    let (buffer, vocab) = (device.upload(logits).unwrap(), logits.len());
    let (uniforms, count) = (device.upload(&[uniform]).unwrap(), device.pinned(1).unwrap());
    device
        .sample(&buffer, 1, vocab, n_usable, temperature, top_k, top_p, &uniforms, &count, &mut out)
        .unwrap();
    device.read(&out, 0..1).unwrap()[0]
}

/// Whether the rounding of sums could not have made another choice.
#[track_caller]
fn check(device: &Device, logits: &[f32], n_usable: usize, rule: Rule) -> bool {
    let choice = sample(device, logits, n_usable, rule);
    let usable = &logits[..n_usable];
    let candidates = candidates(usable, rule.temperature);
    let near = |step: f64| {
        place(&candidates, rule, [rule.top_p, rule.uniform].map(|x| f64::from(x) * (1.0 + step)))
    };
    let (least, most) = (near(-1e-5), near(1e-5));
    let found = candidates.iter().position(|(id, _)| *id == choice.token as usize).unwrap();
    assert!((least..=most).contains(&found), "{rule:?}: {found}, not within {least}..={most}");
    check_probability(choice, usable);
    least == most
}

#[test]
fn draws_follow_the_rule_of_the_sampler() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let (mut n_sure, mut n_all) = (0, 0);
    for vocab in [1, 7, 300, 2500] {
        let mut logits = logits(random, vocab);
        if 7 < vocab {
            logits[random.below(vocab)] = f32::NAN;
            logits[random.below(vocab)] = f32::INFINITY;
        }
        for _ in 0..24 {
            let rule = Rule {
                temperature: [0.3, 0.8, 1.0, 2.5][random.below(4)],
                top_k: [0, 0, 1, 2, 20, 700, 10_000][random.below(7)],
                top_p: [0.1, 0.5, 0.95, 1.0, 1.0][random.below(5)],
                uniform: random.float().abs().min(0.999_999_9),
            };
            n_sure += usize::from(check(&device, &logits, vocab - vocab / 8, rule));
            n_all += 1;
        }
    }
    assert!(n_all * 9 <= n_sure * 10, "{n_sure} of {n_all}");
}

#[test]
fn draws_at_the_ends() {
    let Some(device) = crate::device_for_test!() else { return };
    let logits = [0.5, -1.0, 3.0, 3.0, f32::NAN, 2.0, -30.0];
    let rule = Rule { temperature: 1.0, top_k: 0, top_p: 1.0, uniform: 0.0 };
    let token = |rule| sample(&device, &logits, 7, rule).token;
    assert_eq!(token(rule), 2);
    assert_eq!(token(Rule { uniform: 1.0, ..rule }), 1);
    assert_eq!(token(Rule { uniform: 1.0, top_k: 1, ..rule }), 2);
    assert_eq!(token(Rule { uniform: 1.0, top_k: 2, ..rule }), 3);
    assert_eq!(token(Rule { uniform: 1.0, top_p: 0.0, ..rule }), 2);
    assert_eq!(token(Rule { uniform: 1.0, top_p: 1e-9, ..rule }), 2);
    // No heat takes the likeliest.
    assert_eq!(token(Rule { uniform: 1.0, temperature: 0.0, ..rule }), 2);
}

/// Equal logits are told apart by their ids alone.
#[test]
fn ties_are_in_the_order_of_ids() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let logits: Vec<f32> = (0..5000).map(|_| [0.0, -0.0, 1.5][random.below(3)]).collect();
    for _ in 0..12 {
        let uniform = random.float().abs();
        let (top_k, top_p) = ([0, 900, 4000][random.below(3)], [0.4, 1.0][random.below(2)]);
        check(&device, &logits, 5000, Rule { temperature: 0.7, top_k, top_p, uniform });
    }
}

#[test]
fn a_whole_vocabulary_is_drawn_from() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let logits = logits(random, 76_800);
    for (top_k, top_p) in [(0, 1.0), (0, 0.9), (40, 0.95)] {
        let rule = Rule { temperature: 1.0, top_k, top_p, uniform: random.float().abs() };
        check(&device, &logits, 75_904, rule);
    }
}

/// Rows have the numbers that follow the count of choices so far, and begin again where the ring ends.
#[test]
fn rows_draw_by_the_numbers_that_come_next() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let (vocab, rule) = (900, Rule { temperature: 0.9, top_k: 50, top_p: 0.95, uniform: 0.0 });
    let rows = logits(random, 3 * vocab);
    let numbers: Vec<f32> = (0..4).map(|_| random.float().abs().min(0.999_999_9)).collect();
    let (buffer, uniforms) = (device.upload(&rows).unwrap(), device.upload(&numbers).unwrap());
    let (ring, count) = (device.pinned(4).unwrap(), device.pinned(1).unwrap());
    let mut next_rows = device.upload(&[Row::default()]).unwrap();
    let graph_out = &mut device.upload(&[NOBODY; 4]).unwrap();
    let graph = device
        .capture(|device| {
            device.sample(
                &buffer,
                3,
                vocab,
                vocab,
                rule.temperature,
                rule.top_k,
                rule.top_p,
                &uniforms,
                &count,
                graph_out,
            )?;
            device.next(&mut next_rows, 1, graph_out, &ring, &count)
        })
        .unwrap();
    for n_before in 0..6 {
        assert_eq!(count.get(0), Some(n_before as u32));
        graph.launch().unwrap();
        let choices = device.read(graph_out, 0..4).unwrap();
        assert_eq!(choices[3].is_finite, 99);
        for (row, choice) in choices[..3].iter().enumerate() {
            let uniform = numbers[(n_before + row) % 4];
            let alone =
                sample(&device, &rows[row * vocab..][..vocab], vocab, Rule { uniform, ..rule });
            assert_eq!(*choice, alone, "{n_before} {row}");
        }
        device.synchronize().unwrap();
    }
}

#[test]
fn choices_go_to_the_ring_and_to_the_rows() {
    let Some(device) = crate::device_for_test!() else { return };
    let row = |token, position, r#loop| Row { token, position, r#loop, reserved: 0 };
    let mut rows = device.upload(&[row(1, 9, 0), row(1, 9, 1), row(7, 7, 7)]).unwrap();
    let (ring, count) = (device.pinned(4).unwrap(), device.pinned(1).unwrap());
    for i in 0..10 {
        let chosen = Choice { token: 50 + i, log_probability: -0.5, is_finite: 1, position: 0 };
        let choice = device.upload(&[chosen]).unwrap();
        device.next(&mut rows, 2, &choice, &ring, &count).unwrap();
        device.synchronize().unwrap();
        assert_eq!(count.get(0), Some(i + 1));
        assert_eq!(ring.get(i as usize % 4), Some(Choice { position: 9 + i, ..chosen }));
        let expected = [row(50 + i, 10 + i, 0), row(50 + i, 10 + i, 1), row(7, 7, 7)];
        assert_eq!(device.read(&rows, 0..3).unwrap(), expected);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(device) = crate::device_for_test!() else { return };
    let logits = device.zeroed(8).unwrap();
    let mut out = device.zeroed(1).unwrap();
    let (uniforms, count) = (device.upload(&[0.5]).unwrap(), device.pinned(1).unwrap());
    let message = |result: crate::Result<()>| result.unwrap_err().to_string();
    assert_eq!(
        message(device.argmax(&logits, 2, 4, 4, &mut out)),
        "argmax: the choices is 1; expected at least 2"
    );
    assert_eq!(
        message(device.sample(&logits, 1, 9, 9, 1.0, 0, 1.0, &uniforms, &count, &mut out)),
        "sample: the logits is 8; expected at least 9"
    );
    assert_eq!(
        message(device.sample(&logits, 1, 1 << 18, 8, 1.0, 0, 1.0, &uniforms, &count, &mut out)),
        "sample: the vocabulary is 262144; expected at most 262143"
    );
}
