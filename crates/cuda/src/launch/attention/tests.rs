//! Attention on a device against the same in double precision, and against itself with other rows beside it.

use std::ops::Range;

use super::reference::{Case, LAYER, Random, World};
use crate::Result;
use crate::device::Device;

const SPLIT: usize = Device::ATTENTION_SPLIT;

/// Weights are rounded to half precision; values are below 2.
const TOLERANCE: f64 = 2e-3;

/// Partials of the rows `rows` of a world.
fn attend_few(device: &Device, world: &World, max_splits: usize) -> Result<Vec<f32>> {
    let Case { n_heads, n_kv_heads, head_dim, .. } = world.case;
    let n_rows = world.case.rows.len();
    let n = Device::partials_len(n_rows, n_heads, head_dim, max_splits);
    let mut partials = device.upload(&vec![f32::NAN; n])?;
    device.attend_few(
        &world.device_rows,
        &world.sequence,
        &world.device_queries,
        n_rows,
        LAYER,
        n_heads,
        n_kv_heads,
        head_dim,
        max_splits,
        &mut partials,
    )?;
    device.read(&partials, 0..n)
}

/// Partials with one split; both calls write the same buffer.
fn attend_many(device: &Device, world: &World, is_local: &[bool]) -> Result<Vec<f32>> {
    let Case { n_heads, n_kv_heads, head_dim, .. } = world.case;
    let n_rows = world.case.rows.len();
    let n = Device::partials_len(n_rows, n_heads, head_dim, 1);
    let mut partials = device.upload(&vec![f32::NAN; n])?;
    for local in is_local {
        device.attend_many(
            &world.device_rows,
            &world.sequence,
            &world.device_queries,
            n_rows,
            world.case.rows[0].1,
            LAYER,
            n_heads,
            n_kv_heads,
            head_dim,
            *local,
            &mut partials,
        )?;
    }
    device.read(&partials, 0..n)
}

/// The partial of a query and a slot.
fn partial(case: &Case, partials: &[f32], max_splits: usize, at: [usize; 3]) -> Vec<f32> {
    let [row, head, slot] = at;
    let stride = case.head_dim + 2;
    let first = ((row * case.n_heads + head) * (max_splits + 1) + slot) * stride;
    partials[first..first + stride].to_vec()
}

/// `found` is the partial of these keys, or was never written if there are none.
#[track_caller]
fn check(world: &World, found: &[f32], at: [usize; 3], r#loop: usize, positions: Range<usize>) {
    let [row, head, slot] = at;
    let place = format!("{:?} row {row} head {head} slot {slot}", world.case);
    if positions.is_empty() {
        assert!(found.iter().all(|x| x.to_bits() == f32::NAN.to_bits()), "{place} was written");
        return;
    }
    let expected = world.attend(row, head, r#loop, positions);
    let [largest, weights] = [f64::from(found[0]), f64::from(found[1])];
    assert!((largest - expected.largest).abs() <= 1e-3, "{place}: {largest} {expected:?}");
    let error = (weights / expected.weights - 1.0).abs();
    assert!(error <= 2e-3, "{place}: {weights} {expected:?}");
    for (found, expected) in found[2..].iter().zip(&expected.mean) {
        let found = f64::from(*found) / weights;
        assert!((found - expected).abs() <= TOLERANCE, "{place}: {found} instead of {expected}");
    }
}

#[track_caller]
fn check_few(device: &Device, random: &mut Random, case: Case) {
    let world = World::new(device, random, case.clone()).unwrap();
    let last = case.rows.iter().map(|(_, position)| *position).max().unwrap();
    let max_splits = last / SPLIT + 1 + random.below(2);
    let partials = attend_few(device, &world, max_splits).unwrap();
    for (row, &(r#loop, position)) in case.rows.iter().enumerate() {
        for head in 0..case.n_heads {
            for split in 0..max_splits {
                let at = [row, head, split];
                let keys = split * SPLIT..(position + 1).min((split + 1) * SPLIT);
                check(&world, &partial(&case, &partials, max_splits, at), at, 0, keys);
            }
            let at = [row, head, max_splits];
            let keys = if r#loop == 0 { 0..0 } else { case.seen(row, true) };
            check(&world, &partial(&case, &partials, max_splits, at), at, r#loop, keys);
        }
    }
}

#[track_caller]
fn check_many(device: &Device, random: &mut Random, case: Case, is_local: &[bool]) {
    let world = World::new(device, random, case.clone()).unwrap();
    let partials = attend_many(device, &world, is_local).unwrap();
    for row in 0..case.rows.len() {
        for head in 0..case.n_heads {
            for local in [false, true] {
                let at = [row, head, usize::from(local)];
                let r#loop = if local { case.rows[row].0 } else { 0 };
                let keys = if is_local.contains(&local) { case.seen(row, local) } else { 0..0 };
                check(&world, &partial(&case, &partials, 1, at), at, r#loop, keys);
            }
        }
    }
}

fn case(heads: [usize; 3], window: usize, rows: &[(usize, usize)]) -> Case {
    let [n_heads, n_kv_heads, head_dim] = heads;
    Case { n_heads, n_kv_heads, head_dim, window, rows: rows.to_vec(), contrast: 1.0 }
}

/// Rows of a loop at consecutive positions.
fn chunk(heads: [usize; 3], window: usize, r#loop: usize, positions: Range<usize>) -> Case {
    case(heads, window, &positions.map(|position| (r#loop, position)).collect::<Vec<_>>())
}

#[test]
fn one_row_at_the_edges_of_steps_and_splits() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for position in [0, 1, 15, 16, 63, 64, 65, 66, 511, 512, 513] {
        check_few(&device, random, case([2, 1, 32], 5, &[(0, position)]));
    }
    check_few(&device, random, case([2, 2, 32], 5, &[(0, 1100)]));
}

#[test]
fn loops_of_a_token_see_their_windows() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for window in [1, 5, 64] {
        for position in [0, 4, 5, 6, 63, 64, 65, 200] {
            let rows = [(0, position), (1, position), (2, position)];
            check_few(&device, random, case([3, 1, 32], window, &rows));
        }
    }
    check_few(&device, random, case([4, 2, 64], 64, &[(0, 700), (1, 700)]));
    check_few(&device, random, case([5, 1, 128], 64, &[(0, 530), (1, 530)]));
    check_few(&device, random, case([2, 2, 128], 200, &[(0, 300), (1, 300)]));
}

#[test]
fn rows_of_speculation_see_each_their_own() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let rows: Vec<_> =
        (508..516).map(|position| (0, position)).chain((505..513).map(|p| (1, p))).collect();
    check_few(&device, random, case([5, 1, 32], 5, &rows));
    check_few(&device, random, case([2, 2, 64], 64, &rows[..11]));
    // Out of order, far from each other, and twice the same.
    let rows = [(1, 600), (2, 3), (0, 40), (1, 17), (0, 600), (1, 3), (2, 3), (3, 100)];
    check_few(&device, random, case([6, 2, 32], 5, &rows));
}

#[test]
fn large_scores_overflow_nothing() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let wild = Case { contrast: 40.0, ..case([2, 1, 32], 5, &[(0, 100), (1, 100)]) };
    check_few(&device, random, wild);
    let wild = Case { contrast: 40.0, ..chunk([2, 1, 32], 5, 1, 90..110) };
    check_many(&device, random, wild, &[false, true]);
}

/// Every row of a crowd gets what it gets alone, and again the same.
#[test]
fn a_row_has_the_same_bits_alone_and_among_sixteen() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for (heads, window) in [([3, 1, 32], 5), ([2, 2, 64], 64)] {
        let rows: Vec<_> = (0..16)
            .map(|i| (i % 3, if i < 8 { 505 + random.below(12) } else { random.below(560) }))
            .collect();
        let crowd = World::new(&device, random, case(heads, window, &rows)).unwrap();
        let of_crowd = attend_few(&device, &crowd, 2).unwrap();
        let again = attend_few(&device, &crowd, 2).unwrap();
        assert!(of_crowd.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()));
        let width = crowd.case.n_heads * crowd.case.head_dim;
        for (row, place) in rows.iter().enumerate() {
            let mut alone = Case { rows: vec![*place], ..crowd.case.clone() };
            let queries = &crowd.queries[row * width..(row + 1) * width];
            let (device_rows, device_queries) = (
                device.upload(&[device.read(&crowd.device_rows, row..row + 1).unwrap()[0]]),
                device.upload(queries),
            );
            let n = Device::partials_len(1, alone.n_heads, alone.head_dim, 2);
            let mut partials = device.upload(&vec![f32::NAN; n]).unwrap();
            device
                .attend_few(
                    &device_rows.unwrap(),
                    &crowd.sequence,
                    &device_queries.unwrap(),
                    1,
                    LAYER,
                    alone.n_heads,
                    alone.n_kv_heads,
                    alone.head_dim,
                    2,
                    &mut partials,
                )
                .unwrap();
            let partials = device.read(&partials, 0..n).unwrap();
            alone.rows.clear();
            for head in 0..alone.n_heads {
                for slot in 0..3 {
                    let expected = partial(&alone, &partials, 2, [0, head, slot]);
                    let found = partial(&alone, &of_crowd, 2, [row, head, slot]);
                    let is_same =
                        expected.iter().zip(&found).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(is_same, "{place:?} head {head} slot {slot} of {rows:?}");
                }
            }
        }
    }
}

#[test]
fn a_prompt_sees_what_is_before_it() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    check_many(&device, random, chunk([2, 1, 32], 5, 0, 0..1), &[false]);
    check_many(&device, random, chunk([2, 1, 32], 5, 0, 0..150), &[false]);
    check_many(&device, random, chunk([3, 1, 32], 5, 0, 63..100), &[false]);
    check_many(&device, random, chunk([2, 2, 64], 5, 0, 31..64), &[false]);
    // Every place of a warp's first row among the keys that it takes at a time.
    for first in 0..16 {
        check_many(&device, random, chunk([1, 1, 32], 5, 0, first..first + 33), &[false]);
    }
    check_many(&device, random, chunk([2, 1, 128], 5, 0, 130..147), &[false]);
}

#[test]
fn a_later_loop_of_a_prompt_sees_its_window_too() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    for window in [1, 5, 64] {
        check_many(&device, random, chunk([2, 1, 32], window, 1, 0..70), &[true]);
        check_many(&device, random, chunk([2, 1, 32], window, 2, 127..131), &[true, false]);
    }
    check_many(&device, random, chunk([2, 2, 64], 64, 1, 200..340), &[true]);
    for window in 30..64 {
        check_many(&device, random, chunk([1, 1, 32], window, 1, 79..112), &[true]);
    }
    check_many(&device, random, chunk([1, 1, 128], 64, 1, 60..100), &[false, true]);
}

/// A chunk may be cut anywhere: each row has the same bits.
#[test]
fn a_prompt_has_the_same_bits_in_other_chunks() {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let whole = World::new(&device, random, chunk([2, 1, 32], 9, 1, 20..190)).unwrap();
    let of_whole = attend_many(&device, &whole, &[false, true]).unwrap();
    let width = whole.case.n_heads * whole.case.head_dim;
    let of_row = Device::partials_len(1, 2, 32, 1);
    for rows in [0..1, 1..14, 14..170] {
        let n_rows = rows.len();
        let of_rows = device.read(&whole.device_rows, rows.clone()).unwrap();
        let of_rows = device.upload(&of_rows).unwrap();
        let queries = &whole.queries[rows.start * width..rows.end * width];
        let queries = device.upload(queries).unwrap();
        let mut partials = device.upload(&vec![f32::NAN; n_rows * of_row]).unwrap();
        for local in [false, true] {
            let first = whole.case.rows[rows.start].1;
            let (sequence, out) = (&whole.sequence, &mut partials);
            device
                .attend_many(
                    &of_rows, sequence, &queries, n_rows, first, LAYER, 2, 1, 32, local, out,
                )
                .unwrap();
        }
        let found = device.read(&partials, 0..n_rows * of_row).unwrap();
        let expected = &of_whole[rows.start * of_row..rows.end * of_row];
        assert!(found.iter().zip(expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{rows:?}");
    }
}
