//! A panel of 16 outputs times a stripe of six rows; the sums of a unit stay in registers.

use std::arch::x86_64::*;

use crate::layout::{GROUP, LONGEST_UNIT, Packing};
use crate::panel::{Line, PANEL, Panel, STRIPE, Stripe};

/// Registers for the outputs of a panel.
const N: usize = PANEL / 8;

/// Sums of one unit.
type Sums = [[__m256i; N]; STRIPE];

/// See [`super::super::tile`]; the machine has AVX2 and FMA, and if `VNNI` AVX-512 VNNI and VL.
pub(in super::super) fn run<const VNNI: bool>(
    panel: &Panel,
    x: &Stripe<'_>,
    sums: &mut [[f32; PANEL]; STRIPE],
) {
    // SAFETY: the machine has what is asked for.
    unsafe {
        match (panel.packing, panel.unit) {
            (Packing::Pairs, _) if VNNI => pairs_with_vnni(panel, x, sums),
            (Packing::Pairs, _) => pairs_without_vnni(panel, x, sums),
            (Packing::Fours { sum_len }, LONGEST_UNIT) => fours::<true>(sum_len, panel, x, sums),
            (Packing::Fours { sum_len }, _) => fours::<false>(sum_len, panel, x, sums),
        }
    }
}

#[target_feature(enable = "avx2,fma,avx512vnni,avx512vl")]
fn pairs_with_vnni(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    pairs::<true>(panel, x, sums);
}

#[target_feature(enable = "avx2,fma")]
fn pairs_without_vnni(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    pairs::<false>(panel, x, sums);
}

#[inline(always)]
fn pairs<const VNNI: bool>(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    // Not known to the compiler, which would unroll the loop over lines and run out of registers; so below.
    let n_lines = panel.unit / 2;
    let units = panel.pairs.chunks_exact(n_lines).zip(x.pairs.chunks_exact(n_lines));
    for (idx, (weights, x_pairs)) in units.enumerate() {
        // SAFETY: all reads are within the arrays they name; the machine has what is asked for, or nobody calls this.
        let mut products: Sums = [[unsafe { _mm256_setzero_si256() }; N]; STRIPE];
        for (weights, x) in weights.iter().zip(x_pairs) {
            let weights = load(weights);
            for (products, x) in products.iter_mut().zip(x) {
                // SAFETY: as above.
                unsafe {
                    let x = _mm256_set1_epi32(x.as_ptr().cast::<i32>().read_unaligned());
                    for (product, weights) in products.iter_mut().zip(weights) {
                        *product = match VNNI {
                            true => _mm256_dpwssd_epi32(*product, weights, x),
                            false => _mm256_add_epi32(*product, _mm256_madd_epi16(weights, x)),
                        };
                    }
                }
            }
        }
        add_scaled(panel, x, idx, &products, sums);
    }
}

/// Products are added up in 16 bits over `sum_len` inputs: there they have room once what was added to the activations is
/// taken out again, whatever overflows on the way.
#[target_feature(enable = "avx2,fma")]
fn fours<const HAS_STEPS: bool>(
    sum_len: usize,
    panel: &Panel,
    x: &Stripe<'_>,
    sums: &mut [[f32; PANEL]; STRIPE],
) {
    let n_lines = sum_len / 4;
    let n_sums = panel.unit / sum_len;
    let mut parts = panel.fours.chunks_exact(n_lines).zip(x.fours.chunks_exact(n_lines));
    for (idx, starts) in panel.starts.chunks_exact(n_sums).enumerate() {
        let mut products: Sums = [[_mm256_setzero_si256(); N]; STRIPE];
        for (part, (start, (weights, x))) in starts.iter().zip(&mut parts).enumerate() {
            let mut of_part: Sums = [load(start); STRIPE];
            for (weights, x) in weights.iter().zip(x) {
                let weights = load(weights);
                for (sums, x) in of_part.iter_mut().zip(x) {
                    let x = _mm256_set1_epi32(i32::from_le_bytes(*x));
                    for (sum, weights) in sums.iter_mut().zip(weights) {
                        *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(x, weights));
                    }
                }
            }
            let steps = match HAS_STEPS {
                true => load(&panel.steps[idx * n_sums + part]),
                false => [_mm256_set1_epi16(1); N],
            };
            for (products, sums) in products.iter_mut().zip(of_part) {
                for ((product, sum), step) in products.iter_mut().zip(sums).zip(steps) {
                    *product = _mm256_add_epi32(*product, _mm256_madd_epi16(sum, step));
                }
            }
        }
        add_scaled(panel, x, idx, &products, sums);
    }
}

/// Adds the products of unit `idx` to `sums`, and those of its minima.
#[inline(always)]
fn add_scaled(
    panel: &Panel,
    x: &Stripe<'_>,
    idx: usize,
    products: &Sums,
    sums: &mut [[f32; PANEL]; STRIPE],
) {
    let scales = floats(&panel.scales[idx].0);
    let x_scales = &x.scales[idx];
    for ((sums, products), x_scale) in sums.iter_mut().zip(products).zip(x_scales) {
        add(sums, products, &scales, *x_scale);
    }
    let Some(minimum_scales) = panel.minimum_scales.get(idx) else { return };
    let minimum_scales = floats(&minimum_scales.0);
    if panel.unit == GROUP {
        for (sums, x_sum) in sums.iter_mut().zip(&x.sums[idx]) {
            let mut totals = floats(sums);
            for (total, minimum) in totals.iter_mut().zip(minimum_scales) {
                // SAFETY: the machine has FMA, or nobody calls this.
                *total = unsafe { _mm256_fmadd_ps(minimum, _mm256_set1_ps(*x_sum), *total) };
            }
            store(totals, sums);
        }
        return;
    }
    const PAIRS: usize = LONGEST_UNIT / (2 * GROUP);
    let minima = &panel.minima[idx * PAIRS..(idx + 1) * PAIRS];
    let x_sums = &x.group_sums[idx * PAIRS..(idx + 1) * PAIRS];
    for (row, (sums, x_scale)) in sums.iter_mut().zip(x_scales).enumerate() {
        // SAFETY: two integers of 16 bits are read as one of 32; the machine has AVX2, or nobody calls this.
        let products = unsafe {
            let mut products = [_mm256_setzero_si256(); N];
            for (minima, x_sums) in minima.iter().zip(x_sums) {
                let x_sums = x_sums[row].as_ptr().cast::<i32>().read_unaligned();
                for (product, minima) in products.iter_mut().zip(load(minima)) {
                    let added = _mm256_madd_epi16(minima, _mm256_set1_epi32(x_sums));
                    *product = _mm256_add_epi32(*product, added);
                }
            }
            products
        };
        add(sums, &products, &minimum_scales, *x_scale);
    }
}

/// Adds products times the scales of both factors.
#[inline(always)]
fn add(sums: &mut [f32; PANEL], products: &[__m256i; N], scales: &[__m256; N], x_scale: f32) {
    let mut totals = floats(sums);
    for ((total, product), scale) in totals.iter_mut().zip(products).zip(scales) {
        // SAFETY: the machine has FMA, or nobody calls this.
        unsafe {
            let scale = _mm256_mul_ps(*scale, _mm256_set1_ps(x_scale));
            *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(*product), scale, *total);
        }
    }
    store(totals, sums);
}

#[inline(always)]
fn load<T>(line: &Line<T>) -> [__m256i; N] {
    const { assert!(size_of::<T>() == 4) };
    let line = std::ptr::from_ref(line).cast::<__m256i>();
    // SAFETY: all of the line is read, which is aligned; the machine has AVX, or nobody calls this.
    unsafe { [_mm256_load_si256(line), _mm256_load_si256(line.add(1))] }
}

#[inline(always)]
fn floats(values: &[f32; PANEL]) -> [__m256; N] {
    // SAFETY: all of the array is read; the machine has AVX, or nobody calls this.
    unsafe { [_mm256_loadu_ps(values.as_ptr()), _mm256_loadu_ps(values.as_ptr().add(8))] }
}

#[inline(always)]
fn store(registers: [__m256; N], values: &mut [f32; PANEL]) {
    for (n, register) in registers.into_iter().enumerate() {
        // SAFETY: as above, written.
        unsafe { _mm256_storeu_ps(values.as_mut_ptr().add(n * 8), register) };
    }
}
