//! Products of few rows against double precision, and against themselves with other rows.

use crate::Result;
use crate::device::Device;
use crate::launch::attention::reference::Random;
use crate::launch::tile::reference::{Rounded, Stored, round};
use crate::matrix::{Format, MatrixShape, OperandBuffer, ScaleType};

/// Rounding of sums in single precision, of the sum of magnitudes; tensor cores cut off what does not fit.
const TOLERANCE: f64 = 3e-6;

const MOST: usize = Device::MOST_SKINNY_ROWS;

fn formats() -> Vec<MatrixShape> {
    let shape = |format, group, scale_type| MatrixShape {
        format,
        n_outputs: 0,
        n_inputs: 0,
        group,
        scale_type,
    };
    vec![
        MatrixShape::bf16(0, 0),
        shape(Format::Int8, 32, ScaleType::F16),
        shape(Format::Int8, 64, ScaleType::Bf16),
        shape(Format::Int8, 128, ScaleType::Bf16),
        shape(Format::Int4, 32, ScaleType::F16),
        shape(Format::Int4, 32, ScaleType::Bf16),
        shape(Format::Int4, 64, ScaleType::Bf16),
        shape(Format::Int4, 64, ScaleType::F16),
    ]
}

/// All formats that rows of so many inputs can have.
fn shapes(n_outputs: usize, n_inputs: usize) -> Vec<MatrixShape> {
    let fits = |shape: &MatrixShape| n_inputs.is_multiple_of(shape.group.max(32));
    let sized = |shape| MatrixShape { n_outputs, n_inputs, ..shape };
    formats().into_iter().filter(fits).map(sized).collect()
}

/// Products; what stands behind them stays as it is.
fn skinny(device: &Device, x: &Rounded, w: &Stored, before: Option<&[f32]>) -> Result<Vec<f32>> {
    let MatrixShape { n_outputs, n_inputs, .. } = w.shape;
    let n_rows = x.bf16.len() / n_inputs;
    let mut y = vec![f32::NAN; n_rows * n_outputs + 64];
    if let Some(before) = before {
        y[..before.len()].copy_from_slice(before);
    }
    let mut y = device.upload(&y)?;
    let (operand, matrix) = (x.upload(device, n_inputs)?, w.upload(device)?);
    device.skinny(&operand, &matrix, n_rows, &mut y, before.is_some())?;
    let y = device.read(&y, 0..n_rows * n_outputs + 64)?;
    assert!(y[n_rows * n_outputs..].iter().all(|y| y.is_nan()));
    Ok(y[..n_rows * n_outputs].to_vec())
}

fn has_same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().map(|x| x.to_bits()).eq(b.iter().map(|x| x.to_bits()))
}

#[track_caller]
fn check(device: &Device, shape: MatrixShape, n_rows: usize) {
    let random = &mut Random::fresh();
    let (x, w) = (round(&random.floats(n_rows * shape.n_inputs)), Stored::new(random, shape));
    let found = skinny(device, &x, &w, None).unwrap();
    for (i, (found, [expected, magnitude])) in found.iter().zip(w.products(&x)).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        let place = [i / shape.n_outputs, i % shape.n_outputs];
        let is_good = error <= TOLERANCE * magnitude;
        assert!(is_good, "{shape:?} {n_rows} {place:?}: {found} {expected}");
    }
    assert!(has_same_bits(&found, &skinny(device, &x, &w, None).unwrap()), "{shape:?} {n_rows}");
    let before = random.floats(found.len());
    let added = skinny(device, &x, &w, Some(&before)).unwrap();
    let sum: Vec<f32> = before.iter().zip(&found).map(|(before, y)| before + y).collect();
    assert!(has_same_bits(&added, &sum), "{shape:?} {n_rows}");
}

#[test]
fn products_of_1_to_16_rows() {
    let Some(device) = crate::device_for_test!() else { return };
    for shape in shapes(70, 256) {
        for n_rows in 1..=MOST {
            check(&device, shape, n_rows);
        }
    }
}

#[test]
fn products_of_any_number_of_outputs_and_inputs() {
    let Some(device) = crate::device_for_test!() else { return };
    for (n_outputs, n_inputs) in [
        (1, 32),
        (16, 64),
        (17, 96),
        (31, 160),
        (33, 448),
        (32, 704),
        (47, 1056),
        (64, 1184),
        (8, 2112),
        (3, 5120),
    ] {
        for shape in shapes(n_outputs, n_inputs) {
            for n_rows in [1, 2, 16] {
                check(&device, shape, n_rows);
            }
        }
    }
}

#[test]
fn the_longest_rows() {
    let Some(device) = crate::device_for_test!() else { return };
    for shape in shapes(18, 27648) {
        check(&device, shape, 3);
    }
}

#[test]
fn a_row_has_the_same_bits_alone_and_beside_any_others() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for shape in shapes(40, 1152) {
        let n_inputs = shape.n_inputs;
        let (mut rows, w) = (random.floats(MOST * n_inputs), Stored::new(random, shape));
        // Three that are not to spoil the others.
        for row in [3, 7, 14] {
            rows[row * n_inputs..][..n_inputs].fill(f32::NAN);
        }
        let all = skinny(&device, &round(&rows), &w, None).unwrap();
        for n_rows in [1, 2, 5, 8, 9, 13] {
            let first = random.below(MOST - n_rows + 1);
            let some = round(&rows[first * n_inputs..][..n_rows * n_inputs]);
            let some = skinny(&device, &some, &w, None).unwrap();
            for row in 0..n_rows {
                if rows[(first + row) * n_inputs].is_nan() {
                    continue;
                }
                let (alone, among) = (&some[row * 40..][..40], &all[(first + row) * 40..][..40]);
                assert!(has_same_bits(alone, among), "{shape:?} {n_rows} {first} {row}");
                assert!(alone.iter().all(|y| y.is_finite()), "{shape:?} {n_rows} {first} {row}");
            }
        }
    }
}

fn swiglu(device: &Device, x: &Rounded, [gate, up]: [&Stored; 2]) -> Result<Rounded> {
    let MatrixShape { n_outputs, n_inputs, .. } = gate.shape;
    let n_rows = x.bf16.len() / n_inputs;
    // A row more than there are, which stays as it is.
    let poison = round(&vec![f32::NAN; (n_rows + 1) * n_outputs]);
    let mut y = poison.upload(device, n_outputs)?;
    let (operand, gate, up) =
        (x.upload(device, n_inputs)?, gate.upload(device)?, up.upload(device)?);
    device.skinny_swiglu(&operand, &gate, &up, n_rows, &mut y)?;
    let n = n_rows * n_outputs;
    assert!(device.read(&y.bf16, n..n + n_outputs)?.iter().all(|y| y.is_nan()));
    Ok(Rounded {
        bf16: device.read(&y.bf16, 0..n)?,
        integers: device.read(&y.integers, 0..n)?,
        scales: device.read(&y.scales, 0..n / 32)?,
    })
}

#[track_caller]
fn check_swiglu(device: &Device, shape: MatrixShape, n_rows: usize) {
    let random = &mut Random::fresh();
    let x = round(&random.floats(n_rows * shape.n_inputs));
    let (gate, up) = (Stored::new(random, shape), Stored::new(random, shape));
    let found = swiglu(device, &x, [&gate, &up]).unwrap();
    let expected: Vec<[f64; 2]> = gate
        .products(&x)
        .iter()
        .zip(up.products(&x))
        .map(|([gate, of_gate], [up, of_up])| {
            let silu = gate / (1.0 + (-gate).exp());
            // Silu is nowhere steeper than 1.1.
            [silu * up, TOLERANCE * (1.1 * of_gate * up.abs() + silu.abs() * of_up)]
        })
        .collect();
    for (group, expected) in expected.chunks(32).enumerate() {
        let largest = expected.iter().map(|[y, _]| y.abs()).fold(0.0, f64::max);
        let most_wrong =
            expected.iter().map(|[_, error]| *error).fold(0.0, f64::max) + 1e-6 * largest;
        let scale = f64::from(found.scales[group]);
        assert!(
            (scale - largest / 127.0).abs() <= most_wrong / 127.0,
            "{shape:?} {n_rows} {group}"
        );
        for (i, [expected, error]) in expected.iter().enumerate() {
            let at = group * 32 + i;
            let (bf16, integer) = (found.bf16[at].to_f64(), found.integers[at]);
            let error = error + 1e-6 * expected.abs();
            assert!(
                (bf16 - expected).abs() <= error + expected.abs() / 256.0,
                "{shape:?} {n_rows} {at}: {bf16} {expected}"
            );
            let value = scale * f64::from(integer);
            assert!(
                (value - expected).abs() <= most_wrong + 0.5001 * scale,
                "{shape:?} {n_rows} {at}: {value} {expected}"
            );
        }
    }
    let again = swiglu(device, &x, [&gate, &up]).unwrap();
    assert!(found.has_same_bits(&again), "{shape:?} {n_rows}");
}

#[test]
fn swiglu_of_all_formats() {
    let Some(device) = crate::device_for_test!() else { return };
    for (n_outputs, n_inputs, rows) in [
        (32, 256, vec![1, 2, 8, 9, 16]),
        (96, 704, vec![2]),
        (64, 32, vec![3]),
        (32, 1184, vec![16]),
    ] {
        for shape in shapes(n_outputs, n_inputs) {
            for n_rows in &rows {
                check_swiglu(&device, shape, *n_rows);
            }
        }
    }
}

#[test]
fn swiglu_of_a_row_has_the_same_bits_alone() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for shape in shapes(64, 640) {
        let rows = random.floats(MOST * 640);
        let (gate, up) = (Stored::new(random, shape), Stored::new(random, shape));
        let all = swiglu(&device, &round(&rows), [&gate, &up]).unwrap();
        for row in [0, 7, 8, 15] {
            let alone = swiglu(&device, &round(&rows[row * 640..][..640]), [&gate, &up]).unwrap();
            let among = Rounded {
                bf16: all.bf16[row * 64..][..64].to_vec(),
                integers: all.integers[row * 64..][..64].to_vec(),
                scales: all.scales[row * 2..][..2].to_vec(),
            };
            assert!(alone.has_same_bits(&among), "{shape:?} {row}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(device) = crate::device_for_test!() else { return };
    let matrix = |n_outputs, n_inputs| {
        Stored::new(&mut Random::fresh(), MatrixShape::bf16(n_outputs, n_inputs))
            .upload(&device)
            .unwrap()
    };
    let (w, other) = (matrix(48, 64), matrix(32, 64));
    let x = OperandBuffer::new(&device, 17, 64).unwrap();
    let mut y = device.zeroed(16 * 48).unwrap();
    let mut operand = OperandBuffer::new(&device, 16, 48usize.next_multiple_of(32)).unwrap();
    let message = |result: Result<()>| result.unwrap_err().to_string();
    assert_eq!(
        message(device.skinny(&x, &w, 17, &mut y, false)),
        "skinny_bf16_16: the number of rows is 17; expected at most 16"
    );
    assert_eq!(
        message(device.skinny(&x, &matrix(48, 96), 2, &mut y, false)),
        "skinny_bf16: the operand is 64; expected 96"
    );
    assert_eq!(
        message(device.skinny(&x, &matrix(49, 64), 16, &mut y, false)),
        "skinny_bf16_16: the products is 768; expected at least 784"
    );
    assert!(
        message(device.skinny_swiglu(&x, &w, &other, 2, &mut operand)).contains("outputs of up")
    );
    assert!(
        message(device.skinny_swiglu(&x, &w, &w, 2, &mut operand)).contains("a multiple of 32")
    );
    device.skinny(&x, &w, 0, &mut y, false).unwrap();
}
