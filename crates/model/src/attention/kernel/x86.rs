//! The products of attention with AVX2, FMA and F16C.
//!
//! Plain loops and no closures: a closure has none of the instructions and would be called for each register.
#![expect(
    unsafe_code,
    reason = "instructions that not every machine has; the caller vouches for the machine"
)]
#![expect(clippy::needless_range_loop, reason = "arrays that stay in registers")]

use std::arch::x86_64::*;

use half::f16;

use crate::real::exp;

use super::{BLOCK, FOUR, LANES, Products, reference};

/// Numbers in a register.
const N: usize = 8;

/// Registers of one query's sums: with two queries as many as hide the latency of a multiplication.
const COLUMNS: usize = 4;

/// Bytes that come from memory together.
const CACHE_LINE: usize = 64;

/// Used where the machine has AVX2, FMA and F16C, and nowhere else.
pub(super) struct Avx2;

impl Products<f32> for Avx2 {
    #[inline(always)]
    fn widen(halves: &[u16], numbers: &mut [f32]) {
        // SAFETY: the machine has F16C, or nobody calls this.
        unsafe { widen(halves, numbers) }
    }

    fn ask_for(halves: &[u16]) {
        for line in halves.chunks(CACHE_LINE / size_of::<u16>()) {
            // SAFETY: asking for memory has no effect but on time.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
        }
    }

    #[inline(always)]
    fn weigh(scores: &mut [f32; BLOCK], scale: f32, before: f32) -> (f32, [f32; LANES]) {
        // SAFETY: as above.
        unsafe { weigh(scores, scale, before) }
    }

    #[inline(always)]
    fn dot<const Q: usize>(queries: [&[f32]; Q], keys: [&[f32]; FOUR]) -> [[f32; FOUR]; Q] {
        // SAFETY: as above.
        unsafe { dot(queries, keys) }
    }

    #[inline(always)]
    fn add<const Q: usize>(
        sums: &mut [f32],
        corrections: [f32; Q],
        weights: [&[f32]; Q],
        values: &[f32],
        width: usize,
    ) {
        // SAFETY: as above.
        unsafe { add(sums, corrections, weights, values, width) }
    }
}

#[inline]
#[target_feature(enable = "avx2,f16c")]
fn widen(halves: &[u16], numbers: &mut [f32]) {
    let (halves, rest) = halves.as_chunks::<N>();
    let (numbers, rest_of_numbers) = numbers.as_chunks_mut::<N>();
    for (numbers, halves) in numbers.iter_mut().zip(halves) {
        // SAFETY: as many numbers are read and written as the arrays have.
        unsafe {
            let halves = _mm_loadu_si128(halves.as_ptr().cast());
            _mm256_storeu_ps(numbers.as_mut_ptr(), _mm256_cvtph_ps(halves));
        }
    }
    for (number, bits) in rest_of_numbers.iter_mut().zip(rest) {
        *number = f16::from_bits(*bits).to_f32();
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn weigh(scores: &mut [f32; BLOCK], scale: f32, before: f32) -> (f32, [f32; LANES]) {
    let scores = scores.as_chunks_mut::<N>().0;
    let scale = _mm256_set1_ps(scale);
    // Of two numbers the instruction gives the second where one is NaN.
    let mut maxima = _mm256_set1_ps(f32::NEG_INFINITY);
    for scores in scores.iter_mut() {
        // SAFETY: eight floats are what is read and written.
        unsafe {
            let scaled = _mm256_mul_ps(_mm256_loadu_ps(scores.as_ptr()), scale);
            _mm256_storeu_ps(scores.as_mut_ptr(), scaled);
            maxima = _mm256_max_ps(scaled, maxima);
        }
    }
    let mut lanes = [0.0; N];
    // SAFETY: eight floats are what is written.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), maxima) };
    let mut largest = before;
    for score in lanes {
        largest = if largest < score { score } else { largest };
    }
    let reference = _mm256_set1_ps(reference(largest));
    let mut sums = _mm256_setzero_ps();
    for scores in scores.iter_mut() {
        // SAFETY: eight floats are what is read and written.
        unsafe {
            let weights =
                exp_of_negative(_mm256_sub_ps(_mm256_loadu_ps(scores.as_ptr()), reference));
            _mm256_storeu_ps(scores.as_mut_ptr(), weights);
            sums = _mm256_add_ps(sums, weights);
        }
    }
    // SAFETY: eight floats are what is written.
    unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sums) };
    (largest, lanes)
}

/// [`Real::exp_of_negative`](crate::real::Real::exp_of_negative) of eight numbers, operation for operation.
#[inline]
#[target_feature(enable = "avx2")]
fn exp_of_negative(exponents: __m256) -> __m256 {
    let lowest = _mm256_set1_ps(exp::LOWEST);
    let is_zero = _mm256_cmp_ps::<_CMP_LT_OQ>(exponents, lowest);
    let x = _mm256_max_ps(lowest, exponents);
    let round = _mm256_set1_ps(exp::ROUND);
    let shifted = _mm256_add_ps(_mm256_mul_ps(x, _mm256_set1_ps(std::f32::consts::LOG2_E)), round);
    let n = _mm256_sub_ps(shifted, round);
    let r = _mm256_sub_ps(x, _mm256_mul_ps(n, _mm256_set1_ps(exp::LN_2_HIGH)));
    let r = _mm256_sub_ps(r, _mm256_mul_ps(n, _mm256_set1_ps(exp::LN_2_LOW)));
    let mut p = _mm256_set1_ps(exp::TERMS[0]);
    for term in &exp::TERMS[1..] {
        p = _mm256_add_ps(_mm256_mul_ps(p, r), _mm256_set1_ps(*term));
    }
    let p = _mm256_add_ps(_mm256_mul_ps(_mm256_mul_ps(p, r), r), r);
    let p = _mm256_add_ps(p, _mm256_set1_ps(1.0));
    let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
    let power = _mm256_add_epi32(_mm256_castps_si256(p), exponent);
    _mm256_andnot_ps(is_zero, _mm256_castsi256_ps(power))
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn dot<const Q: usize>(queries: [&[f32]; Q], keys: [&[f32]; FOUR]) -> [[f32; FOUR]; Q] {
    let width = keys[0].len();
    for i in 1..FOUR {
        assert_eq!(keys[i].len(), width);
    }
    for query in &queries {
        assert_eq!(query.len(), width);
    }
    let mut sums = [[_mm256_setzero_ps(); FOUR]; Q];
    let mut at = 0;
    while at + N <= width {
        for i in 0..Q {
            // SAFETY: eight floats from `at` on lie within each of the slices, whose lengths were compared.
            let query = unsafe { _mm256_loadu_ps(queries[i].as_ptr().add(at)) };
            for j in 0..FOUR {
                // SAFETY: as above.
                let key = unsafe { _mm256_loadu_ps(keys[j].as_ptr().add(at)) };
                sums[i][j] = _mm256_fmadd_ps(query, key, sums[i][j]);
            }
        }
        at += N;
    }
    let mut products = [[0.0; FOUR]; Q];
    for i in 0..Q {
        let [a, b, c, d] = sums[i];
        let pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        let totals = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
        // SAFETY: four floats are what is written.
        unsafe { _mm_storeu_ps(products[i].as_mut_ptr(), totals) };
        for j in 0..FOUR {
            for column in at..width {
                products[i][j] = queries[i][column].mul_add(keys[j][column], products[i][j]);
            }
        }
    }
    products
}

#[inline]
#[target_feature(enable = "avx2,fma")]
fn add<const Q: usize>(
    sums: &mut [f32],
    corrections: [f32; Q],
    weights: [&[f32]; Q],
    values: &[f32],
    width: usize,
) {
    let mut start = 0;
    while start + COLUMNS * N <= width {
        add_columns::<Q, COLUMNS>(sums, corrections, weights, values, width, start);
        start += COLUMNS * N;
    }
    while start + N <= width {
        add_columns::<Q, 1>(sums, corrections, weights, values, width, start);
        start += N;
    }
    for query in 0..Q {
        for column in start..width {
            let mut sum = sums[query * width + column] * corrections[query];
            for (weight, values) in weights[query].iter().zip(values.chunks_exact(width)) {
                sum = weight.mul_add(values[column], sum);
            }
            sums[query * width + column] = sum;
        }
    }
}

/// `C` registers of columns from `start` on, which lie within `width`.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn add_columns<const Q: usize, const C: usize>(
    sums: &mut [f32],
    corrections: [f32; Q],
    weights: [&[f32]; Q],
    values: &[f32],
    width: usize,
    start: usize,
) {
    let n_keys = weights[0].len();
    for weights in &weights {
        assert_eq!(weights.len(), n_keys);
    }
    assert!(start + C * N <= width && Q * width <= sums.len() && n_keys * width <= values.len());
    let mut added = [[_mm256_setzero_ps(); C]; Q];
    for i in 0..Q {
        let correction = _mm256_set1_ps(corrections[i]);
        for j in 0..C {
            // SAFETY: the columns lie within a row of `width`, and `sums` has a row for each query.
            let before = unsafe { _mm256_loadu_ps(sums.as_ptr().add(i * width + start + j * N)) };
            added[i][j] = _mm256_mul_ps(before, correction);
        }
    }
    for key in 0..n_keys {
        let mut value = [_mm256_setzero_ps(); C];
        for j in 0..C {
            // SAFETY: the columns lie within a row of `width`, and `values` has a row for each key.
            value[j] = unsafe { _mm256_loadu_ps(values.as_ptr().add(key * width + start + j * N)) };
        }
        for i in 0..Q {
            // SAFETY: there is a weight for each key.
            let weight = _mm256_set1_ps(unsafe { *weights[i].get_unchecked(key) });
            for j in 0..C {
                added[i][j] = _mm256_fmadd_ps(weight, value[j], added[i][j]);
            }
        }
    }
    for i in 0..Q {
        for j in 0..C {
            // SAFETY: as where they were read.
            unsafe {
                _mm256_storeu_ps(sums.as_mut_ptr().add(i * width + start + j * N), added[i][j])
            };
        }
    }
}
