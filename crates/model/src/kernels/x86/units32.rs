//! Layouts with a scale for 32 weights or more, multiplied with bytes that have a scale for each 32.
//!
//! Eight outputs go side by side: what their products add up to stands in one register, as in a panel, so that scales
//! are applied to all of them at once and in the same order.

use std::arch::x86_64::*;

use super::{TILE, Task, joined, sums_of_halves, sums_of_quarters};
use crate::layout::{self, GROUP, Row, STEPPED};
use crate::panel::PANEL;

/// How 32 weights become bytes in a register.
pub(super) trait Unit {
    /// What the bytes are.
    const BYTES: Bytes;
    const HAS_MINIMUM: bool;
    /// Units that share a scale.
    const SPAN: usize = 1;

    /// Integers of unit `idx`.
    ///
    // SAFETY: for callers: `row` is one with more than `idx` units, and the machine has AVX2.
    unsafe fn load(row: *const u8, idx: usize) -> __m256i;

    /// Scales and minima of unit `idx` of eight outputs.
    ///
    // SAFETY: for callers: as above, for rows and their scales.
    unsafe fn factors(
        rows: &[*const u8; TILE],
        scales: &[*const f32; TILE],
        idx: usize,
    ) -> (__m256, __m256);
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Bytes {
    Signed,
    /// Too large by this.
    Unsigned(i16),
    /// The same, and at most 15: the products of 32 have room in two sums of 16 bits.
    Halves(i16),
}

/// The half-precision floats at `offset` of eight rows.
#[inline(always)]
// SAFETY: for callers: the rows have two bytes there, and the machine has AVX and F16C.
unsafe fn half_floats(rows: &[*const u8; TILE], offset: usize) -> __m256 {
    // SAFETY: as the caller says.
    unsafe {
        let bits = |i: usize| rows[i].add(offset).cast::<u16>().read_unaligned().cast_signed();
        _mm256_cvtph_ps(_mm_set_epi16(
            bits(7),
            bits(6),
            bits(5),
            bits(4),
            bits(3),
            bits(2),
            bits(1),
            bits(0),
        ))
    }
}

/// Element `idx` of eight lists of scales, and no minima.
#[inline(always)]
// SAFETY: for callers: the lists have it, and the machine has AVX.
pub(super) unsafe fn floats(scales: &[*const f32; TILE], idx: usize) -> (__m256, __m256) {
    // SAFETY: as the caller says.
    unsafe {
        let at = |i: usize| *scales[i].add(idx);
        let scales = _mm256_set_ps(at(7), at(6), at(5), at(4), at(3), at(2), at(1), at(0));
        (scales, _mm256_setzero_ps())
    }
}

/// Low halves of sixteen bytes, then their high halves.
#[inline(always)]
// SAFETY: for callers: `at` points at sixteen bytes of a block, and the machine has AVX2.
unsafe fn halves(at: *const u8) -> __m256i {
    // SAFETY: as the caller says.
    unsafe {
        let bytes = _mm_loadu_si128(at.cast());
        let shifts = joined(_mm_setzero_si128(), _mm_set1_epi32(4));
        let shifted = _mm256_srlv_epi32(_mm256_broadcastsi128_si256(bytes), shifts);
        _mm256_and_si256(shifted, _mm256_set1_epi8(15))
    }
}

/// 16 in each byte whose bit is set.
#[inline(always)]
fn fifth_bits(at: *const u8) -> __m256i {
    // SAFETY: callers point at four bytes of a block; the machine has AVX2.
    unsafe {
        let bits = _mm256_set1_epi32(at.cast::<i32>().read_unaligned());
        let byte_of_lane = _mm256_set_epi64x(
            0x0303_0303_0303_0303,
            0x0202_0202_0202_0202,
            0x0101_0101_0101_0101,
            0,
        );
        let bit_of_lane = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64.cast_signed());
        let own = _mm256_and_si256(_mm256_shuffle_epi8(bits, byte_of_lane), bit_of_lane);
        _mm256_and_si256(_mm256_cmpeq_epi8(own, bit_of_lane), _mm256_set1_epi8(16))
    }
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident $(<const $size:ident>)?, $bytes:expr, $has_minimum:literal, $span:expr,
        |$row:ident, $idx:ident| $load:expr,
        |$rows:ident, $scales:ident, $of:ident| $factors:expr;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name $(<const $size: usize>)?;

        impl $(<const $size: usize>)? Unit for $name $(<$size>)? {
            const BYTES: Bytes = $bytes;
            const HAS_MINIMUM: bool = $has_minimum;
            const SPAN: usize = $span;

            #[inline(always)]
            // SAFETY: for callers: see the trait.
            unsafe fn load($row: *const u8, $idx: usize) -> __m256i {
                // SAFETY: the unit is in the row, as the caller says.
                unsafe { $load }
            }

            #[inline(always)]
            // SAFETY: for callers: see the trait.
            unsafe fn factors(
                $rows: &[*const u8; TILE],
                $scales: &[*const f32; TILE],
                $of: usize,
            ) -> (__m256, __m256) {
                // SAFETY: the unit is in the rows and its scale in the lists, as the caller says.
                unsafe { $factors }
            }
        }
    )*};
}

units! {
    Q8_0, Bytes::Signed, false, 1,
        |row, idx| _mm256_loadu_si256(row.add(idx * 34 + 2).cast()),
        |rows, _scales, idx| (half_floats(rows, idx * 34), _mm256_setzero_ps());
    Q4_0, Bytes::Halves(8), false, 1,
        |row, idx| halves(row.add(idx * 18 + 2)),
        |rows, _scales, idx| (half_floats(rows, idx * 18), _mm256_setzero_ps());
    Q4_1, Bytes::Halves(0), true, 1,
        |row, idx| halves(row.add(idx * 20 + 4)),
        |rows, _scales, idx| (half_floats(rows, idx * 20), half_floats(rows, idx * 20 + 2));
    Q5_0, Bytes::Unsigned(16), false, 1,
        |row, idx| {
            let block = row.add(idx * 22);
            _mm256_or_si256(halves(block.add(6)), fifth_bits(block.add(2)))
        },
        |rows, _scales, idx| (half_floats(rows, idx * 22), _mm256_setzero_ps());
    Q5_1, Bytes::Unsigned(0), true, 1,
        |row, idx| {
            let block = row.add(idx * 24);
            _mm256_or_si256(halves(block.add(8)), fifth_bits(block.add(4)))
        },
        |rows, _scales, idx| (half_floats(rows, idx * 24), half_floats(rows, idx * 24 + 2));
    /// Groups of `N`.
    Int8<const N>, Bytes::Signed, false, N / GROUP,
        |row, idx| _mm256_loadu_si256(row.add(idx * GROUP).cast()),
        |_rows, scales, idx| floats(scales, idx * GROUP / N);
    Int4Of32, Bytes::Halves(8), false, 1,
        |row, idx| halves(row.add(idx * GROUP / 2)),
        |_rows, scales, idx| floats(scales, idx);
}

/// Unit `idx` of each row, whose layout is that of `U`.
pub(super) fn take_apart<U: Unit>(
    rows: &[Row<'_>; PANEL],
    idx: usize,
    units: &mut [layout::Unit; PANEL],
) {
    for row in rows {
        // All that is read without looking.
        let (len, n_bytes) = row.layout.block();
        let block = idx * GROUP / len;
        assert!((block + 1) * n_bytes <= row.bytes.len());
        assert!(row.layout.n_scales(len) == 0 || block < row.scales.len());
    }
    let (rows, units) = (rows.as_chunks::<TILE>().0, units.as_chunks_mut::<TILE>().0);
    for (rows, units) in rows.iter().zip(units) {
        // SAFETY: each row has the unit and its scale, and the machine has AVX2 and F16C.
        unsafe { take_eight_apart::<U>(rows, idx, units) };
    }
}

#[target_feature(enable = "avx2,f16c")]
// SAFETY: for callers: the rows are of the layout and have unit `idx`.
unsafe fn take_eight_apart<U: Unit>(
    rows: &[Row<'_>; TILE],
    idx: usize,
    units: &mut [layout::Unit; TILE],
) {
    let (mut bytes, mut scales) = ([std::ptr::null(); TILE], [std::ptr::null(); TILE]);
    for (i, row) in rows.iter().enumerate() {
        (bytes[i], scales[i]) = (row.bytes.as_ptr(), row.scales.as_ptr());
    }
    let offset = match U::BYTES {
        Bytes::Signed => 0,
        Bytes::Unsigned(offset) | Bytes::Halves(offset) => offset as i8,
    };
    let (mut of_units, mut minima) = ([0.0; TILE], [0.0; TILE]);
    // SAFETY: as the caller says; what is written has room for it.
    unsafe {
        let factors = U::factors(&bytes, &scales, idx);
        _mm256_storeu_ps(of_units.as_mut_ptr(), factors.0);
        _mm256_storeu_ps(minima.as_mut_ptr(), factors.1);
        for (i, unit) in units.iter_mut().enumerate() {
            let integers = _mm256_sub_epi8(U::load(bytes[i], idx), _mm256_set1_epi8(offset));
            _mm256_storeu_si256(unit.integers.as_mut_ptr().cast(), integers);
            (unit.scale, unit.minimum_scale) = (of_units[i], minima[i]);
        }
    }
}

pub(super) fn run<U: Unit, const VNNI: bool, const ROWS: usize>(task: Task<'_, ROWS>) {
    // SAFETY: the machine has what is asked for, see [`super::run`].
    unsafe {
        match VNNI {
            true => with_vnni::<U, ROWS>(task),
            false => without_vnni::<U, ROWS>(task),
        }
    }
}

#[target_feature(enable = "avx2,fma,f16c,avx512vnni,avx512vl")]
fn with_vnni<U: Unit, const ROWS: usize>(task: Task<'_, ROWS>) {
    outputs::<U, true, ROWS>(task);
}

#[target_feature(enable = "avx2,fma,f16c")]
fn without_vnni<U: Unit, const ROWS: usize>(task: Task<'_, ROWS>) {
    outputs::<U, false, ROWS>(task);
}

/// Rows of activations, and what has been added up of their products with eight outputs.
struct Products<const ROWS: usize> {
    integers: [*const i8; ROWS],
    factors: [*const [f32; 2]; ROWS],
    sums: [*const i16; ROWS],
    totals: [__m256; ROWS],
}

#[inline(always)]
fn outputs<U: Unit, const VNNI: bool, const ROWS: usize>(mut task: Task<'_, ROWS>) {
    let n_units = task.x.n_inputs / GROUP;
    let (rows, scales) = task.rows();
    let mut x = Products {
        integers: task.starts(&task.x.integers, task.x.n_inputs),
        factors: task.starts(&task.x.factors, n_units),
        sums: task.starts(&task.x.sums, n_units * (GROUP / STEPPED)),
        // SAFETY: the machine has AVX, or nobody calls this.
        totals: [unsafe { _mm256_setzero_ps() }; ROWS],
    };
    let mut ahead = task.ahead();
    // SAFETY: `idx` stays below the number of units that a row of weights and one of activations have.
    unsafe {
        let mut factors = (_mm256_setzero_ps(), _mm256_setzero_ps());
        for idx in 0..n_units {
            ahead.ask(idx, n_units);
            if idx % U::SPAN == 0 {
                factors = U::factors(&rows, &scales, idx);
            }
            add::<U, VNNI, ROWS>(&rows, idx, &mut x, factors);
        }
    }
    for (row, totals) in x.totals.into_iter().enumerate() {
        task.write(row, totals);
    }
}

/// Adds the products of unit `idx`.
#[inline(always)]
// SAFETY: for callers: all pointers are to rows of more than `idx` units, and the machine has what is asked for.
unsafe fn add<U: Unit, const VNNI: bool, const ROWS: usize>(
    rows: &[*const u8; TILE],
    idx: usize,
    x: &mut Products<ROWS>,
    (scales, minima): (__m256, __m256),
) {
    // SAFETY: as the caller says.
    unsafe {
        let mut halves = [[_mm256_setzero_si256(); TILE / 2]; ROWS];
        for i in 0..TILE / 2 {
            let a = U::load(rows[i], idx);
            let b = U::load(rows[i + TILE / 2], idx);
            for (row, halves) in halves.iter_mut().enumerate() {
                let x = _mm256_loadu_si256(x.integers[row].add(idx * GROUP).cast());
                let (a, b) = (products::<U, VNNI>(a, x), products::<U, VNNI>(b, x));
                halves[i] = match U::BYTES {
                    Bytes::Halves(_) => sums_of_halves::<true>(a, b),
                    _ => sums_of_halves::<false>(a, b),
                };
            }
        }
        for (row, halves) in halves.iter().enumerate() {
            let mut integers = match U::BYTES {
                Bytes::Halves(_) => {
                    let pairs = sums_of_quarters::<true>(halves);
                    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
                }
                _ => sums_of_quarters::<false>(halves),
            };
            if let Bytes::Halves(offset @ 1..) | Bytes::Unsigned(offset @ 1..) = U::BYTES {
                let sums = x.sums[row].add(idx * (GROUP / STEPPED)).cast::<i32>();
                let sums = _mm256_set1_epi32(sums.read_unaligned());
                let excess = _mm256_madd_epi16(sums, _mm256_set1_epi16(offset));
                integers = _mm256_sub_epi32(integers, excess);
            }
            let [x_scale, x_sum] = *x.factors[row].add(idx);
            let scales = _mm256_mul_ps(scales, _mm256_set1_ps(x_scale));
            let totals = &mut x.totals[row];
            *totals = _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), scales, *totals);
            if U::HAS_MINIMUM {
                *totals = _mm256_fmadd_ps(minima, _mm256_set1_ps(x_sum), *totals);
            }
        }
    }
}

/// Products of 32 bytes, added up in pairs of 16 bits for halves of bytes, else in fours of 32 bits.
#[inline(always)]
// SAFETY: for callers: the machine has what is asked for.
unsafe fn products<U: Unit, const VNNI: bool>(weights: __m256i, x: __m256i) -> __m256i {
    // SAFETY: as the caller says.
    unsafe {
        // The instruction wants one factor unsigned: signs go from the weights to the activations.
        let (weights, x) = match U::BYTES {
            Bytes::Signed => (_mm256_abs_epi8(weights), _mm256_sign_epi8(x, weights)),
            _ => (weights, x),
        };
        match (U::BYTES, VNNI) {
            (Bytes::Halves(_), _) => _mm256_maddubs_epi16(weights, x),
            (_, true) => _mm256_dpbusd_epi32(_mm256_setzero_si256(), weights, x),
            (_, false) => _mm256_madd_epi16(_mm256_maddubs_epi16(weights, x), _mm256_set1_epi16(1)),
        }
    }
}
