//! Matrices of 8- or 4-bit integers with a scale per group of inputs, multiplied as they lie on disk.

mod kernels;

use std::ops::Range;
use std::sync::Arc;

use rayon::prelude::*;

use self::kernels::Operands;
use crate::bytes::Bytes;

/// Outputs that one task of the thread pool computes.
const OUTPUTS_PER_TASK: usize = 64;

/// How the integers of a matrix are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One signed byte a weight, -127..=127.
    Int8,
    /// Half a byte a weight, -7..=7 stored with 8 added; within a group of 2n weights, byte i holds weight i in its
    /// low half and weight n + i in its high half.
    Int4,
}

impl Format {
    /// Group sizes in the order of preference; the first that divides a row's length is taken.
    pub(crate) fn group_sizes(self) -> &'static [usize] {
        match self {
            Self::Int8 => &[128, 64, 32],
            Self::Int4 => &[64, 32],
        }
    }

    fn largest(self) -> f32 {
        match self {
            Self::Int8 => 127.0,
            Self::Int4 => 7.0,
        }
    }

    /// Bytes of `n` weights.
    pub(crate) fn n_bytes(self, n: usize) -> usize {
        match self {
            Self::Int8 => n,
            Self::Int4 => n / 2,
        }
    }
}

/// Integers [outputs, inputs] and scales [outputs, inputs / group_size]; a clone shares both.
#[derive(Clone)]
pub(crate) struct Matrix {
    pub(crate) format: Format,
    pub(crate) n_outputs: usize,
    pub(crate) n_inputs: usize,
    pub(crate) group_size: usize,
    bytes: Arc<Bytes>,
    range: Range<usize>,
    scales: Arc<[f32]>,
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matrix")
            .field("format", &self.format)
            .field("n_outputs", &self.n_outputs)
            .field("n_inputs", &self.n_inputs)
            .field("group_size", &self.group_size)
            .finish()
    }
}

impl Matrix {
    /// `range` of `bytes` holds the integers, `scales` a value per output and group; the caller has checked both lengths.
    pub(crate) fn new(
        format: Format,
        (n_outputs, n_inputs): (usize, usize),
        group_size: usize,
        (bytes, range): (Arc<Bytes>, Range<usize>),
        scales: Arc<[f32]>,
    ) -> Self {
        Self { format, n_outputs, n_inputs, group_size, bytes, range, scales }
    }

    /// Integers and scales of one output.
    fn row(&self, output: usize) -> (&[u8], &[f32]) {
        let n_bytes = self.format.n_bytes(self.n_inputs);
        let n_groups = self.n_inputs / self.group_size;
        let start = self.range.start + output * n_bytes;
        (
            &self.bytes.as_slice()[start..start + n_bytes],
            &self.scales[output * n_groups..(output + 1) * n_groups],
        )
    }

    /// The weights of some outputs, [outputs, inputs].
    pub(crate) fn dequantised(&self, outputs: Range<usize>) -> Vec<f32> {
        let mut weights = vec![0.0; outputs.len() * self.n_inputs];
        weights.par_chunks_mut(self.n_inputs).zip(outputs).for_each(|(weights, output)| {
            let (bytes, scales) = self.row(output);
            dequantise(self.format, self.group_size, bytes, scales, weights);
        });
        weights
    }

    /// x W^T for `x` of [rows, inputs]; returns [rows, outputs].
    ///
    /// Each weight is read once for up to [`kernels::MAX_ROWS`] rows, so the rows of a token's loops cost one pass.
    pub(crate) fn multiply(&self, x: &[f32]) -> Vec<f32> {
        let n_rows = x.len() / self.n_inputs;
        // [outputs, rows], so that each task owns a contiguous part.
        let mut by_output = vec![0.0; self.n_outputs * n_rows];
        by_output.par_chunks_mut(OUTPUTS_PER_TASK * n_rows).enumerate().for_each(|(task, out)| {
            for (i, out) in out.chunks_exact_mut(n_rows).enumerate() {
                let (bytes, scales) = self.row(task * OUTPUTS_PER_TASK + i);
                let x = x.chunks(kernels::MAX_ROWS * self.n_inputs);
                for (x, out) in x.zip(out.chunks_mut(kernels::MAX_ROWS)) {
                    let (format, group_size) = (self.format, self.group_size);
                    kernels::dot(Operands { format, group_size, bytes, scales, x }, out);
                }
            }
        });
        let mut result = vec![0.0; by_output.len()];
        for (output, rows) in by_output.chunks_exact(n_rows.max(1)).enumerate() {
            for (row, value) in rows.iter().enumerate() {
                result[row * self.n_outputs + output] = *value;
            }
        }
        result
    }
}

/// Rounds one row to `format`; returns its bytes and the bits of its scales as bfloat16.
///
/// A scale has the range of f32 in 16 bits and is rounded up, so that no weight is clipped.
pub(crate) fn quantise(format: Format, group_size: usize, row: &[f32]) -> (Vec<u8>, Vec<u16>) {
    let mut bytes = Vec::with_capacity(format.n_bytes(row.len()));
    let mut scales = Vec::with_capacity(row.len() / group_size);
    for group in row.chunks_exact(group_size) {
        let largest = group.iter().fold(0f32, |largest, weight| largest.max(weight.abs()));
        let bits = (largest / format.largest()).to_bits().div_ceil(1 << 16) as u16;
        scales.push(bits);
        let scale = scale_from_bits(bits);
        let inverse = if scale == 0.0 { 0.0 } else { 1.0 / scale };
        let integer = |weight: &f32| (weight * inverse).round() as i8;
        match format {
            Format::Int8 => {
                bytes.extend(group.iter().map(|weight| integer(weight).cast_unsigned()))
            }
            Format::Int4 => {
                let (low, high) = group.split_at(group_size / 2);
                let nibble = |weight| (integer(weight) + 8).cast_unsigned();
                bytes.extend(low.iter().zip(high).map(|(l, h)| nibble(l) | (nibble(h) << 4)));
            }
        }
    }
    (bytes, scales)
}

pub(crate) fn scale_from_bits(bits: u16) -> f32 {
    f32::from_bits(u32::from(bits) << 16)
}

/// The inverse of [`quantise`], up to rounding.
pub(crate) fn dequantise(
    format: Format,
    group_size: usize,
    bytes: &[u8],
    scales: &[f32],
    weights: &mut [f32],
) {
    let groups = bytes.chunks_exact(format.n_bytes(group_size)).zip(scales);
    for ((bytes, scale), weights) in groups.zip(weights.chunks_exact_mut(group_size)) {
        match format {
            Format::Int8 => {
                for (weight, byte) in weights.iter_mut().zip(bytes) {
                    *weight = f32::from(byte.cast_signed()) * scale;
                }
            }
            Format::Int4 => {
                let (low, high) = weights.split_at_mut(group_size / 2);
                for ((l, h), byte) in low.iter_mut().zip(high).zip(bytes) {
                    *l = (f32::from(byte & 15) - 8.0) * scale;
                    *h = (f32::from(byte >> 4) - 8.0) * scale;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matrix(format: Format, n_inputs: usize, group_size: usize, weights: &[f32]) -> Matrix {
        let (mut bytes, mut scales) = (Vec::new(), Vec::new());
        for row in weights.chunks_exact(n_inputs) {
            let (row_bytes, row_scales) = quantise(format, group_size, row);
            bytes.extend(row_bytes);
            scales.extend(row_scales.into_iter().map(scale_from_bits));
        }
        let range = 0..bytes.len();
        let bytes = Arc::new(Bytes::Static(Vec::leak(bytes)));
        let shape = (weights.len() / n_inputs, n_inputs);
        Matrix::new(format, shape, group_size, (bytes, range), scales.into())
    }

    fn formats() -> impl Strategy<Value = (Format, usize)> {
        prop_oneof![
            Just((Format::Int8, 32)),
            Just((Format::Int8, 64)),
            Just((Format::Int8, 128)),
            Just((Format::Int4, 32)),
            Just((Format::Int4, 64)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rounding_is_at_most_half_a_step(
            (format, group_size) in formats(),
            weights in proptest::collection::vec(-3f32..3.0, 256),
            exponent in -30..30i32,
        ) {
            let weights: Vec<f32> = weights.iter().map(|weight| weight * 2f32.powi(exponent)).collect();
            let matrix = matrix(format, 128, group_size, &weights);
            for (row, expected) in weights.chunks_exact(128).enumerate() {
                let found = matrix.dequantised(row..row + 1);
                let (_, scales) = matrix.row(row);
                for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
                    let step = scales[i / group_size];
                    prop_assert!((found - expected).abs() <= step * 0.5001, "{found} {expected} {step}");
                }
            }
        }

        #[test]
        fn products_equal_those_of_the_dequantised_weights(
            (format, group_size) in formats(),
            n_outputs in 1..150usize,
            n_rows in 1..40usize,
            seed in any::<u32>(),
        ) {
            let n_inputs = 256;
            let mut state = seed;
            let mut draw = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 8) as f32 / (1 << 23) as f32 - 1.0
            };
            let weights: Vec<f32> = (0..n_outputs * n_inputs).map(|_| draw()).collect();
            let x: Vec<f32> = (0..n_rows * n_inputs).map(|_| draw()).collect();
            let matrix = matrix(format, n_inputs, group_size, &weights);
            let found = matrix.multiply(&x);
            prop_assert_eq!(found.len(), n_rows * n_outputs);
            for output in 0..n_outputs {
                let row = matrix.dequantised(output..output + 1);
                for (i, x) in x.chunks_exact(n_inputs).enumerate() {
                    let expected: f64 =
                        row.iter().zip(x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                    let error = (f64::from(found[i * n_outputs + output]) - expected).abs();
                    prop_assert!(error < 1e-4, "{error}");
                }
            }
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for format in [Format::Int8, Format::Int4] {
            assert_eq!(matrix(format, 64, 64, &[0.0; 64]).dequantised(0..1), [0.0; 64]);
        }
    }
}
