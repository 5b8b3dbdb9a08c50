//! A panel of 16 outputs times a few rows, all sums in registers.

use std::arch::x86_64::*;

use crate::layout::GROUP;
use crate::operand::Stretch;
use crate::panel::{PANEL, Panel};

/// Registers for the outputs of a panel.
const N: usize = PANEL / 8;

/// See [`super::super::tile`]; the machine has AVX2 and FMA, and if `VNNI` AVX-512 VNNI and VL.
pub(in super::super) fn run<const VNNI: bool, const ROWS: usize>(
    panel: &Panel,
    x: &[Stretch<'_>; ROWS],
    sums: &mut [[f32; PANEL]; ROWS],
) {
    // All that is read without looking.
    if panel.unit == 1 {
        assert!(panel.depth <= panel.floats.len());
        assert!(x.iter().all(|x| panel.depth <= x.floats.len()));
        // SAFETY: the machine has AVX2 and FMA.
        return unsafe { floats(panel, x, sums) };
    }
    let (n_units, n_groups) = (panel.depth / panel.unit, panel.minima.len());
    assert!(
        panel.depth.is_multiple_of(panel.unit)
            && panel.unit.is_multiple_of(2)
            && n_groups <= panel.depth / GROUP
    );
    assert!(panel.depth / 2 <= panel.integers.len() && n_units <= panel.scales.len());
    assert!(x.iter().all(|x| panel.depth / 2 <= x.integers.len()
        && n_units <= x.factors.len()
        && n_groups <= x.sums.len()));
    // SAFETY: the machine has what is asked for.
    unsafe {
        match VNNI {
            true => with_vnni(panel, x, sums),
            false => without_vnni(panel, x, sums),
        }
    }
}

#[target_feature(enable = "avx2,fma,avx512vnni,avx512vl")]
fn with_vnni<const ROWS: usize>(
    panel: &Panel,
    x: &[Stretch<'_>; ROWS],
    sums: &mut [[f32; PANEL]; ROWS],
) {
    integers::<true, ROWS>(panel, x, sums);
}

#[target_feature(enable = "avx2,fma")]
fn without_vnni<const ROWS: usize>(
    panel: &Panel,
    x: &[Stretch<'_>; ROWS],
    sums: &mut [[f32; PANEL]; ROWS],
) {
    integers::<false, ROWS>(panel, x, sums);
}

#[inline(always)]
fn integers<const VNNI: bool, const ROWS: usize>(
    panel: &Panel,
    x: &[Stretch<'_>; ROWS],
    sums: &mut [[f32; PANEL]; ROWS],
) {
    let pairs_of_unit = panel.unit / 2;
    let weights = panel.integers.as_ptr();
    let pairs = x.map(|x| x.integers.as_ptr());
    // SAFETY: every index stays below the lengths that `run` looked at; the machine has AVX2 and FMA.
    unsafe {
        let mut totals = sums.map(|sums| load(&sums));
        for unit in 0..panel.depth / panel.unit {
            let mut products = [[_mm256_setzero_si256(); N]; ROWS];
            for pair in unit * pairs_of_unit..(unit + 1) * pairs_of_unit {
                let weights: [__m256i; N] = std::array::from_fn(|n| {
                    _mm256_loadu_si256(weights.add(pair).cast::<__m256i>().add(n))
                });
                for (products, pairs) in products.iter_mut().zip(&pairs) {
                    let x = _mm256_set1_epi32(pairs.add(pair).cast::<i32>().read_unaligned());
                    for (product, weights) in products.iter_mut().zip(weights) {
                        *product = match VNNI {
                            true => _mm256_dpwssd_epi32(*product, weights, x),
                            false => _mm256_add_epi32(*product, _mm256_madd_epi16(weights, x)),
                        };
                    }
                }
            }
            let scales = load(panel.scales.get_unchecked(unit));
            for ((totals, products), x) in totals.iter_mut().zip(products).zip(x) {
                let scale = _mm256_set1_ps(x.factors.get_unchecked(unit)[0]);
                for n in 0..N {
                    let product = _mm256_cvtepi32_ps(products[n]);
                    totals[n] =
                        _mm256_fmadd_ps(product, _mm256_mul_ps(scales[n], scale), totals[n]);
                }
            }
        }
        for (group, minima) in panel.minima.iter().enumerate() {
            let minima = load(minima);
            for (totals, x) in totals.iter_mut().zip(x) {
                let sum = _mm256_set1_ps(*x.sums.get_unchecked(group));
                for n in 0..N {
                    totals[n] = _mm256_fmadd_ps(minima[n], sum, totals[n]);
                }
            }
        }
        for (sums, totals) in sums.iter_mut().zip(totals) {
            store(totals, sums);
        }
    }
}

#[target_feature(enable = "avx2,fma")]
fn floats<const ROWS: usize>(
    panel: &Panel,
    x: &[Stretch<'_>; ROWS],
    sums: &mut [[f32; PANEL]; ROWS],
) {
    let mut totals = sums.map(|sums| load(&sums));
    for (i, weights) in panel.floats.iter().enumerate().take(panel.depth) {
        let weights = load(weights);
        for (totals, x) in totals.iter_mut().zip(x) {
            // SAFETY: `i` is below `depth`, and `run` has looked at the length.
            let x = _mm256_set1_ps(unsafe { *x.floats.get_unchecked(i) });
            for n in 0..N {
                totals[n] = _mm256_fmadd_ps(weights[n], x, totals[n]);
            }
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        store(totals, sums);
    }
}

#[inline(always)]
fn load(values: &[f32; PANEL]) -> [__m256; N] {
    // SAFETY: all of the array is read; the machine has AVX, or nobody calls this.
    std::array::from_fn(|n| unsafe { _mm256_loadu_ps(values.as_ptr().add(n * 8)) })
}

#[inline(always)]
fn store(registers: [__m256; N], values: &mut [f32; PANEL]) {
    for (n, register) in registers.into_iter().enumerate() {
        // SAFETY: as above, written.
        unsafe { _mm256_storeu_ps(values.as_mut_ptr().add(n * 8), register) };
    }
}
