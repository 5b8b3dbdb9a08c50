//! Weights stored as floats.

use std::arch::x86_64::*;

use super::{TILE, Task, total};

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
    // Eight sums and more hide the latency of a multiplication, and twelve leave registers for what is multiplied.
    // SAFETY: the machine has what is asked for, see [`super::run`].
    unsafe {
        match ROWS {
            1 => outputs::<F, ROWS, 8>(task),
            _ => outputs::<F, ROWS, 4>(task),
        }
    }
}

const LANES: usize = 8;

#[target_feature(enable = "avx2,fma,f16c")]
fn outputs<F: Float, const ROWS: usize, const OUTPUTS: usize>(mut task: Task<'_, ROWS>) {
    let n = task.x.n_inputs;
    let x = task.starts(&task.x.values, n);
    let (rows, _) = task.rows();
    let mut ahead = task.ahead();
    for (block, rows) in rows.as_chunks::<OUTPUTS>().0.iter().enumerate() {
        let first = block * OUTPUTS;
        if task.outputs.len() <= first {
            break;
        }
        let mut sums = [[_mm256_setzero_ps(); OUTPUTS]; ROWS];
        let whole = n - n % LANES;
        for start in (0..whole).step_by(LANES) {
            // More rows come again and again to weights that are near.
            if F::N_BYTES < 4 && ROWS < 3 {
                ahead.ask(first * n + OUTPUTS * (start + LANES), TILE * n);
            }
            // SAFETY: eight weights and eight activations of each row follow.
            unsafe { add::<F, ROWS, OUTPUTS>(rows, &x, start, &mut sums) };
        }
        if whole < n {
            // What is left, filled up with zeros.
            let mut weights = [[0u8; LANES * 4]; OUTPUTS];
            let mut values = [[0f32; LANES]; ROWS];
            for (weights, row) in weights.iter_mut().zip(rows) {
                let n_bytes = (n - whole) * F::N_BYTES;
                // SAFETY: the last bytes of the row, which are fewer than the room.
                let left =
                    unsafe { std::slice::from_raw_parts(row.add(whole * F::N_BYTES), n_bytes) };
                weights[..n_bytes].copy_from_slice(left);
            }
            for (row, values) in values.iter_mut().enumerate() {
                let first = (task.first_row + row) * n;
                values[..n - whole].copy_from_slice(&task.x.values[first + whole..first + n]);
            }
            let (weights, values) =
                (weights.each_ref().map(|row| row.as_ptr()), values.each_ref().map(|x| x.as_ptr()));
            // SAFETY: all arrays have eight values.
            unsafe { add::<F, ROWS, OUTPUTS>(&weights, &values, 0, &mut sums) };
        }
        for (out, sums) in task.out.iter_mut().zip(&sums) {
            for (out, sums) in out[first..].iter_mut().zip(sums) {
                *out = total(*sums);
            }
        }
    }
}

/// Adds the products of [`LANES`] inputs from `start` on.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
// SAFETY: for callers: all pointers are to rows that have these inputs.
unsafe fn add<F: Float, const ROWS: usize, const OUTPUTS: usize>(
    rows: &[*const u8; OUTPUTS],
    x: &[*const f32; ROWS],
    start: usize,
    sums: &mut [[__m256; OUTPUTS]; ROWS],
) {
    // SAFETY: as the caller says.
    let x = x.map(|x| unsafe { _mm256_loadu_ps(x.add(start)) });
    for (i, row) in rows.iter().enumerate() {
        // SAFETY: as above.
        let weights = unsafe { F::load(row.add(start * F::N_BYTES)) };
        for (x, sums) in x.iter().zip(&mut *sums) {
            sums[i] = _mm256_fmadd_ps(weights, *x, sums[i]);
        }
    }
}
