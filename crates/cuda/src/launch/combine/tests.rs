//! Merged splits against double precision, and attention as a whole.

use half::bf16;

use crate::Result;
use crate::device::Device;
use crate::launch::attention::reference::{Case, LAYER, Random, World};
use crate::launch::tile::reference::{Rounded, round};
use crate::matrix::OperandBuffer;
use crate::shapes::Row;

const SPLIT: usize = Device::ATTENTION_SPLIT;

/// Both forms of a result.
fn read(device: &Device, operand: &OperandBuffer) -> Result<Rounded> {
    Ok(Rounded {
        bf16: device.read(&operand.bf16, 0..operand.bf16.len())?,
        integers: device.read(&operand.integers, 0..operand.integers.len())?,
        scales: device.read(&operand.scales, 0..operand.scales.len())?,
    })
}

fn rows(places: &[(usize, usize)]) -> Vec<Row> {
    let row = |&(r#loop, position): &(usize, usize)| Row {
        token: 0,
        position: position as u32,
        r#loop: r#loop as u32,
        reserved: 0,
    };
    places.iter().map(row).collect()
}

/// Random partials, not a number where a row sees nothing.
fn partials(
    random: &mut Random,
    places: &[(usize, usize)],
    [n_heads, head_dim, max_splits]: [usize; 3],
) -> Vec<f32> {
    let stride = head_dim + 2;
    let mut partials =
        vec![f32::NAN; Device::partials_len(places.len(), n_heads, head_dim, max_splits)];
    for (i, partial) in partials.chunks_exact_mut(stride).enumerate() {
        let (row, slot) = (i / (n_heads * (max_splits + 1)), i % (max_splits + 1));
        let (r#loop, position) = places[row];
        let is_written = if slot == max_splits { r#loop != 0 } else { slot * SPLIT <= position };
        if is_written {
            let weights = 1.0 + 100.0 * random.float().abs();
            partial[0] = 20.0 * random.float();
            partial[1] = weights;
            partial[2..].fill_with(|| weights * random.float());
        }
    }
    partials
}

/// What the kernel is to compute, [rows, heads * head_dim].
fn merge(
    places: &[(usize, usize)],
    [n_heads, head_dim, max_splits]: [usize; 3],
    partials: &[f32],
    gates: &[f32],
) -> Vec<f64> {
    let stride = head_dim + 2;
    let mut merged = Vec::new();
    for (query, splits) in partials.chunks_exact((max_splits + 1) * stride).enumerate() {
        let (r#loop, position) = places[query / n_heads];
        let (splits, local) = splits.split_at(max_splits * stride);
        let splits: Vec<_> = splits.chunks_exact(stride).take(position / SPLIT + 1).collect();
        let largest = splits.iter().map(|split| f64::from(split[0])).fold(f64::MIN, f64::max);
        let (mut weights, mut sums) = (0.0, vec![0.0; head_dim]);
        for split in splits {
            let factor = (f64::from(split[0]) - largest).exp2();
            weights += factor * f64::from(split[1]);
            for (sum, value) in sums.iter_mut().zip(&split[2..]) {
                *sum += factor * f64::from(*value);
            }
        }
        let gate = if r#loop == 0 { 1.0 } else { f64::from(gates[query]) };
        for (i, sum) in sums.iter().enumerate() {
            let global = sum / weights;
            let local =
                if r#loop == 0 { 0.0 } else { f64::from(local[2 + i]) / f64::from(local[1]) };
            merged.push(local + (global - local) * gate);
        }
    }
    merged
}

/// Both forms stand for these numbers.
#[track_caller]
fn check(found: &Rounded, expected: &[f64], tolerance: f64) {
    for (i, expected) in expected.iter().enumerate() {
        let bf16 = found.bf16[i].to_f64();
        assert!(
            (bf16 - expected).abs() <= tolerance + expected.abs() / 256.0,
            "{i}: {bf16} {expected}"
        );
        let scale = f64::from(found.scales[i / 32]);
        let integer = scale * f64::from(found.integers[i]);
        assert!(
            (integer - expected).abs() <= tolerance + 0.51 * scale,
            "{i}: {integer} {expected}"
        );
    }
}

#[track_caller]
fn check_random(device: &Device, places: &[(usize, usize)], shape: [usize; 3]) {
    let random = &mut Random::fresh();
    let [n_heads, head_dim, max_splits] = shape;
    let partials = partials(random, places, shape);
    let gates: Vec<f32> =
        (0..places.len() * n_heads).map(|_| random.float().mul_add(0.5, 0.5)).collect();
    let run = || -> Result<Rounded> {
        let mut out = OperandBuffer::new(device, places.len(), n_heads * head_dim)?;
        let (of_rows, of_partials, of_gates) =
            (device.upload(&rows(places))?, device.upload(&partials)?, device.upload(&gates)?);
        let n_rows = places.len();
        device.combine(
            &of_rows,
            &of_partials,
            &of_gates,
            n_rows,
            n_heads,
            head_dim,
            max_splits,
            false,
            &mut out,
        )?;
        read(device, &out)
    };
    let found = run().unwrap();
    check(&found, &merge(places, shape, &partials, &gates), 1e-5);
    assert!(found.has_same_bits(&run().unwrap()));
}

#[test]
fn splits_are_merged_and_branches_mixed() {
    let Some(device) = crate::device_for_test!() else { return };
    check_random(&device, &[(0, 0)], [1, 32, 1]);
    check_random(&device, &[(0, 511), (1, 511), (2, 512)], [3, 32, 3]);
    check_random(&device, &[(1, 1100), (0, 3)], [5, 64, 4]);
    check_random(
        &device,
        &[(1, 40 * SPLIT), (0, 33 * SPLIT - 1), (0, 32 * SPLIT - 1)],
        [2, 128, 41],
    );
}

/// A row of one split whose weights are one is what its sums are, so that the rounding is seen to the bit.
#[test]
fn rounding_is_that_of_the_cpu() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let (n_heads, head_dim) = (4, 64);
    let values: Vec<f32> = (0..n_heads * head_dim)
        .map(|i| if i < 32 { 0.0 } else { random.float() * 2f32.powi(random.below(9) as i32) })
        .collect();
    let partials: Vec<f32> = values
        .chunks_exact(head_dim)
        .flat_map(|values| {
            let local = vec![f32::NAN; head_dim + 2];
            [&[3.0, 1.0], values, &local].concat()
        })
        .collect();
    let mut out = OperandBuffer::new(&device, 1, values.len()).unwrap();
    let of_rows = device.upload(&rows(&[(0, 2000)])).unwrap();
    let of_partials = device.upload(&partials).unwrap();
    let gates = device.upload(&vec![f32::NAN; n_heads]).unwrap();
    device
        .combine(&of_rows, &of_partials, &gates, 1, n_heads, head_dim, 1, true, &mut out)
        .unwrap();
    let (found, expected) = (read(&device, &out).unwrap(), round(&values));
    assert_eq!(found.integers, expected.integers);
    assert_eq!(found.scales, expected.scales);
    let rounded: Vec<bf16> = values.iter().map(|x| bf16::from_f32(*x)).collect();
    assert_eq!(found.bf16, rounded);
}

/// From queries and keys to the operand of the projection that follows.
#[test]
fn attention_as_a_whole() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let few = [(0, 600), (1, 600), (0, 601), (2, 7), (1, 510)].to_vec();
    let many: Vec<_> = (50..70).map(|position| (1, position)).collect();
    for (is_many, places, max_splits) in [(false, few, 2), (true, many, 1)] {
        let case = Case {
            n_heads: 4,
            n_kv_heads: 2,
            head_dim: 32,
            window: 9,
            rows: places,
            contrast: 1.0,
        };
        let world = World::new(&device, random, case.clone()).unwrap();
        let n_rows = case.rows.len();
        let n = Device::partials_len(n_rows, 4, 32, max_splits);
        let mut partials = device.upload(&vec![f32::NAN; n]).unwrap();
        let World { device_rows: rows, device_queries: queries, sequence, .. } = &world;
        let out = &mut partials;
        if is_many {
            for local in [false, true] {
                device
                    .attend_many(rows, sequence, queries, n_rows, 50, LAYER, 4, 2, 32, local, out)
                    .unwrap();
            }
        } else {
            device
                .attend_few(rows, sequence, queries, n_rows, LAYER, 4, 2, 32, max_splits, out)
                .unwrap();
        }
        let gates: Vec<f32> = (0..n_rows * 4).map(|_| random.float().abs()).collect();
        let of_gates = device.upload(&gates).unwrap();
        let mut out = OperandBuffer::new(&device, n_rows, 128).unwrap();
        device
            .combine(rows, &partials, &of_gates, n_rows, 4, 32, max_splits, is_many, &mut out)
            .unwrap();
        let mut expected = Vec::new();
        for (row, (r#loop, _)) in case.rows.iter().enumerate() {
            for head in 0..4 {
                let global = world.attend(row, head, 0, case.seen(row, false)).mean;
                if *r#loop == 0 {
                    expected.extend(global);
                    continue;
                }
                let local = world.attend(row, head, *r#loop, case.seen(row, true)).mean;
                let gate = f64::from(gates[row * 4 + head]);
                expected
                    .extend(global.iter().zip(&local).map(|(g, l)| g * gate + l * (1.0 - gate)));
            }
        }
        check(&read(&device, &out).unwrap(), &expected, 2e-3);
    }
}
