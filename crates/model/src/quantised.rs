//! This project's own formats: integers of 8 or 4 bits with a scale per group of inputs.

use crate::layout::Layout;

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

    pub(crate) fn layout(self, group_size: usize) -> Layout {
        match self {
            Self::Int8 => Layout::Int8 { group_size },
            Self::Int4 => Layout::Int4 { group_size },
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::Row;

    /// What a row becomes, and its scales.
    fn there_and_back(format: Format, group_size: usize, row: &[f32]) -> (Vec<f32>, Vec<f32>) {
        let (bytes, scales) = quantise(format, group_size, row);
        let scales: Vec<f32> = scales.into_iter().map(scale_from_bits).collect();
        let mut back = vec![f32::NAN; row.len()];
        Row { layout: format.layout(group_size), bytes: &bytes, scales: &scales }
            .dequantise(&mut back);
        (back, scales)
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
            let (found, scales) = there_and_back(format, group_size, &weights);
            for (i, (found, expected)) in found.iter().zip(&weights).enumerate() {
                let step = scales[i / group_size];
                prop_assert!((found - expected).abs() <= step * 0.5001, "{found} {expected} {step}");
            }
        }
    }

    #[test]
    fn zeros_stay_zeros() {
        for format in [Format::Int8, Format::Int4] {
            assert_eq!(there_and_back(format, 64, &[0.0; 64]).0, [0.0; 64]);
        }
    }
}
