//! Dot products of a quantised row with a few rows of activations, compiled for what the machine has.
//!
//! One body, written over arrays of sixteen lanes that the compiler turns into vector registers, is compiled for
//! AVX-512, for AVX2 with FMA, and for the build's own target; the choice is made at run time.

use super::Format;

/// Rows of activations that one read of the weights serves.
pub(super) const MAX_ROWS: usize = 8;

const LANES: usize = 16;

type Lanes = [f32; LANES];

/// Dot products of the row `bytes` and `scales` with each row of `x`, at most [`MAX_ROWS`] of them, into `out`.
pub(super) fn dot(
    format: Format,
    group_size: usize,
    bytes: &[u8],
    scales: &[f32],
    x: &[f32],
    out: &mut [f32],
) {
    match out.len() {
        1 => dispatch::<1>(format, group_size, bytes, scales, x, out),
        2 => dispatch::<2>(format, group_size, bytes, scales, x, out),
        3 => dispatch::<3>(format, group_size, bytes, scales, x, out),
        4 => dispatch::<4>(format, group_size, bytes, scales, x, out),
        5 => dispatch::<5>(format, group_size, bytes, scales, x, out),
        6 => dispatch::<6>(format, group_size, bytes, scales, x, out),
        7 => dispatch::<7>(format, group_size, bytes, scales, x, out),
        _ => dispatch::<8>(format, group_size, bytes, scales, x, out),
    }
}

fn dispatch<const ROWS: usize>(
    format: Format,
    group_size: usize,
    bytes: &[u8],
    scales: &[f32],
    x: &[f32],
    out: &mut [f32],
) {
    #[cfg(target_arch = "x86_64")]
    {
        if std::is_x86_feature_detected!("avx512f")
            && std::is_x86_feature_detected!("avx512bw")
            && std::is_x86_feature_detected!("avx512vl")
        {
            #[expect(unsafe_code, reason = "calls a function compiled for more than the target")]
            // SAFETY: the machine has the features that the function is compiled for.
            return unsafe { avx512::<ROWS>(format, group_size, bytes, scales, x, out) };
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            #[expect(unsafe_code, reason = "calls a function compiled for more than the target")]
            // SAFETY: the machine has the features that the function is compiled for.
            return unsafe { avx2::<ROWS>(format, group_size, bytes, scales, x, out) };
        }
    }
    body::<ROWS, false>(format, group_size, bytes, scales, x, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,fma")]
fn avx512<const ROWS: usize>(
    format: Format,
    group_size: usize,
    bytes: &[u8],
    scales: &[f32],
    x: &[f32],
    out: &mut [f32],
) {
    body::<ROWS, true>(format, group_size, bytes, scales, x, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<const ROWS: usize>(
    format: Format,
    group_size: usize,
    bytes: &[u8],
    scales: &[f32],
    x: &[f32],
    out: &mut [f32],
) {
    body::<ROWS, true>(format, group_size, bytes, scales, x, out);
}

#[inline(always)]
fn body<const ROWS: usize, const FUSED: bool>(
    format: Format,
    group_size: usize,
    bytes: &[u8],
    scales: &[f32],
    x: &[f32],
    out: &mut [f32],
) {
    let n_inputs = scales.len() * group_size;
    let rows: [&[Lanes]; ROWS] =
        std::array::from_fn(|row| x[row * n_inputs..(row + 1) * n_inputs].as_chunks().0);
    let mut sums = [[0f32; LANES]; ROWS];
    let lanes_per_group = group_size / LANES;
    match format {
        Format::Int8 => {
            for (at, chunk) in bytes.as_chunks::<LANES>().0.iter().enumerate() {
                let scale = scales[at / lanes_per_group];
                let weights: Lanes =
                    std::array::from_fn(|i| f32::from(chunk[i].cast_signed()) * scale);
                add::<ROWS, FUSED>(&mut sums, &rows, at, &weights);
            }
        }
        Format::Int4 => {
            let chunks = bytes.as_chunks::<LANES>().0;
            let half = lanes_per_group / 2;
            for (group, scale) in scales.iter().enumerate() {
                for i in 0..half {
                    let packed = &chunks[group * half + i];
                    let low: Lanes = std::array::from_fn(|i| {
                        f32::from((packed[i] & 15).cast_signed() - 8) * scale
                    });
                    let high: Lanes = std::array::from_fn(|i| {
                        f32::from((packed[i] >> 4).cast_signed() - 8) * scale
                    });
                    let at = group * lanes_per_group + i;
                    add::<ROWS, FUSED>(&mut sums, &rows, at, &low);
                    add::<ROWS, FUSED>(&mut sums, &rows, at + half, &high);
                }
            }
        }
    }
    for (out, lanes) in out.iter_mut().zip(sums) {
        *out = total(lanes);
    }
}

#[inline(always)]
fn add<const ROWS: usize, const FUSED: bool>(
    sums: &mut [Lanes; ROWS],
    rows: &[&[Lanes]; ROWS],
    at: usize,
    weights: &Lanes,
) {
    for row in 0..ROWS {
        let x = &rows[row][at];
        for lane in 0..LANES {
            sums[row][lane] = match FUSED {
                true => weights[lane].mul_add(x[lane], sums[row][lane]),
                false => sums[row][lane] + weights[lane] * x[lane],
            };
        }
    }
}

/// In the order of a tree, the same whatever the number of rows.
#[inline(always)]
fn total(lanes: Lanes) -> f32 {
    let mut lanes = lanes;
    let mut width = LANES / 2;
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

    /// Reads the weights as every machine could.
    fn portable<const ROWS: usize>(
        format: Format,
        bytes: &[u8],
        scales: &[f32],
        x: &[f32],
    ) -> Vec<f32> {
        let mut out = vec![f32::NAN; ROWS];
        body::<ROWS, false>(format, 64, bytes, scales, x, &mut out);
        out
    }

    #[test]
    fn what_the_machine_has_equals_what_every_machine_has() {
        let wave =
            |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
        let x = wave(3 * 192, 0.37);
        for format in [Format::Int8, Format::Int4] {
            let (bytes, scales) = quantise(format, 64, &wave(192, 0.11));
            let scales: Vec<f32> = scales.into_iter().map(scale_from_bits).collect();
            let expected = portable::<3>(format, &bytes, &scales, &x);
            let mut out = vec![f32::NAN; 3];
            dot(format, 64, &bytes, &scales, &x, &mut out);
            for (found, expected) in out.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-5, "{format:?}: {found} {expected}");
            }
        }
    }

    #[test]
    fn a_row_gives_the_same_bits_whatever_stands_beside_it() {
        let wave =
            |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
        let x = wave(8 * 128, 0.73);
        let (bytes, scales) = quantise(Format::Int8, 128, &wave(128, 0.29));
        let scales: Vec<f32> = scales.into_iter().map(scale_from_bits).collect();
        let mut alone = [f32::NAN];
        dot(Format::Int8, 128, &bytes, &scales, &x[..128], &mut alone);
        for n_rows in 2..=8 {
            let mut out = vec![f32::NAN; n_rows];
            dot(Format::Int8, 128, &bytes, &scales, &x[..n_rows * 128], &mut out);
            assert_eq!(out[0].to_bits(), alone[0].to_bits(), "{n_rows} rows");
        }
    }
}
