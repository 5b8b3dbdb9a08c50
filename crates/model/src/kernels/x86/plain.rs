//! Weights stored as floats.

use std::arch::x86_64::*;

use super::{Task, total};

/// How eight stored floats become eight in single precision.
pub(super) trait Float {
    const N_BYTES: usize;

    // SAFETY: for callers: `at` is the first of eight floats, and the machine has AVX2 and F16C.
    unsafe fn load(at: *const u8) -> __m256;
}

pub(super) struct F32;

impl Float for F32 {
    const N_BYTES: usize = 4;

    #[inline(always)]
    // SAFETY: for callers: see the trait.
    unsafe fn load(at: *const u8) -> __m256 {
        // SAFETY: as the caller says.
        unsafe { _mm256_loadu_ps(at.cast()) }
    }
}

pub(super) struct F16;

impl Float for F16 {
    const N_BYTES: usize = 2;

    #[inline(always)]
    // SAFETY: for callers: see the trait.
    unsafe fn load(at: *const u8) -> __m256 {
        // SAFETY: as the caller says.
        unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.cast())) }
    }
}

pub(super) struct Bf16;

impl Float for Bf16 {
    const N_BYTES: usize = 2;

    #[inline(always)]
    // SAFETY: for callers: see the trait.
    unsafe fn load(at: *const u8) -> __m256 {
        // SAFETY: as the caller says.
        unsafe {
            let wide = _mm256_cvtepu16_epi32(_mm_loadu_si128(at.cast()));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(wide))
        }
    }
}

pub(super) fn run<F: Float, const ROWS: usize>(task: Task<'_, ROWS>) {
    // SAFETY: the machine has what is asked for, see [`super::run`].
    unsafe { outputs::<F, ROWS>(task) }
}

/// Sums that do not wait for one another.
const N_SUMS: usize = 2;

const LANES: usize = 8;

#[target_feature(enable = "avx2,fma,f16c")]
fn outputs<F: Float, const ROWS: usize>(mut task: Task<'_, ROWS>) {
    let n = task.x.n_inputs;
    let x = task.starts(&task.x.values, n);
    for (i, output) in task.outputs.clone().enumerate() {
        let (row, _) = task.row(output);
        let mut sums = [[_mm256_setzero_ps(); N_SUMS]; ROWS];
        let whole = n - n % (LANES * N_SUMS);
        for start in (0..whole).step_by(LANES * N_SUMS) {
            for j in 0..N_SUMS {
                let at = start + j * LANES;
                // SAFETY: eight weights and eight activations of each row follow, as `at + 8` is at most `n`.
                unsafe {
                    let weights = F::load(row.add(at * F::N_BYTES));
                    for (x, sums) in x.iter().zip(&mut sums) {
                        sums[j] = _mm256_fmadd_ps(weights, _mm256_loadu_ps(x.add(at)), sums[j]);
                    }
                }
            }
        }
        // What is left, filled up with zeros.
        let mut rest = [0u8; LANES * N_SUMS * 4];
        let n_left = n - whole;
        // SAFETY: the last `n_left` weights of the row, which are fewer than the room.
        let left =
            unsafe { std::slice::from_raw_parts(row.add(whole * F::N_BYTES), n_left * F::N_BYTES) };
        rest[..left.len()].copy_from_slice(left);
        for (row, sums) in sums.iter_mut().enumerate().take(if n_left == 0 { 0 } else { ROWS }) {
            let mut values = [0.0; LANES * N_SUMS];
            let first = (task.first_row + row) * n + whole;
            values[..n_left].copy_from_slice(&task.x.values[first..first + n_left]);
            for (j, sum) in sums.iter_mut().enumerate() {
                // SAFETY: both arrays have sixteen values.
                unsafe {
                    let weights = F::load(rest.as_ptr().add(j * LANES * F::N_BYTES));
                    let x = _mm256_loadu_ps(values.as_ptr().add(j * LANES));
                    *sum = _mm256_fmadd_ps(weights, x, *sum);
                }
            }
        }
        for (out, sums) in task.out.iter_mut().zip(&sums) {
            out[i] = total(_mm256_add_ps(sums[0], sums[1]));
        }
    }
}
