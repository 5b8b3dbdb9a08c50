//! Weights of 16 outputs brought into the lines of a panel.

use std::arch::x86_64::*;

use crate::layout::GROUP;
use crate::panel::{BIAS, Line, PANEL};

/// See [`super::super::turn_pairs`]; the machine has AVX2.
pub(in super::super) fn pairs(rows: &[&[i8; GROUP]; PANEL], lines: &mut [Line<[i16; 2]>]) {
    assert_eq!(lines.len(), GROUP / 2);
    // SAFETY: the machine has AVX2, and the lines take all of the rows.
    unsafe { pairs_in_registers(rows, lines) }
}

#[target_feature(enable = "avx2")]
fn pairs_in_registers(rows: &[&[i8; GROUP]; PANEL], lines: &mut [Line<[i16; 2]>]) {
    for (first_row, first_line) in [(0, 0), (0, 8), (8, 0), (8, 8)] {
        let mut square = [_mm256_setzero_si256(); 8];
        for (register, row) in square.iter_mut().zip(&rows[first_row..]) {
            // SAFETY: sixteen bytes from the first or the seventeenth on, of 32.
            let bytes = unsafe { _mm_loadu_si128(row.as_ptr().add(2 * first_line).cast()) };
            *register = _mm256_cvtepi8_epi16(bytes);
        }
        write(turned(square), first_row, &mut lines[first_line..]);
    }
}

/// See [`super::super::turn_fours`]; the machine has AVX2.
pub(in super::super) fn fours(rows: &[&[i8; GROUP]; PANEL], lines: &mut [Line<[i8; 4]>]) {
    assert_eq!(lines.len(), GROUP / 4);
    // SAFETY: the machine has AVX2, and the lines take all of the rows.
    unsafe { fours_in_registers(rows, lines) }
}

#[target_feature(enable = "avx2")]
fn fours_in_registers(rows: &[&[i8; GROUP]; PANEL], lines: &mut [Line<[i8; 4]>]) {
    for first_row in [0, 8] {
        let mut square = [_mm256_setzero_si256(); 8];
        for (register, row) in square.iter_mut().zip(&rows[first_row..]) {
            // SAFETY: the row has 32 bytes.
            *register = unsafe { _mm256_loadu_si256(row.as_ptr().cast()) };
        }
        write(turned(square), first_row, lines);
    }
}

/// See [`super::super::start`]; the machine has AVX2.
pub(in super::super) fn start(lines: &[Line<[i8; 4]>]) -> Line<[i16; 2]> {
    // SAFETY: the machine has AVX2.
    unsafe { start_in_registers(lines) }
}

#[target_feature(enable = "avx2")]
fn start_in_registers(lines: &[Line<[i8; 4]>]) -> Line<[i16; 2]> {
    let mut start = Line([[0i16; 2]; PANEL]);
    for half in 0..2 {
        let mut sum = _mm256_setzero_si256();
        for line in lines {
            // SAFETY: half of a line is read.
            unsafe {
                let weights = _mm256_load_si256(line.0.as_ptr().cast::<__m256i>().add(half));
                let bias = _mm256_set1_epi8(BIAS as i8);
                sum = _mm256_sub_epi16(sum, _mm256_maddubs_epi16(bias, weights));
            }
        }
        // SAFETY: half of a line is written.
        unsafe { _mm256_store_si256(start.0.as_mut_ptr().cast::<__m256i>().add(half), sum) };
    }
    start
}

/// Outputs from `first_row` on of eight lines.
#[inline]
#[target_feature(enable = "avx2")]
fn write<T>(square: [__m256i; 8], first_row: usize, lines: &mut [Line<T>]) {
    const { assert!(size_of::<T>() == 4) };
    for (line, register) in lines.iter_mut().zip(square) {
        let outputs = &mut line.0[first_row..first_row + 8];
        // SAFETY: eight elements of four bytes are what a register holds.
        unsafe { _mm256_storeu_si256(outputs.as_mut_ptr().cast(), register) };
    }
}

/// Eight rows of eight numbers of 32 bits, rows for columns.
#[inline]
#[target_feature(enable = "avx2")]
fn turned(a: [__m256i; 8]) -> [__m256i; 8] {
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
    [
        _mm256_permute2x128_si256::<0x20>(c[0], c[4]),
        _mm256_permute2x128_si256::<0x20>(c[1], c[5]),
        _mm256_permute2x128_si256::<0x20>(c[2], c[6]),
        _mm256_permute2x128_si256::<0x20>(c[3], c[7]),
        _mm256_permute2x128_si256::<0x31>(c[0], c[4]),
        _mm256_permute2x128_si256::<0x31>(c[1], c[5]),
        _mm256_permute2x128_si256::<0x31>(c[2], c[6]),
        _mm256_permute2x128_si256::<0x31>(c[3], c[7]),
    ]
}
