//! Products on a device against double precision, and against themselves in other blocks and with other rows.

use super::Blocks;
use super::reference::{Rounded, Stored, round};
use crate::Result;
use crate::device::Device;
use crate::launch::attention::reference::Random;
use crate::matrix::{Format, MatrixShape, OperandBuffer, ScaleType};

const BLOCKS: [Blocks; 2] = [Blocks::Large, Blocks::Small];

/// Rounding of sums in single precision, of the sum of magnitudes.
const TOLERANCE: f64 = 1e-6;

/// Formats with their groups, for as many inputs as all of them take.
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
        shape(Format::Int4, 64, ScaleType::Bf16),
    ]
}

/// Products in these blocks; what stands behind them stays as it is.
fn tile(
    device: &Device,
    blocks: Blocks,
    x: &Rounded,
    w: &Stored,
    before: Option<&[f32]>,
) -> Result<Vec<f32>> {
    let MatrixShape { n_outputs, n_inputs, .. } = w.shape;
    let n_rows = x.bf16.len() / n_inputs;
    let mut y = vec![f32::NAN; n_rows * n_outputs + 64];
    if let Some(before) = before {
        y[..before.len()].copy_from_slice(before);
    }
    let mut y = device.upload(&y)?;
    let (operand, matrix) = (x.upload(device, n_inputs)?, w.upload(device)?);
    device.tile_in(blocks, &operand, &matrix, n_rows, &mut y, before.is_some())?;
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
    let expected = w.products(&x);
    let mut all = Vec::new();
    for blocks in BLOCKS {
        let found = tile(device, blocks, &x, &w, None).unwrap();
        for (i, (found, [expected, magnitude])) in found.iter().zip(&expected).enumerate() {
            let error = (f64::from(*found) - expected).abs();
            let place = [i / shape.n_outputs, i % shape.n_outputs];
            assert!(
                error <= TOLERANCE * magnitude,
                "{shape:?} {n_rows} {blocks:?} {place:?}: {found} {expected}"
            );
        }
        let before = random.floats(found.len());
        let added = tile(device, blocks, &x, &w, Some(&before)).unwrap();
        let sum: Vec<f32> = before.iter().zip(&found).map(|(before, y)| before + y).collect();
        assert!(has_same_bits(&added, &sum), "{shape:?} {n_rows} {blocks:?}");
        all.push(found);
    }
    assert!(has_same_bits(&all[0], &all[1]), "{shape:?} {n_rows}");
}

#[test]
fn products_of_all_formats() {
    let Some(device) = crate::device_for_test!() else { return };
    for shape in formats() {
        check(&device, MatrixShape { n_outputs: 150, n_inputs: 256, ..shape }, 70);
        check(&device, MatrixShape { n_outputs: 8, n_inputs: 128, ..shape }, 1);
    }
}

#[test]
fn products_of_any_number_of_rows_and_outputs() {
    let Some(device) = crate::device_for_test!() else { return };
    for (n_rows, n_outputs, n_inputs) in [(129, 1, 32), (17, 131, 96), (64, 64, 160), (2, 33, 32)] {
        for shape in formats() {
            if n_inputs % shape.group.max(32) == 0 {
                check(&device, MatrixShape { n_outputs, n_inputs, ..shape }, n_rows);
            }
        }
    }
}

#[test]
fn a_row_has_the_same_bits_alone() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for shape in formats() {
        let shape = MatrixShape { n_outputs: 40, n_inputs: 128, ..shape };
        let (rows, w) = (random.floats(33 * 128), Stored::new(random, shape));
        let all = tile(&device, Blocks::Large, &round(&rows), &w, None).unwrap();
        for row in [0, 20, 32] {
            let alone = round(&rows[row * 128..(row + 1) * 128]);
            let alone = tile(&device, Blocks::Small, &alone, &w, None).unwrap();
            assert!(has_same_bits(&alone, &all[row * 40..(row + 1) * 40]), "{shape:?} {row}");
        }
    }
}

fn tile_swiglu(device: &Device, blocks: Blocks, x: &Rounded, w: [&Stored; 2]) -> Result<Rounded> {
    let MatrixShape { n_outputs, n_inputs, .. } = w[0].shape;
    let n_rows = x.bf16.len() / n_inputs;
    let mut y = OperandBuffer::new(device, n_rows, n_outputs)?;
    let (operand, gate, up) =
        (x.upload(device, n_inputs)?, w[0].upload(device)?, w[1].upload(device)?);
    device.tile_swiglu_in(blocks, &operand, &gate, &up, n_rows, &mut y)?;
    Ok(Rounded {
        bf16: device.read(&y.bf16, 0..y.bf16.len())?,
        integers: device.read(&y.integers, 0..y.integers.len())?,
        scales: device.read(&y.scales, 0..y.scales.len())?,
    })
}

#[track_caller]
fn check_swiglu(device: &Device, shape: MatrixShape, n_rows: usize) {
    let random = &mut Random::fresh();
    let x = round(&random.floats(n_rows * shape.n_inputs));
    let (gate, up) = (Stored::new(random, shape), Stored::new(random, shape));
    let products = gate.products(&x).into_iter().zip(up.products(&x));
    let expected: Vec<f64> =
        products.map(|([gate, _], [up, _])| gate / (1.0 + (-gate).exp()) * up).collect();
    let large = tile_swiglu(device, Blocks::Large, &x, [&gate, &up]).unwrap();
    let small = tile_swiglu(device, Blocks::Small, &x, [&gate, &up]).unwrap();
    assert!(large.has_same_bits(&small), "{shape:?} {n_rows}");
    for (group, expected) in expected.chunks(32).enumerate() {
        let range = group * 32..(group + 1) * 32;
        let largest = expected.iter().fold(0f64, |largest, y| largest.max(y.abs()));
        let scale = f64::from(large.scales[group]);
        assert!(
            (scale * 127.0 / largest - 1.0).abs() <= 1e-4,
            "{shape:?} {n_rows}: {scale} {largest}"
        );
        let integers = &large.integers[range.clone()];
        for ((expected, integer), bf16) in expected.iter().zip(integers).zip(&large.bf16[range]) {
            let place = format!("{shape:?} {n_rows} group {group}: {expected} {integer} {bf16}");
            let error = (scale * f64::from(*integer) - expected).abs();
            assert!(error <= 0.51 * scale, "{place}");
            let error = (bf16.to_f64() - expected).abs();
            assert!(error <= expected.abs() / 256.0 + 1e-4 * largest, "{place}");
        }
    }
}

#[test]
fn swiglu_of_all_formats() {
    let Some(device) = crate::device_for_test!() else { return };
    for shape in formats() {
        check_swiglu(&device, MatrixShape { n_outputs: 96, n_inputs: 128, ..shape }, 70);
        check_swiglu(&device, MatrixShape { n_outputs: 32, n_inputs: 128, ..shape }, 3);
    }
}

/// A scale that is not a number says so in both forms.
#[test]
fn what_is_not_a_number_is_not_lost() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let shape = MatrixShape::bf16(32, 64);
    let mut x = random.floats(3 * 64);
    x[64] = f32::NAN;
    let mut rounded = round(&x);
    rounded.scales[2] = f32::NAN;
    for shape in [shape, MatrixShape { format: Format::Int8, group: 64, ..shape }] {
        let (gate, up) = (Stored::new(random, shape), Stored::new(random, shape));
        let y = tile_swiglu(&device, Blocks::Small, &rounded, [&gate, &up]).unwrap();
        let is_nan: Vec<bool> = y.scales.iter().map(|scale| scale.is_nan()).collect();
        assert_eq!(is_nan, [false, true, false]);
        assert!(y.bf16[32..64].iter().all(|y| y.is_nan()));
    }
}
