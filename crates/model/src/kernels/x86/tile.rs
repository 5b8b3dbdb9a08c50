//! A panel of 16 outputs times a stripe of four rows, all sums in registers.

use std::arch::x86_64::*;

use crate::layout::{GROUP, Row};
use crate::panel::{Line, PANEL, Panel, STRIPE, Stripe};

/// Registers for the outputs of a panel.
const N: usize = PANEL / 8;

/// See [`super::super::tile`]; the machine has AVX2 and FMA, and if `VNNI` AVX-512 VNNI and VL.
pub(in super::super) fn run<const VNNI: bool>(
    panel: &Panel,
    x: &Stripe<'_>,
    sums: &mut [[f32; PANEL]; STRIPE],
) {
    // SAFETY: the machine has what is asked for.
    unsafe {
        match (panel.unit, VNNI) {
            (1, _) => floats(panel, x, sums),
            (_, true) => with_vnni(panel, x, sums),
            (_, false) => without_vnni(panel, x, sums),
        }
    }
}

#[target_feature(enable = "avx2,fma,avx512vnni,avx512vl")]
fn with_vnni(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    integers::<true>(panel, x, sums);
}

#[target_feature(enable = "avx2,fma")]
fn without_vnni(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    integers::<false>(panel, x, sums);
}

#[inline(always)]
fn integers<const VNNI: bool>(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    let mut totals = [load(&sums[0]), load(&sums[1]), load(&sums[2]), load(&sums[3])];
    let units = panel.integers.chunks_exact(panel.unit / 2).zip(&panel.scales);
    let units = units.zip(x.integers.chunks_exact(panel.unit / 2).zip(x.scales));
    // SAFETY: all reads are within the arrays they name; the machine has what is asked for, or nobody calls this.
    unsafe {
        for ((weights, scales), (x, x_scales)) in units {
            let mut products = [[_mm256_setzero_si256(); N]; STRIPE];
            for (weights, x) in weights.iter().zip(x) {
                let weights = weights.0.as_ptr().cast::<__m256i>();
                let weights = [_mm256_load_si256(weights), _mm256_load_si256(weights.add(1))];
                for (products, x) in products.iter_mut().zip(x) {
                    let x = _mm256_set1_epi32(x.as_ptr().cast::<i32>().read_unaligned());
                    for (product, weights) in products.iter_mut().zip(weights) {
                        *product = match VNNI {
                            true => _mm256_dpwssd_epi32(*product, weights, x),
                            false => _mm256_add_epi32(*product, _mm256_madd_epi16(weights, x)),
                        };
                    }
                }
            }
            let scales = load(&scales.0);
            for ((totals, products), x_scale) in totals.iter_mut().zip(products).zip(x_scales) {
                let x_scale = _mm256_set1_ps(*x_scale);
                for ((total, product), scale) in totals.iter_mut().zip(products).zip(scales) {
                    let scale = _mm256_mul_ps(scale, x_scale);
                    *total = _mm256_fmadd_ps(_mm256_cvtepi32_ps(product), scale, *total);
                }
            }
        }
        for (minima, x) in panel.minima.iter().zip(x.sums) {
            add_products(&minima.0, x, &mut totals);
        }
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        store(totals, sums);
    }
}

#[target_feature(enable = "avx2,fma")]
fn floats(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    let mut totals = [load(&sums[0]), load(&sums[1]), load(&sums[2]), load(&sums[3])];
    for (weights, x) in panel.floats.iter().zip(x.floats) {
        add_products(&weights.0, x, &mut totals);
    }
    for (sums, totals) in sums.iter_mut().zip(totals) {
        store(totals, sums);
    }
}

#[inline(always)]
fn add_products(weights: &[f32; PANEL], x: &[f32; STRIPE], totals: &mut [[__m256; N]; STRIPE]) {
    let weights = load(weights);
    for (totals, x) in totals.iter_mut().zip(x) {
        for (total, weights) in totals.iter_mut().zip(weights) {
            // SAFETY: the machine has FMA, or nobody calls this.
            *total = unsafe { _mm256_fmadd_ps(weights, _mm256_set1_ps(*x), *total) };
        }
    }
}

#[inline(always)]
fn load(values: &[f32; PANEL]) -> [__m256; N] {
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

/// See [`Row::unit`]; the machine has AVX2 and F16C.
pub(in super::super) fn unit(
    row: Row<'_>,
    idx: usize,
    integers: &mut [i16],
    minima: &mut [f32],
) -> f32 {
    // SAFETY: the machine has what is asked for.
    unsafe { unit_in_registers(row, idx, integers, minima) }
}

#[target_feature(enable = "avx2,f16c")]
fn unit_in_registers(row: Row<'_>, idx: usize, integers: &mut [i16], minima: &mut [f32]) -> f32 {
    row.unit(idx, integers, minima)
}

/// See [`super::super::turn`]; the machine has AVX2.
pub(in super::super) fn turn(
    rows: &[&[i16; GROUP]; PANEL],
    lines: &mut [Line<[i16; 2]>; GROUP / 2],
) {
    // SAFETY: the machine has AVX2.
    unsafe { turn_in_registers(rows, lines) }
}

/// Pairs of integers are numbers of 32 bits here: four squares of eight by eight change rows for columns.
#[target_feature(enable = "avx2")]
fn turn_in_registers(rows: &[&[i16; GROUP]; PANEL], lines: &mut [Line<[i16; 2]>; GROUP / 2]) {
    for (first_row, first_line) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
        let mut a = [_mm256_setzero_si256(); 8];
        for (register, row) in a.iter_mut().zip(&rows[first_row..]) {
            // SAFETY: eight pairs from the first or the ninth on, of sixteen.
            *register = unsafe { _mm256_loadu_si256(row.as_ptr().add(2 * first_line).cast()) };
        }
        let b = [
            _mm256_unpacklo_epi32(a[0], a[1]),
            _mm256_unpackhi_epi32(a[0], a[1]),
            _mm256_unpacklo_epi32(a[2], a[3]),
            _mm256_unpackhi_epi32(a[2], a[3]),
            _mm256_unpacklo_epi32(a[4], a[5]),
            _mm256_unpackhi_epi32(a[4], a[5]),
            _mm256_unpacklo_epi32(a[6], a[7]),
            _mm256_unpackhi_epi32(a[6], a[7]),
        ];
        let c = [
            _mm256_unpacklo_epi64(b[0], b[2]),
            _mm256_unpackhi_epi64(b[0], b[2]),
            _mm256_unpacklo_epi64(b[1], b[3]),
            _mm256_unpackhi_epi64(b[1], b[3]),
            _mm256_unpacklo_epi64(b[4], b[6]),
            _mm256_unpackhi_epi64(b[4], b[6]),
            _mm256_unpacklo_epi64(b[5], b[7]),
            _mm256_unpackhi_epi64(b[5], b[7]),
        ];
        let turned = [
            _mm256_permute2x128_si256::<0x20>(c[0], c[4]),
            _mm256_permute2x128_si256::<0x20>(c[1], c[5]),
            _mm256_permute2x128_si256::<0x20>(c[2], c[6]),
            _mm256_permute2x128_si256::<0x20>(c[3], c[7]),
            _mm256_permute2x128_si256::<0x31>(c[0], c[4]),
            _mm256_permute2x128_si256::<0x31>(c[1], c[5]),
            _mm256_permute2x128_si256::<0x31>(c[2], c[6]),
            _mm256_permute2x128_si256::<0x31>(c[3], c[7]),
        ];
        for (line, register) in lines[first_line..].iter_mut().zip(turned) {
            // SAFETY: eight outputs from the first or the ninth on, of sixteen.
            unsafe { _mm256_storeu_si256(line.0.as_mut_ptr().add(first_row).cast(), register) };
        }
    }
}
