//! Row by row against double precision.

use half::{bf16, f16};

use crate::Result;
use crate::device::Device;
use crate::launch::attention::reference::Random;
use crate::launch::tile::reference::{Rounded, Stored, round};
use crate::matrix::{Format, MatrixShape, OperandBuffer, ScaleType};
use crate::shapes::{Loop, Row, Sequence};

const EPS: f32 = 1e-5;

fn row(token: usize, position: usize, r#loop: usize) -> Row {
    let [token, position, r#loop] = [token, position, r#loop].map(|n| n as u32);
    Row { token, position, r#loop, reserved: 0 }
}

fn read(device: &Device, operand: &OperandBuffer, n: usize) -> Result<Rounded> {
    Ok(Rounded {
        bf16: device.read(&operand.bf16, 0..n)?,
        integers: device.read(&operand.integers, 0..n)?,
        scales: device.read(&operand.scales, 0..n / 32)?,
    })
}

/// What the operand is of these numbers, up to what a last place of single precision makes of them.
#[track_caller]
fn check_operand(found: &Rounded, expected: &[f64]) {
    for (group, expected) in expected.chunks(32).enumerate() {
        let largest = expected.iter().fold(0f64, |largest, y| largest.max(y.abs()));
        let scale = f64::from(found.scales[group]);
        assert!((scale - largest / 127.0).abs() <= 1e-6 * largest / 127.0, "{group}");
        for (i, expected) in expected.iter().enumerate() {
            let (bf16, integer) = (found.bf16[group * 32 + i], found.integers[group * 32 + i]);
            assert!(
                (bf16.to_f64() - expected).abs() <= expected.abs() / 255.0,
                "{bf16} {expected}"
            );
            let error = (scale * f64::from(integer) - expected).abs();
            assert!(error <= 0.5001 * scale, "{integer} {expected}");
        }
    }
}

fn norm(x: &[f32], weight: &[f32]) -> Vec<f64> {
    let mean = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / x.len() as f64;
    let factor = 1.0 / (mean + f64::from(EPS)).sqrt();
    x.iter().zip(weight).map(|(x, weight)| f64::from(*x) * factor * f64::from(*weight)).collect()
}

#[test]
fn embeddings_of_all_formats_take_up_what_was_handed_on() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let shape = |format, group, scale_type| MatrixShape {
        format,
        n_outputs: 11,
        n_inputs: 320,
        group,
        scale_type,
    };
    for shape in [
        MatrixShape::bf16(11, 320),
        shape(Format::Int8, 64, ScaleType::Bf16),
        shape(Format::Int8, 32, ScaleType::F16),
        shape(Format::Int4, 64, ScaleType::Bf16),
        shape(Format::Int4, 32, ScaleType::F16),
    ] {
        let table = Stored::new(random, shape);
        let carried: Vec<Vec<f32>> = (0..2).map(|_| random.floats(9 * 320)).collect();
        let buffers: Vec<_> = carried.iter().map(|c| device.upload(c).unwrap()).collect();
        let mut sequence = Sequence { n_loops: 3, capacity: 9, ..Sequence::default() };
        for (of_loop, buffer) in sequence.loops.iter_mut().zip(&buffers) {
            of_loop.carried = buffer.address();
        }
        let rows =
            [row(3, 4, 0), row(3, 4, 1), row(10, 0, 1), row(0, 9, 2), row(10, 0, 2), row(7, 1, 2)];
        let mut states = device.upload(&vec![f32::NAN; 7 * 320]).unwrap();
        let (row_buffer, sequence) =
            (device.upload(&rows).unwrap(), device.upload(&[sequence]).unwrap());
        let matrix = table.upload(&device).unwrap();
        device.embed(&row_buffer, &sequence, &matrix, 6, 0.707, 0.053, 320, &mut states).unwrap();
        let states = device.read(&states, 0..7 * 320).unwrap();
        assert!(states[6 * 320..].iter().all(|x| x.is_nan()));
        for (i, state) in states[..6 * 320].iter().enumerate() {
            let (Row { token, position, r#loop, .. }, column) = (rows[i / 320], i % 320);
            let mut expected = table.values[token as usize * 320 + column];
            if r#loop != 0 {
                expected *= f64::from(0.707f32);
                if position != 0 {
                    let before =
                        carried[r#loop as usize - 1][(position as usize - 1) * 320 + column];
                    expected += f64::from(0.053f32) * f64::from(before);
                }
            }
            assert!(
                (f64::from(*state) - expected).abs() <= 1e-6,
                "{shape:?} {i}: {state} {expected}"
            );
        }
    }
}

#[test]
fn norms_of_rows_of_any_width() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for n in [32, 64, 704, 1056, 5120] {
        // More rows than share a row out among blocks.
        let n_rows = 17;
        let (x, weight) = (random.floats(n_rows * n), random.floats(n));
        let (states, weights) = (device.upload(&x).unwrap(), device.upload(&weight).unwrap());
        let mut out = OperandBuffer::new(&device, n_rows, n).unwrap();
        device.norm(&states, &weights, EPS, n_rows, n, &mut out).unwrap();
        let found = read(&device, &out, n_rows * n).unwrap();
        let expected: Vec<f64> = x.chunks(n).flat_map(|x| norm(x, &weight)).collect();
        check_operand(&found, &expected);
        let alone = device.upload(&x[n..2 * n]).unwrap();
        device.norm(&alone, &weights, EPS, 1, n, &mut out).unwrap();
        let alone = read(&device, &out, n).unwrap();
        assert_eq!(alone.integers, found.integers[n..2 * n]);
        assert_eq!(alone.scales, found.scales[n / 32..2 * n / 32]);
        assert_eq!(alone.bf16, found.bf16[n..2 * n]);
    }
}

/// With a mean square of 1 and weights of 1 a norm changes nothing: what comes is the rounding alone.
#[test]
fn an_operand_is_rounded_as_on_the_cpu() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let n = 1024;
    let mut x: Vec<f32> = (0..n).map(|_| 16.0 * random.float()).collect();
    x[..32].fill(0.0);
    // Halfway between two integers.
    for (i, x) in x[32..64].iter_mut().enumerate() {
        *x = (i as f32 - 16.0) + 0.5;
    }
    x[40] = 127.0;
    let weights = device.upload(&vec![1.0; n]).unwrap();
    let mut out = OperandBuffer::new(&device, 1, n).unwrap();
    // A factor of 1 needs the sum of squares of n, which this value of eps stands in for.
    let sum = x.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64;
    let eps = (2f64.powi(20) - sum) as f32;
    device.norm(&device.upload(&x).unwrap(), &weights, eps, 1, n, &mut out).unwrap();
    let found = read(&device, &out, n).unwrap();
    let scaled: Vec<f32> = x.iter().map(|x| x / 1024.0).collect();
    assert!(found.has_same_bits(&round(&scaled)));
}

#[test]
fn what_is_not_a_number_is_not_lost() {
    let Some(device) = crate::device_for_test!() else { return };
    let weights = device.upload(&[1.0; 64]).unwrap();
    for lost in [f32::NAN, f32::INFINITY] {
        let mut x = vec![1.0; 2 * 64];
        x[70] = lost;
        let mut out = OperandBuffer::new(&device, 2, 64).unwrap();
        device.norm(&device.upload(&x).unwrap(), &weights, EPS, 2, 64, &mut out).unwrap();
        let found = read(&device, &out, 2 * 64).unwrap();
        assert!(found.scales[..2].iter().all(|scale| scale.is_finite()));
        assert!(found.bf16[70].is_nan());
        assert!(found.scales[2..].iter().any(|scale| !scale.is_finite()));
    }
}

#[test]
fn states_are_handed_on_or_read_out() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let n = 96;
    for normalize in [true, false] {
        let (x, weight) = (random.floats(4 * n), random.floats(n));
        let carried: Vec<_> =
            (0..2).map(|_| device.upload(&vec![f32::NAN; 5 * n]).unwrap()).collect();
        let mut sequence = Sequence { n_loops: 3, capacity: 5, ..Sequence::default() };
        for (of_loop, carried) in sequence.loops.iter_mut().zip(&carried) {
            *of_loop = Loop { carried: carried.address(), ..Loop::default() };
        }
        let rows = [row(0, 4, 0), row(0, 0, 1), row(0, 4, 2), row(0, 2, 1)];
        let mut out = round(&vec![f32::NAN; 4 * n]).upload(&device, n).unwrap();
        device
            .hand_on(
                &device.upload(&rows).unwrap(),
                &device.upload(&[sequence]).unwrap(),
                &device.upload(&x).unwrap(),
                &device.upload(&weight).unwrap(),
                EPS,
                4,
                n,
                normalize,
                &mut out,
            )
            .unwrap();
        let found = read(&device, &out, 4 * n).unwrap();
        let last = Rounded {
            bf16: found.bf16[2 * n..3 * n].to_vec(),
            integers: found.integers[2 * n..3 * n].to_vec(),
            scales: found.scales[2 * n / 32..3 * n / 32].to_vec(),
        };
        check_operand(&last, &norm(&x[2 * n..3 * n], &weight));
        assert!(found.bf16[..2 * n].iter().chain(&found.bf16[3 * n..]).all(|x| x.is_nan()));
        for (r#loop, carried) in carried.iter().enumerate() {
            let carried = device.read(carried, 0..5 * n).unwrap();
            for (position, found) in carried.chunks(n).enumerate() {
                let from = rows.iter().position(|row| {
                    row.r#loop as usize == r#loop && row.position as usize == position
                });
                let Some(from) = from else {
                    assert!(found.iter().all(|x| x.is_nan()));
                    continue;
                };
                let x = &x[from * n..][..n];
                if normalize {
                    for (found, expected) in found.iter().zip(norm(x, &weight)) {
                        assert!((f64::from(*found) - expected).abs() <= 1e-6 * expected.abs());
                    }
                } else {
                    assert_eq!(found, x);
                }
            }
        }
    }
}

#[test]
fn gates_are_logistic_and_open_in_the_first_loop() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let pattern = [row(0, 5, 1), row(0, 5, 0), row(0, 5, 2), row(0, 6, 0)];
    for (n_rows, n_heads, hidden) in [(4, 1, 32), (4, 11, 704), (16, 40, 1056), (20, 40, 1056)] {
        let x = random.floats(n_rows * hidden);
        let (weight, bias) = (random.floats(hidden), random.floats(n_heads));
        let w: Vec<bf16> = (0..n_heads * hidden).map(|_| bf16::from_f32(random.float())).collect();
        let rows: Vec<Row> = pattern.iter().copied().cycle().take(n_rows).collect();
        let [states, norm_weight, biases] =
            [&x, &weight, &bias].map(|values| device.upload(values).unwrap());
        let (rows, w_buffer) = (device.upload(&rows).unwrap(), device.upload(&w).unwrap());
        let gates_of = |n_rows: usize| {
            let mut gates = device.upload(&vec![f32::NAN; (n_rows + 1) * n_heads]).unwrap();
            let of_norm = &norm_weight;
            device
                .gate(
                    &rows, &states, of_norm, EPS, &w_buffer, &biases, n_rows, hidden, n_heads,
                    &mut gates,
                )
                .unwrap();
            device.read(&gates, 0..gates.len()).unwrap()
        };
        let (gates, alone) = (gates_of(n_rows), gates_of(1));
        assert_eq!(alone[..n_heads], gates[..n_heads]);
        assert!(gates[n_rows * n_heads..].iter().all(|x| x.is_nan()));
        for (i, gate) in gates[..n_rows * n_heads].iter().enumerate() {
            let (row, head) = (i / n_heads, i % n_heads);
            if row % 2 == 1 {
                assert_eq!(*gate, 1.0);
                continue;
            }
            let normed = norm(&x[row * hidden..][..hidden], &weight);
            let terms =
                normed.iter().zip(&w[head * hidden..][..hidden]).map(|(x, w)| x * w.to_f64());
            let logit = terms.sum::<f64>() + f64::from(bias[head]);
            let expected = 1.0 / (1.0 + (-logit).exp());
            assert!((f64::from(*gate) - expected).abs() <= 1e-5, "{gate} {expected}");
        }
    }
}

/// Half precision has subnormal scales, and bfloat16 scales that no half has.
#[test]
fn scales_of_16_bits_are_what_they_say() {
    let Some(device) = crate::device_for_test!() else { return };
    let sequence = device.upload(&[Sequence::default()]).unwrap();
    let rows = device.upload(&[row(0, 0, 0)]).unwrap();
    for (bits, scale_type, expected) in [
        (f16::from_bits(3).to_bits(), ScaleType::F16, f16::from_bits(3).to_f32()),
        (f16::from_f32(-0.37).to_bits(), ScaleType::F16, f16::from_f32(-0.37).to_f32()),
        (bf16::from_f32(1e-30).to_bits(), ScaleType::Bf16, bf16::from_f32(1e-30).to_f32()),
    ] {
        let shape =
            MatrixShape { format: Format::Int8, n_outputs: 1, n_inputs: 32, group: 32, scale_type };
        let table = crate::Matrix::upload(&device, shape, &[0xFE; 32], &[bits]).unwrap();
        let mut states = device.poisoned(32).unwrap();
        device.embed(&rows, &sequence, &table, 1, 1.0, 1.0, 32, &mut states).unwrap();
        assert_eq!(device.read(&states, 0..32).unwrap(), [-2.0 * expected; 32]);
    }
}
