//! Dot products of a quantised row with a few rows of activations, in the widest registers the machine has.
//!
//! One body is compiled for AVX-512, for AVX2 with FMA, and for any machine; the choice is made at run time.

mod lanes;

use self::lanes::{Lanes, N, Portable};
use super::Format;

/// Rows of activations that one read of the weights serves.
pub(super) const MAX_ROWS: usize = 8;

/// A quantised row and the rows of activations it is multiplied with, [rows, inputs].
#[derive(Clone, Copy)]
pub(super) struct Operands<'a> {
    pub(super) format: Format,
    pub(super) group_size: usize,
    pub(super) bytes: &'a [u8],
    /// One per group.
    pub(super) scales: &'a [f32],
    pub(super) x: &'a [f32],
}

/// Writes a dot product for each row of `x`, at most [`MAX_ROWS`] of them.
pub(super) fn dot(operands: Operands<'_>, out: &mut [f32]) {
    match out.len() {
        1 => dispatch::<1>(operands, out),
        2 => dispatch::<2>(operands, out),
        3 => dispatch::<3>(operands, out),
        4 => dispatch::<4>(operands, out),
        5 => dispatch::<5>(operands, out),
        6 => dispatch::<6>(operands, out),
        7 => dispatch::<7>(operands, out),
        _ => dispatch::<8>(operands, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[expect(unsafe_code, reason = "calls functions compiled for more than the build's target")]
fn dispatch<const ROWS: usize>(operands: Operands<'_>, out: &mut [f32]) {
    if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vl") {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { avx512::<ROWS>(operands, out) };
    }
    if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
        // SAFETY: the machine has what the function is compiled for.
        return unsafe { avx2::<ROWS>(operands, out) };
    }
    body::<Portable, ROWS>(operands, out);
}

#[cfg(not(target_arch = "x86_64"))]
fn dispatch<const ROWS: usize>(operands: Operands<'_>, out: &mut [f32]) {
    body::<Portable, ROWS>(operands, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl")]
fn avx512<const ROWS: usize>(operands: Operands<'_>, out: &mut [f32]) {
    body::<lanes::x86::Avx512, ROWS>(operands, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<const ROWS: usize>(operands: Operands<'_>, out: &mut [f32]) {
    body::<lanes::x86::Avx2, ROWS>(operands, out);
}

#[inline(always)]
fn body<L: Lanes, const ROWS: usize>(operands: Operands<'_>, out: &mut [f32]) {
    let Operands { format, group_size, bytes, scales, x } = operands;
    let n_inputs = scales.len() * group_size;
    let rows: [&[[f32; N]]; ROWS] =
        std::array::from_fn(|row| x[row * n_inputs..(row + 1) * n_inputs].as_chunks().0);
    let bytes = bytes[..format.n_bytes(n_inputs)].as_chunks::<N>().0;
    let mut sums = [L::zero(); ROWS];
    match format {
        Format::Int8 => {
            let per_group = group_size / N;
            for (group, (bytes, scale)) in bytes.chunks_exact(per_group).zip(scales).enumerate() {
                for (i, bytes) in bytes.iter().enumerate() {
                    let weights = L::from_bytes(bytes, *scale);
                    add(&mut sums, &rows, group * per_group + i, weights);
                }
            }
        }
        Format::Int4 => {
            let half = group_size / N / 2;
            for (group, (bytes, scale)) in bytes.chunks_exact(half).zip(scales).enumerate() {
                for (i, bytes) in bytes.iter().enumerate() {
                    let (low, high) = L::from_halves(bytes, *scale);
                    let at = 2 * group * half + i;
                    add(&mut sums, &rows, at, low);
                    add(&mut sums, &rows, at + half, high);
                }
            }
        }
    }
    for (out, lanes) in out.iter_mut().zip(sums) {
        *out = total(lanes.store());
    }
}

#[inline(always)]
fn add<L: Lanes, const ROWS: usize>(
    sums: &mut [L; ROWS],
    rows: &[&[[f32; N]]; ROWS],
    at: usize,
    weights: L,
) {
    for (sum, row) in sums.iter_mut().zip(rows) {
        *sum = weights.multiply_add(L::load(&row[at]), *sum);
    }
}

/// In the order of a tree, the same whatever the number of rows.
#[inline(always)]
fn total(mut lanes: [f32; N]) -> f32 {
    let mut width = N / 2;
    while 0 < width {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

#[cfg(test)]
mod tests {
    use super::super::{quantise, scale_from_bits};
    use super::*;

    fn wave(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    /// A row of `n_inputs` weights in groups of 64, and as many activations for each of eight rows.
    fn check(format: Format, n_inputs: usize, check: impl Fn(Operands<'_>)) {
        let (bytes, scales) = quantise(format, 64, &wave(n_inputs, 0.11));
        let scales: Vec<f32> = scales.into_iter().map(scale_from_bits).collect();
        let x = wave(8 * n_inputs, 0.37);
        check(Operands { format, group_size: 64, bytes: &bytes, scales: &scales, x: &x });
    }

    #[track_caller]
    fn check_close(found: &[f32], expected: &[f32]) {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
    }

    #[test]
    fn what_the_machine_has_equals_what_every_machine_has() {
        for format in [Format::Int8, Format::Int4] {
            check(format, 192, |operands| {
                let mut expected = [f32::NAN; 3];
                body::<Portable, 3>(operands, &mut expected);
                let mut found = [f32::NAN; 3];
                dot(operands, &mut found);
                check_close(&found, &expected);
                #[cfg(target_arch = "x86_64")]
                if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
                    let mut found = [f32::NAN; 3];
                    // SAFETY: the machine has what the function is compiled for.
                    #[expect(unsafe_code, reason = "the path that a wider machine does not take")]
                    unsafe {
                        avx2::<3>(operands, &mut found);
                    }
                    check_close(&found, &expected);
                }
            });
        }
    }

    #[test]
    fn a_row_gives_the_same_bits_whatever_stands_beside_it() {
        for format in [Format::Int8, Format::Int4] {
            check(format, 128, |operands| {
                let mut alone = [f32::NAN];
                dot(operands, &mut alone);
                for n_rows in 2..=8 {
                    let mut out = vec![f32::NAN; n_rows];
                    dot(operands, &mut out);
                    assert_eq!(out[0].to_bits(), alone[0].to_bits(), "{n_rows} rows");
                }
            });
        }
    }
}
