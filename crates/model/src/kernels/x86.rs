//! AVX2 with FMA and F16C, and with dot products of bytes (VNNI) where a generic parameter says so.
#![expect(
    unsafe_code,
    reason = "instructions that not every machine has, and reads through pointers whose range is checked before"
)]

mod plain;

pub(super) mod tile;

mod units256;

mod units32;

use std::arch::x86_64::*;
use std::ops::Range;

use self::plain::{Bf16, F16, F32};
use self::units32::{Int4, Int4Of32, Int8, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0};
use self::units256::{Q4K, Q5K, Q6K};
use crate::layout::{GROUP, Layout, View};
use crate::operand::{Operand, SUMMED};

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
    assert!(outputs.end <= weights.n_outputs && n == x.n_inputs);
    assert!(layout.n_bytes(n).map(|bytes| bytes * weights.n_outputs) == Some(weights.bytes.len()));
    assert!(layout.n_scales(n) * weights.n_outputs == weights.scales.len());
    match layout.activations().unit() {
        1 => assert!(end_row * n <= x.values.len()),
        unit => {
            assert!(end_row * n <= x.integers.len());
            assert!(end_row * (n / unit) <= x.factors.len());
            assert!(unit == GROUP || end_row * (n / SUMMED) <= x.sums.len());
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
        Layout::Int4 { group_size: 64 } => units32::run::<Int4, VNNI, ROWS>(task),
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

    /// Bytes and scales of one output.
    #[inline(always)]
    fn row(&self, output: usize) -> (*const u8, *const f32) {
        let row = self.weights.row(output);
        (row.bytes.as_ptr(), row.scales.as_ptr())
    }
}

/// Bytes 0..32 with a half from `low` and a half from `high`.
#[inline(always)]
fn joined(low: __m128i, high: __m128i) -> __m256i {
    // SAFETY: the machine has AVX2, or nobody calls this.
    unsafe { _mm256_set_m128i(high, low) }
}

/// Low halves of sixteen bytes, then their high halves.
#[inline(always)]
fn halves(bytes: __m128i) -> __m256i {
    // SAFETY: as above.
    unsafe { _mm256_and_si256(joined(bytes, _mm_srli_epi16::<4>(bytes)), _mm256_set1_epi8(15)) }
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
