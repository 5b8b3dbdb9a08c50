//! The products of attention with AVX2 and FMA.
//!
//! Plain loops and no closures: a closure has none of the instructions and would be called for each register.
#![expect(
    unsafe_code,
    reason = "instructions that not every machine has; the caller vouches for the machine"
)]
#![expect(clippy::needless_range_loop, reason = "arrays that stay in registers")]

use std::arch::x86_64::*;

use super::{FOUR, Products};

/// Numbers in a register.
const N: usize = 8;

/// Registers of one query's sums: with two queries as many as hide the latency of a multiplication.
const COLUMNS: usize = 4;

/// Used where the machine has AVX2 and FMA, and nowhere else.
pub(super) struct Avx2;

impl Products<f32> for Avx2 {
    #[inline(always)]
    fn dot<const Q: usize>(queries: [&[f32]; Q], keys: [&[f32]; FOUR]) -> [[f32; FOUR]; Q] {
        // SAFETY: the machine has AVX2 and FMA, or nobody calls this.
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
