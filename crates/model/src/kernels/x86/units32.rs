//! Layouts with a scale for 32 weights or more, multiplied with bytes that have a scale for each 32.

use std::arch::x86_64::*;

use super::{Task, halves, total};
use crate::layout::GROUP;

/// How 32 weights become bytes in a register.
pub(super) trait Unit {
    /// Bytes are unsigned and there is a minimum; otherwise they are signed and there is none.
    const HAS_MINIMUM: bool;

    /// Integers of unit `idx`, and in the two lowest lanes its scale and its minimum.
    ///
    /// `ODD` is what `idx` is.
    ///
    // SAFETY: for callers: `row` and `scales` are those of a row with more than `idx` units, and the machine has AVX2.
    unsafe fn load<const ODD: bool>(
        row: *const u8,
        scales: *const f32,
        idx: usize,
    ) -> (__m256i, __m128);
}

/// Two half-precision floats at most, of which the first `N` are read.
#[inline(always)]
fn half_floats<const N: usize>(at: *const u8) -> __m128 {
    // SAFETY: callers point into a block that has as many; the machine has F16C.
    unsafe {
        let bits = match N {
            1 => i32::from(at.cast::<u16>().read_unaligned()),
            _ => at.cast::<i32>().read_unaligned(),
        };
        _mm_cvtph_ps(_mm_cvtsi32_si128(bits))
    }
}

#[inline(always)]
fn sixteen(at: *const u8) -> __m128i {
    // SAFETY: callers point at sixteen bytes of a block.
    unsafe { _mm_loadu_si128(at.cast()) }
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

#[inline(always)]
fn less(bytes: __m256i, offset: i8) -> __m256i {
    // SAFETY: the machine has AVX2, or nobody calls this.
    unsafe { _mm256_sub_epi8(bytes, _mm256_set1_epi8(offset)) }
}

macro_rules! units {
    ($($(#[$doc:meta])* $name:ident $(<const $size:ident>)?, $has_minimum:literal,
        |$row:ident, $scales:ident, $idx:ident, $odd:ident| $body:expr;)*) => {$(
        $(#[$doc])*
        pub(super) struct $name $(<const $size: usize>)?;

        impl $(<const $size: usize>)? Unit for $name $(<$size>)? {
            const HAS_MINIMUM: bool = $has_minimum;

            #[inline(always)]
            // SAFETY: for callers: see the trait.
            unsafe fn load<const ODD: bool>(
                $row: *const u8,
                $scales: *const f32,
                $idx: usize,
            ) -> (__m256i, __m128) {
                let $odd = ODD;
                // SAFETY: unit and scale are in the row, as the caller says.
                unsafe { $body }
            }
        }
    )*};
}

units! {
    Q8_0, false, |row, _scales, idx, _odd| {
        let block = row.add(idx * 34);
        (_mm256_loadu_si256(block.add(2).cast()), half_floats::<1>(block))
    };
    Q4_0, false, |row, _scales, idx, _odd| {
        let block = row.add(idx * 18);
        (less(halves(sixteen(block.add(2))), 8), half_floats::<1>(block))
    };
    Q4_1, true, |row, _scales, idx, _odd| {
        let block = row.add(idx * 20);
        (halves(sixteen(block.add(4))), half_floats::<2>(block))
    };
    Q5_0, false, |row, _scales, idx, _odd| {
        let block = row.add(idx * 22);
        let integers = _mm256_or_si256(halves(sixteen(block.add(6))), fifth_bits(block.add(2)));
        (less(integers, 16), half_floats::<1>(block))
    };
    Q5_1, true, |row, _scales, idx, _odd| {
        let block = row.add(idx * 24);
        let integers = _mm256_or_si256(halves(sixteen(block.add(8))), fifth_bits(block.add(4)));
        (integers, half_floats::<2>(block))
    };
    /// Groups of `N`.
    Int8<const N>, false, |row, scales, idx, _odd| {
        let integers = _mm256_loadu_si256(row.add(idx * GROUP).cast());
        (integers, _mm_set_ss(*scales.add(idx * GROUP / N)))
    };
    Int4Of32, false, |row, scales, idx, _odd| {
        (less(halves(sixteen(row.add(idx * GROUP / 2))), 8), _mm_set_ss(*scales.add(idx)))
    };
    /// Groups of 64: of a pair of units the first is in the low halves of the bytes, the second in the high ones.
    Int4, false, |row, scales, idx, odd| {
        let bytes = _mm256_loadu_si256(row.add(idx / 2 * GROUP).cast());
        let bytes = if odd { _mm256_srli_epi16::<4>(bytes) } else { bytes };
        let integers = _mm256_and_si256(bytes, _mm256_set1_epi8(15));
        (less(integers, 8), _mm_set_ss(*scales.add(idx / 2)))
    };
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

/// Sums of the even and of the odd units, so that one does not wait for the other, and of the minima.
#[derive(Clone, Copy)]
struct Sums {
    even: __m256,
    odd: __m256,
    minima: __m128,
}

#[inline(always)]
fn outputs<U: Unit, const VNNI: bool, const ROWS: usize>(mut task: Task<'_, ROWS>) {
    let n_units = task.x.n_inputs / GROUP;
    let x = task.starts(&task.x.integers, task.x.n_inputs);
    let factors = task.starts(&task.x.factors, n_units);
    for (i, output) in task.outputs.clone().enumerate() {
        let (row, scales) = task.row(output);
        // SAFETY: the machine has AVX, or nobody calls this.
        let zero = unsafe {
            Sums { even: _mm256_setzero_ps(), odd: _mm256_setzero_ps(), minima: _mm_setzero_ps() }
        };
        let mut sums = [zero; ROWS];
        // SAFETY: `idx` stays below the number of units that a row of weights and one of activations have.
        unsafe {
            for pair in 0..n_units / 2 {
                add::<U, VNNI, false, ROWS>(row, scales, 2 * pair, &x, &factors, &mut sums);
                add::<U, VNNI, true, ROWS>(row, scales, 2 * pair + 1, &x, &factors, &mut sums);
            }
            if n_units % 2 == 1 {
                add::<U, VNNI, false, ROWS>(row, scales, n_units - 1, &x, &factors, &mut sums);
            }
        }
        for (out, sums) in task.out.iter_mut().zip(&sums) {
            // SAFETY: as above.
            let (products, minima) = unsafe {
                let minimum = _mm_shuffle_ps::<1>(sums.minima, sums.minima);
                (_mm256_add_ps(sums.even, sums.odd), _mm_cvtss_f32(minimum))
            };
            out[i] = if U::HAS_MINIMUM { total(products) + minima } else { total(products) };
        }
    }
}

/// Adds the products of unit `idx`.
#[inline(always)]
// SAFETY: for callers: all pointers are to rows of more than `idx` units, and the machine has what is asked for.
unsafe fn add<U: Unit, const VNNI: bool, const ODD: bool, const ROWS: usize>(
    row: *const u8,
    scales: *const f32,
    idx: usize,
    x: &[*const i8; ROWS],
    factors: &[*const [f32; 2]; ROWS],
    sums: &mut [Sums; ROWS],
) {
    // SAFETY: as the caller says.
    unsafe {
        let (weights, of_weights) = U::load::<ODD>(row, scales, idx);
        // The instruction wants one factor unsigned: signs go from the weights to the activations.
        let magnitudes = if U::HAS_MINIMUM { weights } else { _mm256_sign_epi8(weights, weights) };
        for ((x, factors), sums) in x.iter().zip(factors).zip(sums) {
            let x = _mm256_loadu_si256(x.add(idx * GROUP).cast());
            let x = if U::HAS_MINIMUM { x } else { _mm256_sign_epi8(x, weights) };
            let integers = match VNNI {
                true => _mm256_dpbusd_epi32(_mm256_setzero_si256(), magnitudes, x),
                false => {
                    let pairs = _mm256_maddubs_epi16(magnitudes, x);
                    _mm256_madd_epi16(pairs, _mm256_set1_epi16(1))
                }
            };
            let of_x = _mm_castsi128_ps(_mm_loadl_epi64(factors.add(idx).cast()));
            let product = _mm_mul_ps(of_weights, of_x);
            if U::HAS_MINIMUM {
                sums.minima = _mm_add_ps(sums.minima, product);
            }
            let sum = if ODD { &mut sums.odd } else { &mut sums.even };
            *sum =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(integers), _mm256_broadcastss_ps(product), *sum);
        }
    }
}
