//! AVX2 with FMA and F16C, and with dot products of bytes (VNNI) where a generic parameter says so.
#![expect(
    unsafe_code,
    reason = "instructions that not every machine has, and reads through pointers whose range is checked before"
)]

mod int4;

mod plain;

pub(super) mod tile;
pub(super) mod turn;

mod units256;

mod units32;

use std::arch::x86_64::*;
use std::ops::Range;

use self::plain::{Bf16, F16, F32};
use self::units32::{Int4Of32, Int8, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use self::units256::{Q4K, Q5K, Q6K};
use super::TILE;
use crate::layout::{LONG_GROUP, Layout, Row, STEPPED, Unit, View};
use crate::operand::Operand;
use crate::panel::PANEL;

/// See [`super::run`]; the machine has AVX2, FMA and F16C, and if `VNNI` AVX-512 VNNI and VL.
pub(super) fn run<const VNNI: bool, const ROWS: usize>(
    weights: &View<'_>,
    outputs: Range<usize>,
    x: &Operand,
    first_row: usize,
    out: [&mut [f32]; ROWS],
) {
    let (layout, n) = (weights.layout, weights.n_inputs);
    let end_row = first_row + ROWS;
    // All that the kernels read without looking.
    assert!(!outputs.is_empty() && outputs.len() <= TILE);
    assert!(outputs.end <= weights.n_outputs && n == x.n_inputs);
    assert!(layout.n_bytes(n).map(|bytes| bytes * weights.n_outputs) == Some(weights.bytes.len()));
    assert!(layout.n_scales(n) * weights.n_outputs == weights.scales.len());
    match layout.activations().unit() {
        1 => assert!(end_row * n <= x.values.len()),
        unit => {
            assert!(end_row * n <= x.integers.len());
            assert!(end_row * (n / unit) <= x.factors.len());
            assert!(end_row * (n / STEPPED) <= x.sums.len());
        }
    }
    let task = Task { weights, outputs, x, first_row, out };
    match layout {
        Layout::F32 => plain::run::<F32, ROWS>(task),
        Layout::F16 => plain::run::<F16, ROWS>(task),
        Layout::Bf16 => plain::run::<Bf16, ROWS>(task),
        Layout::Q4_0 => units32::run::<Q4_0, VNNI, ROWS>(task),
        Layout::Q4_1 => units32::run::<Q4_1, VNNI, ROWS>(task),
        Layout::Q5_0 => units32::run::<Q5_0, VNNI, ROWS>(task),
        Layout::Q5_1 => units32::run::<Q5_1, VNNI, ROWS>(task),
        Layout::Q8_0 => units32::run::<Q8_0, VNNI, ROWS>(task),
        Layout::Int8 { group_size: 32 } => units32::run::<Int8<32>, VNNI, ROWS>(task),
        Layout::Int8 { group_size: 64 } => units32::run::<Int8<64>, VNNI, ROWS>(task),
        Layout::Int8 { group_size: 128 } => units32::run::<Int8<128>, VNNI, ROWS>(task),
        Layout::Int4 { group_size: 32 } => units32::run::<Int4Of32, VNNI, ROWS>(task),
        Layout::Int4 { group_size: LONG_GROUP } => int4::run(task),
        // No file has these; what is read would be wrong, but never out of range.
        Layout::Int8 { .. } | Layout::Int4 { .. } => {
            let Task { weights, outputs, x, first_row, out } = task;
            super::portable::run(weights, outputs, x, first_row, out);
        }
        Layout::Q4K => units256::run::<Q4K, ROWS>(task),
        Layout::Q5K => units256::run::<Q5K, ROWS>(task),
        Layout::Q6K => units256::run::<Q6K, ROWS>(task),
    }
}

/// See [`super::units`]; the machine has AVX2 and F16C.
pub(super) fn units(rows: &[Row<'_>; PANEL], idx: usize, units: &mut [Unit; PANEL]) {
    #[target_feature(enable = "avx2,f16c")]
    fn one_by_one(rows: &[Row<'_>; PANEL], idx: usize, units: &mut [Unit; PANEL]) {
        for (row, unit) in rows.iter().zip(units) {
            row.unit(idx, unit);
        }
    }

    match rows[0].layout {
        Layout::Q4_0 => units32::take_apart::<Q4_0>(rows, idx, units),
        Layout::Q4_1 => units32::take_apart::<Q4_1>(rows, idx, units),
        Layout::Q5_0 => units32::take_apart::<Q5_0>(rows, idx, units),
        Layout::Q5_1 => units32::take_apart::<Q5_1>(rows, idx, units),
        Layout::Q8_0 => units32::take_apart::<Q8_0>(rows, idx, units),
        Layout::Int8 { group_size: 32 } => units32::take_apart::<Int8<32>>(rows, idx, units),
        Layout::Int8 { group_size: 64 } => units32::take_apart::<Int8<64>>(rows, idx, units),
        Layout::Int8 { group_size: 128 } => units32::take_apart::<Int8<128>>(rows, idx, units),
        Layout::Int4 { group_size: 32 } => units32::take_apart::<Int4Of32>(rows, idx, units),
        Layout::Int4 { group_size: LONG_GROUP } => int4::take_apart(rows, idx, units),
        // SAFETY: the machine has what is asked for.
        _ => unsafe { one_by_one(rows, idx, units) },
    }
}

/// The arguments of [`run`], all of which lie within range.
struct Task<'a, const ROWS: usize> {
    weights: &'a View<'a>,
    outputs: Range<usize>,
    x: &'a Operand,
    first_row: usize,
    out: [&'a mut [f32]; ROWS],
}

impl<const ROWS: usize> Task<'_, ROWS> {
    /// Where each of the rows begins in a list that has `per_row` elements for one.
    #[inline(always)]
    fn starts<T>(&self, list: &[T], per_row: usize) -> [*const T; ROWS] {
        std::array::from_fn(|row| list[(self.first_row + row) * per_row..].as_ptr())
    }

    /// Bytes and scales of each output; the last one fills up what is missing.
    #[inline(always)]
    fn rows(&self) -> ([*const u8; TILE], [*const f32; TILE]) {
        let View { bytes, scales, n_outputs, .. } = *self.weights;
        let (n_bytes, n_scales) = (bytes.len() / n_outputs, scales.len() / n_outputs);
        let (mut rows, mut of_rows) = ([bytes.as_ptr(); TILE], [scales.as_ptr(); TILE]);
        for (i, (row, scales_of_row)) in rows.iter_mut().zip(&mut of_rows).enumerate() {
            let output = self.outputs.end.min(self.outputs.start + i + 1) - 1;
            let stored = self.weights.stored(output);
            *row = bytes[stored * n_bytes..].as_ptr();
            *scales_of_row = scales[stored * n_scales..].as_ptr();
        }
        (rows, of_rows)
    }

    /// What comes after the outputs of this task.
    #[inline(always)]
    fn ahead(&self) -> Ahead {
        let View { bytes, n_outputs, .. } = *self.weights;
        let n_bytes = bytes.len() / n_outputs * TILE;
        let first = self.weights.stored(self.outputs.start);
        let start = bytes.as_ptr().wrapping_add(bytes.len() / n_outputs * first);
        Ahead { start: start.wrapping_add(n_bytes), n_bytes, n_asked: 0 }
    }

    /// Writes what a row of activations gives with each output.
    #[inline(always)]
    fn write(&mut self, row: usize, totals: __m256) {
        let mut values = [0.0; TILE];
        // SAFETY: eight floats are what is written; the machine has AVX, or nobody calls this.
        unsafe { _mm256_storeu_ps(values.as_mut_ptr(), totals) };
        self.out[row].copy_from_slice(&values[..self.outputs.len()]);
    }
}

/// Bytes that the processor fetches at once.
const CACHE_LINE: usize = 64;

/// The weights of the next eight outputs, which the processor does not foresee while it reads eight rows side by side.
struct Ahead {
    start: *const u8,
    n_bytes: usize,
    n_asked: usize,
}

impl Ahead {
    /// Asks for as large a share of them as has been multiplied of these.
    #[inline(always)]
    fn ask(&mut self, n_done: usize, n_units: usize) {
        while self.n_asked * n_units < self.n_bytes * n_done {
            // SAFETY: nothing is read by asking, wherever that is.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(self.start.wrapping_add(self.n_asked).cast()) };
            self.n_asked += CACHE_LINE;
        }
    }
}

/// Bytes 0..32 with a half from `low` and a half from `high`.
#[inline(always)]
fn joined(low: __m128i, high: __m128i) -> __m256i {
    // SAFETY: the machine has AVX2, or nobody calls this.
    unsafe { _mm256_set_m128i(high, low) }
}

/// Eight sums of eight lanes each.
#[inline(always)]
fn sums_of_lanes(lanes: &[__m256i; TILE]) -> __m256i {
    let mut halves = lanes.as_chunks::<{ TILE / 2 }>().0[0];
    for (half, other) in halves.iter_mut().zip(&lanes[TILE / 2..]) {
        *half = sums_of_halves::<false>(*half, *other);
    }
    sums_of_quarters::<false>(&halves)
}

/// The two halves of `a` added up, then those of `b`, as integers of 32 bits or, if `NARROW`, of 16.
#[inline(always)]
fn sums_of_halves<const NARROW: bool>(a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: the machine has AVX2, or nobody calls this.
    unsafe {
        let own = _mm256_blend_epi32::<0b1111_0000>(a, b);
        let other = _mm256_permute2x128_si256::<0x21>(a, b);
        add::<NARROW>(own, other)
    }
}

/// What is left to do after [`sums_of_halves`] of outputs 0 and 4, 1 and 5, 2 and 6, 3 and 7.
///
/// Each output has 32 bits; if `NARROW`, two numbers which are yet to be added up.
#[inline(always)]
fn sums_of_quarters<const NARROW: bool>(halves: &[__m256i; TILE / 2]) -> __m256i {
    let [a, b, c, d] = *halves;
    // SAFETY: as above.
    unsafe {
        let a = add::<NARROW>(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
        let c = add::<NARROW>(_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d));
        let (a, c) = (_mm256_castsi256_ps(a), _mm256_castsi256_ps(c));
        let even = _mm256_castps_si256(_mm256_shuffle_ps::<0b10_00_10_00>(a, c));
        let odd = _mm256_castps_si256(_mm256_shuffle_ps::<0b11_01_11_01>(a, c));
        add::<NARROW>(even, odd)
    }
}

#[inline(always)]
fn add<const NARROW: bool>(a: __m256i, b: __m256i) -> __m256i {
    // SAFETY: as above.
    unsafe {
        match NARROW {
            true => _mm256_add_epi16(a, b),
            false => _mm256_add_epi32(a, b),
        }
    }
}

/// Sum of the lanes, always in the same order.
#[inline(always)]
fn total(lanes: __m256) -> f32 {
    // SAFETY: as above.
    unsafe {
        let four = _mm_add_ps(_mm256_castps256_ps128(lanes), _mm256_extractf128_ps::<1>(lanes));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps::<1>(two, two)))
    }
}
