//! This project's own 4 bits in groups of 64, multiplied with bytes that have a scale for as many.
//!
//! Eight outputs go side by side, as where scales stand for 32; what is added up across a register is added up half as often.

use std::arch::x86_64::*;

use super::units32::floats;
use super::{TILE, Task, sums_of_halves};
use crate::layout::{GROUP, LONG_GROUP, Row, STEPPED, Unit};
use crate::panel::PANEL;

/// What is added to weights to make them unsigned.
const OFFSET: i8 = 8;

/// See [`super::run`].
pub(super) fn run<const ROWS: usize>(task: Task<'_, ROWS>) {
    // SAFETY: the machine has what is asked for, see [`super::run`].
    unsafe { outputs(task) }
}

#[target_feature(enable = "avx2,fma")]
fn outputs<const ROWS: usize>(mut task: Task<'_, ROWS>) {
    let n_groups = task.x.n_inputs / LONG_GROUP;
    let (rows, scales) = task.rows();
    let integers = task.starts(&task.x.integers, task.x.n_inputs);
    let factors = task.starts(&task.x.factors, n_groups);
    let sums = task.starts(&task.x.sums, n_groups * (LONG_GROUP / STEPPED));
    let mut totals = [_mm256_setzero_ps(); ROWS];
    let mut ahead = task.ahead();
    for idx in 0..n_groups {
        ahead.ask(idx, n_groups);
        let mut halves = [[_mm256_setzero_si256(); TILE / 2]; ROWS];
        for i in 0..TILE / 2 {
            // SAFETY: a row of weights has half a byte for each input.
            let (a, b) = unsafe { (group(rows[i], idx), group(rows[i + TILE / 2], idx)) };
            for (row, halves) in halves.iter_mut().enumerate() {
                // SAFETY: a row of activations has a byte for each input.
                let x = unsafe { pair(integers[row].add(idx * LONG_GROUP).cast()) };
                halves[i] = sums_of_halves::<true>(products(a, x), products(b, x));
            }
        }
        // SAFETY: a row of weights has a scale for each group.
        let (scales, _) = unsafe { floats(&scales, idx) };
        for (row, halves) in halves.iter().enumerate() {
            // SAFETY: a row of activations has two factors for each group, and a sum for each sixteen inputs.
            let ([x_scale, _], sums) = unsafe {
                let sums = sums[row].add(idx * (LONG_GROUP / STEPPED)).cast::<i64>();
                (*factors[row].add(idx), sums.read_unaligned())
            };
            let excess =
                _mm256_madd_epi16(_mm256_set1_epi64x(sums), _mm256_set1_epi16(OFFSET.into()));
            let excess = _mm256_add_epi32(excess, _mm256_shuffle_epi32::<0b10_11_00_01>(excess));
            let integers = _mm256_sub_epi32(sums_of_quarters(halves), excess);
            let scales = _mm256_mul_ps(scales, _mm256_set1_ps(x_scale));
            totals[row] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), scales, totals[row]);
        }
    }
    for (row, totals) in totals.into_iter().enumerate() {
        task.write(row, totals);
    }
}

/// Low and high halves of the bytes of group `idx`, which are its first and its last 32 weights.
#[inline]
#[target_feature(enable = "avx2")]
// SAFETY: for callers: the row has that group.
unsafe fn group(row: *const u8, idx: usize) -> (__m256i, __m256i) {
    // SAFETY: as the caller says.
    let bytes = unsafe { _mm256_loadu_si256(row.add(idx * GROUP).cast()) };
    let mask = _mm256_set1_epi8(15);
    (_mm256_and_si256(bytes, mask), _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), mask))
}

#[inline]
#[target_feature(enable = "avx2")]
// SAFETY: for callers: there are 64 bytes.
unsafe fn pair(bytes: *const __m256i) -> (__m256i, __m256i) {
    // SAFETY: as the caller says.
    unsafe { (_mm256_loadu_si256(bytes), _mm256_loadu_si256(bytes.add(1))) }
}

/// Sums of four products in 16 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn products(weights: (__m256i, __m256i), x: (__m256i, __m256i)) -> __m256i {
    let first = _mm256_maddubs_epi16(weights.0, x.0);
    _mm256_add_epi16(first, _mm256_maddubs_epi16(weights.1, x.1))
}

/// What is left to do after [`sums_of_halves`] of outputs 0 and 4, 1 and 5, 2 and 6, 3 and 7: sums of eight products in 16
/// bits, which have room for twice as many.
#[inline]
#[target_feature(enable = "avx2")]
fn sums_of_quarters(halves: &[__m256i; TILE / 2]) -> __m256i {
    let [a, b, c, d] = *halves;
    let a = _mm256_add_epi16(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
    let c = _mm256_add_epi16(_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
    let ones = _mm256_set1_epi16(1);
    let a = _mm256_castsi256_ps(_mm256_madd_epi16(a, ones));
    let c = _mm256_castsi256_ps(_mm256_madd_epi16(c, ones));
    let even = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(a, c));
    let odd = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(a, c));
    _mm256_add_epi32(even, odd)
}

/// Group `idx` of each row.
pub(super) fn take_apart(rows: &[Row<'_>; PANEL], idx: usize, units: &mut [Unit; PANEL]) {
    for (row, unit) in rows.iter().zip(units) {
        assert!((idx + 1) * GROUP <= row.bytes.len());
        // SAFETY: the row has the group, the unit has room for its weights, and the machine has AVX2.
        unsafe { take_one_apart(row.bytes.as_ptr(), idx, unit.integers.as_mut_ptr().cast()) };
        unit.scale = row.scales[idx];
    }
}

#[target_feature(enable = "avx2")]
// SAFETY: for callers: the row has group `idx`, and there is room for 64 bytes at `to`.
unsafe fn take_one_apart(row: *const u8, idx: usize, to: *mut __m256i) {
    // SAFETY: as the caller says.
    unsafe {
        let (first, last) = group(row, idx);
        let offset = _mm256_set1_epi8(OFFSET);
        _mm256_storeu_si256(to, _mm256_sub_epi8(first, offset));
        _mm256_storeu_si256(to.add(1), _mm256_sub_epi8(last, offset));
    }
}
