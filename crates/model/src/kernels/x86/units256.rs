//! Layouts with sub-scales within 256 weights, multiplied with bytes that have a scale for each 256.

use std::arch::x86_64::*;

use super::{TILE, Task, joined, sums_of_lanes};
use crate::layout::{LONGEST_UNIT, STEPPED, scales_and_minima};

const GROUPS: usize = LONGEST_UNIT / 32;

const N_SUMS: usize = LONGEST_UNIT / STEPPED;

/// 256 weights taken apart.
pub(super) struct Parts {
    /// Unsigned.
    integers: [__m256i; GROUPS],
    /// What each pair of products is multiplied with, in 16 bits.
    scales: [__m256i; GROUPS],
    /// What each sum of 16 activations is multiplied with, for minima or for [`Unit::OFFSET`].
    minima: __m256i,
    scale: f32,
    minimum_scale: f32,
}

pub(super) trait Unit {
    const N_BYTES: usize;
    /// The integers are too large by this, where there are no minima.
    const OFFSET: i32 = 0;

    // SAFETY: for callers: `block` is a whole block, and the machine has AVX2 and F16C.
    unsafe fn load(block: *const u8) -> Parts;
}

#[inline(always)]
fn half_float(at: *const u8) -> f32 {
    // SAFETY: callers point into a block; the machine has F16C.
    unsafe {
        let bits = i32::from(at.cast::<u16>().read_unaligned());
        _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(bits)))
    }
}

#[inline(always)]
fn bytes(at: *const u8) -> __m256i {
    // SAFETY: callers point at 32 bytes of a block; the machine has AVX2.
    unsafe { _mm256_loadu_si256(at.cast()) }
}

/// Bits `SHIFT..` of each byte that `mask` keeps.
#[inline(always)]
fn bits<const SHIFT: i32>(bytes: __m256i, mask: i8) -> __m256i {
    // SAFETY: the machine has AVX2, or nobody calls this.
    unsafe { _mm256_and_si256(_mm256_srli_epi16::<SHIFT>(bytes), _mm256_set1_epi8(mask)) }
}

/// Four low bits and the bits above them.
#[inline(always)]
fn joined_bits(low: __m256i, high: __m256i) -> __m256i {
    // SAFETY: as above.
    unsafe { _mm256_or_si256(low, _mm256_slli_epi16::<4>(high)) }
}

#[inline(always)]
fn wide(scale: u8) -> __m256i {
    // SAFETY: as above.
    unsafe { _mm256_set1_epi16(scale.into()) }
}

/// A scale for each half.
#[inline(always)]
fn two_scales(low: i8, high: i8) -> __m256i {
    // SAFETY: as above.
    unsafe { joined(_mm_set1_epi16(low.into()), _mm_set1_epi16(high.into())) }
}

/// What Q4_K and Q5_K share.
#[inline(always)]
// SAFETY: for callers: see [`Unit::load`].
unsafe fn with_minima(block: *const u8, integers: [__m256i; GROUPS]) -> Parts {
    // SAFETY: as the caller says; scales and minima are the twelve bytes after two half floats.
    unsafe {
        let (scales, minima) = scales_and_minima(std::slice::from_raw_parts(block.add(4), 12));
        let minima = _mm_cvtepu8_epi16(_mm_cvtsi64_si128(i64::from_le_bytes(minima)));
        Parts {
            integers,
            scales: [
                wide(scales[0]),
                wide(scales[1]),
                wide(scales[2]),
                wide(scales[3]),
                wide(scales[4]),
                wide(scales[5]),
                wide(scales[6]),
                wide(scales[7]),
            ],
            // Two sums of 16 for each of eight minima.
            minima: joined(_mm_unpacklo_epi16(minima, minima), _mm_unpackhi_epi16(minima, minima)),
            scale: half_float(block),
            minimum_scale: -half_float(block.add(2)),
        }
    }
}

pub(super) struct Q4K;

impl Unit for Q4K {
    const N_BYTES: usize = 144;

    #[inline(always)]
    // SAFETY: for callers: see the trait.
    unsafe fn load(block: *const u8) -> Parts {
        // SAFETY: as the caller says.
        unsafe {
            let packed = [
                bytes(block.add(16)),
                bytes(block.add(48)),
                bytes(block.add(80)),
                bytes(block.add(112)),
            ];
            let integers = [
                bits::<0>(packed[0], 15),
                bits::<4>(packed[0], 15),
                bits::<0>(packed[1], 15),
                bits::<4>(packed[1], 15),
                bits::<0>(packed[2], 15),
                bits::<4>(packed[2], 15),
                bits::<0>(packed[3], 15),
                bits::<4>(packed[3], 15),
            ];
            with_minima(block, integers)
        }
    }
}

pub(super) struct Q5K;

impl Unit for Q5K {
    const N_BYTES: usize = 176;

    #[inline(always)]
    // SAFETY: for callers: see the trait.
    unsafe fn load(block: *const u8) -> Parts {
        // SAFETY: as the caller says.
        unsafe {
            let high = bytes(block.add(16));
            let packed = [
                bytes(block.add(48)),
                bytes(block.add(80)),
                bytes(block.add(112)),
                bytes(block.add(144)),
            ];
            let integers = [
                joined_bits(bits::<0>(packed[0], 15), bits::<0>(high, 1)),
                joined_bits(bits::<4>(packed[0], 15), bits::<1>(high, 1)),
                joined_bits(bits::<0>(packed[1], 15), bits::<2>(high, 1)),
                joined_bits(bits::<4>(packed[1], 15), bits::<3>(high, 1)),
                joined_bits(bits::<0>(packed[2], 15), bits::<4>(high, 1)),
                joined_bits(bits::<4>(packed[2], 15), bits::<5>(high, 1)),
                joined_bits(bits::<0>(packed[3], 15), bits::<6>(high, 1)),
                joined_bits(bits::<4>(packed[3], 15), bits::<7>(high, 1)),
            ];
            with_minima(block, integers)
        }
    }
}

pub(super) struct Q6K;

impl Unit for Q6K {
    const N_BYTES: usize = 210;
    const OFFSET: i32 = 32;

    #[inline(always)]
    // SAFETY: for callers: see the trait.
    unsafe fn load(block: *const u8) -> Parts {
        // SAFETY: as the caller says.
        unsafe {
            let low =
                [bytes(block), bytes(block.add(32)), bytes(block.add(64)), bytes(block.add(96))];
            let high = [bytes(block.add(128)), bytes(block.add(160))];
            let scales: [i8; 16] = block.add(192).cast::<[i8; 16]>().read_unaligned();
            Parts {
                integers: [
                    joined_bits(bits::<0>(low[0], 15), bits::<0>(high[0], 3)),
                    joined_bits(bits::<0>(low[1], 15), bits::<2>(high[0], 3)),
                    joined_bits(bits::<4>(low[0], 15), bits::<4>(high[0], 3)),
                    joined_bits(bits::<4>(low[1], 15), bits::<6>(high[0], 3)),
                    joined_bits(bits::<0>(low[2], 15), bits::<0>(high[1], 3)),
                    joined_bits(bits::<0>(low[3], 15), bits::<2>(high[1], 3)),
                    joined_bits(bits::<4>(low[2], 15), bits::<4>(high[1], 3)),
                    joined_bits(bits::<4>(low[3], 15), bits::<6>(high[1], 3)),
                ],
                scales: [
                    two_scales(scales[0], scales[1]),
                    two_scales(scales[2], scales[3]),
                    two_scales(scales[4], scales[5]),
                    two_scales(scales[6], scales[7]),
                    two_scales(scales[8], scales[9]),
                    two_scales(scales[10], scales[11]),
                    two_scales(scales[12], scales[13]),
                    two_scales(scales[14], scales[15]),
                ],
                minima: _mm256_cvtepi8_epi16(_mm_loadu_si128(block.add(192).cast())),
                scale: half_float(block.add(208)),
                minimum_scale: 0.0,
            }
        }
    }
}

pub(super) fn run<U: Unit, const ROWS: usize>(task: Task<'_, ROWS>) {
    // SAFETY: the machine has what is asked for, see [`super::run`].
    unsafe { outputs::<U, ROWS>(task) }
}

#[target_feature(enable = "avx2,fma,f16c")]
fn outputs<U: Unit, const ROWS: usize>(mut task: Task<'_, ROWS>) {
    let n = task.x.n_inputs;
    let n_units = n / LONGEST_UNIT;
    let x = task.starts(&task.x.integers, n);
    let factors = task.starts(&task.x.factors, n_units);
    let x_sums = task.starts(&task.x.sums, n / STEPPED);
    let (rows, _) = task.rows();
    let mut ahead = task.ahead();
    let mut totals = [_mm256_setzero_ps(); ROWS];
    for idx in 0..n_units {
        ahead.ask(idx + 1, n_units);
        let (mut scales, mut minimum_scales) = ([0.0; TILE], [0.0; TILE]);
        let mut products = [[_mm256_setzero_si256(); TILE]; ROWS];
        let mut minima = [[_mm256_setzero_si256(); TILE]; ROWS];
        for (i, row) in rows.iter().enumerate() {
            // SAFETY: the row of weights and those of activations have this unit.
            unsafe {
                let parts = U::load(row.add(idx * U::N_BYTES));
                (scales[i], minimum_scales[i]) = (parts.scale, parts.minimum_scale);
                for r in 0..ROWS {
                    let x = x[r].add(idx * LONGEST_UNIT);
                    let mut sums = _mm256_setzero_si256();
                    for group in 0..GROUPS {
                        let x = _mm256_loadu_si256(x.add(group * 32).cast());
                        let pairs = _mm256_maddubs_epi16(parts.integers[group], x);
                        let scaled = _mm256_madd_epi16(parts.scales[group], pairs);
                        sums = _mm256_add_epi32(sums, scaled);
                    }
                    let x_sums = _mm256_loadu_si256(x_sums[r].add(idx * N_SUMS).cast());
                    minima[r][i] = _mm256_madd_epi16(parts.minima, x_sums);
                    if U::OFFSET != 0 {
                        let excess = _mm256_set1_epi32(U::OFFSET);
                        let excess = _mm256_mullo_epi32(minima[r][i], excess);
                        sums = _mm256_sub_epi32(sums, excess);
                    }
                    products[r][i] = sums;
                }
            }
        }
        // SAFETY: eight floats each, and a factor of each row for this unit.
        unsafe {
            let scales = _mm256_loadu_ps(scales.as_ptr());
            let minimum_scales = _mm256_loadu_ps(minimum_scales.as_ptr());
            for r in 0..ROWS {
                let [of_x, _] = *factors[r].add(idx);
                let of_x = _mm256_set1_ps(of_x);
                let sums = _mm256_cvtepi32_ps(sums_of_lanes(&products[r]));
                totals[r] = _mm256_fmadd_ps(sums, _mm256_mul_ps(scales, of_x), totals[r]);
                if U::OFFSET == 0 {
                    let sums = _mm256_cvtepi32_ps(sums_of_lanes(&minima[r]));
                    let scales = _mm256_mul_ps(minimum_scales, of_x);
                    totals[r] = _mm256_fmadd_ps(sums, scales, totals[r]);
                }
            }
        }
    }
    for (row, totals) in totals.into_iter().enumerate() {
        task.write(row, totals);
    }
}
