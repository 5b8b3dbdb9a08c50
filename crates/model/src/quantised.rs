//! This project's own formats: integers of 8 or 4 bits with a scale per group of inputs.

use half::bf16;

use crate::layout::Layout;

/// Candidates for the scale of a group of four bits: so many on either side, and so far apart in units of the largest.
const N_STEPS: i32 = 4;
const STEP: f32 = 0.1;

const LANES: usize = 8;

/// 1.5 times 2^23: between it and its neighbour in single precision lies one.
const ROUND: f32 = 12_582_912.0;

/// How the integers of a matrix are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One signed byte a weight, -127..=127.
    Int8,
    /// Half a byte a weight, -8..=7 stored with 8 added; within a group of 2n weights, byte i holds weight i in its
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

/// The scales of one row's groups, as the bits of bfloat16, which has the range of f32 in 16 bits.
///
/// Eight bits: the largest weight becomes 127, and the scale is rounded up, so that no weight is clipped.
/// Four bits: see [`least_squares_scale`].
pub(crate) fn scales(format: Format, group_size: usize, row: &[f32]) -> Vec<u16> {
    let scale = |group: &[f32]| match format {
        Format::Int8 => (largest(group).abs() / 127.0).to_bits().div_ceil(1 << 16) as u16,
        Format::Int4 => bf16::from_f32(least_squares_scale(group)).to_bits(),
    };
    row.chunks_exact(group_size).map(scale).collect()
}

/// Rounds one row to `format` with the scales that [`scales`] chose.
pub(crate) fn integers(format: Format, group_size: usize, row: &[f32], scales: &[u16]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(format.n_bytes(row.len()));
    for (group, bits) in row.chunks_exact(group_size).zip(scales) {
        let inverse = inverse(scale_from_bits(*bits));
        match format {
            Format::Int8 => {
                let integer = |weight: &f32| (weight * inverse).round() as i8;
                bytes.extend(group.iter().map(|weight| integer(weight).cast_unsigned()));
            }
            Format::Int4 => {
                let (low, high) = group.split_at(group_size / 2);
                let nibble = |weight: &f32| (four_bits(weight * inverse) + 8.0) as u8;
                bytes.extend(low.iter().zip(high).map(|(l, h)| nibble(l) | (nibble(h) << 4)));
            }
        }
    }
    bytes
}

/// The scale, of either sign, with which rounding to -8..=7 costs least; an error costs its square times the square of
/// the weight, as large weights matter most.
///
/// With -8 on one side alone, the sign lets the largest weight be -8. A few scales around that one give integers, and for
/// given integers the best scale is a quotient of two sums.
fn least_squares_scale(group: &[f32]) -> f32 {
    let largest = largest(group);
    let unit = inverse(largest);
    let (mut best, mut most) = (largest / -8.0, 0.0);
    for step in -N_STEPS..=N_STEPS {
        let candidate = -8.0 + STEP * step as f32;
        let (mut product, mut square) = ([0f32; LANES], [0f32; LANES]);
        for weights in group.as_chunks::<LANES>().0 {
            for (lane, weight) in weights.iter().enumerate() {
                // In units of the largest, so that no power of a small weight is lost.
                let weight = weight * unit;
                let integer = four_bits(weight * candidate);
                let weighted = weight * weight * integer;
                product[lane] += weighted * weight;
                square[lane] += weighted * integer;
            }
        }
        let (product, square) = (product.iter().sum::<f32>(), square.iter().sum::<f32>());
        // By so much the cost is below that of zeros, at the best scale for these integers.
        let gain = if square > 0.0 { product * product / square } else { 0.0 };
        if gain > most {
            (best, most) = (largest * product / square, gain);
        }
    }
    best
}

/// The weight that is furthest from zero.
fn largest(group: &[f32]) -> f32 {
    group
        .iter()
        .fold(0f32, |largest, weight| if weight.abs() > largest.abs() { *weight } else { largest })
}

/// Zero for what is as good as zero.
fn inverse(scale: f32) -> f32 {
    if scale.is_normal() { 1.0 / scale } else { 0.0 }
}

/// The nearest of -8..=7; adding and taking away what leaves no place for fractions rounds several at a time.
fn four_bits(value: f32) -> f32 {
    (value.clamp(-8.0, 7.0) + ROUND) - ROUND
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
        let bits = scales(format, group_size, row);
        let bytes = integers(format, group_size, row, &bits);
        let scales: Vec<f32> = bits.into_iter().map(scale_from_bits).collect();
        let mut back = vec![f32::NAN; row.len()];
        Row { layout: format.layout(group_size), bytes: &bytes, scales: &scales }
            .dequantise(&mut back);
        (back, scales)
    }

    /// What [`least_squares_scale`] makes least, as a length.
    fn cost(found: &[f32], weights: &[f32]) -> f64 {
        let pair = |(found, weight): (&f32, &f32)| {
            f64::from(found - weight).powi(2) * f64::from(*weight).powi(2)
        };
        found.iter().zip(weights).map(pair).sum::<f64>().sqrt()
    }

    fn weights() -> impl Strategy<Value = Vec<f32>> {
        (proptest::collection::vec(-3f32..3.0, 256), -30..30i32).prop_map(|(weights, exponent)| {
            weights.iter().map(|weight| weight * 2f32.powi(exponent)).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn eight_bits_round_by_at_most_half_a_step(
            group_size in prop_oneof![Just(32), Just(64), Just(128)],
            weights in weights(),
        ) {
            let (found, scales) = there_and_back(Format::Int8, group_size, &weights);
            for (i, (found, expected)) in found.iter().zip(&weights).enumerate() {
                let step = scales[i / group_size];
                prop_assert!((found - expected).abs() <= step * 0.5001, "{found} {expected} {step}");
            }
        }

        #[test]
        fn four_bits_cost_no_more_than_with_the_largest_weight_at_its_limit(
            group_size in prop_oneof![Just(32), Just(64)],
            weights in weights(),
        ) {
            let (found, _) = there_and_back(Format::Int4, group_size, &weights);
            for (found, weights) in found.chunks(group_size).zip(weights.chunks(group_size)) {
                let scale = largest(weights) / -8.0;
                let plain: Vec<f32> =
                    weights.iter().map(|it| (it / scale).round().clamp(-8.0, 7.0) * scale).collect();
                // Afterwards the scale is rounded to eight bits, by this part of itself at most.
                let rounding = cost(&vec![0.0; weights.len()], weights) / 256.0;
                prop_assert!(cost(found, weights) <= cost(&plain, weights) + rounding);
            }
        }
    }

    #[test]
    fn four_bits_are_exact_where_they_can_be() {
        let weights: Vec<f32> = (0..64).map(|i| -0.5 * ((i % 16) - 8) as f32).collect();
        assert_eq!(there_and_back(Format::Int4, 64, &weights), (weights, vec![-0.5]));
    }

    #[test]
    fn zeros_stay_zeros() {
        for format in [Format::Int8, Format::Int4] {
            assert_eq!(there_and_back(format, 64, &[0.0; 64]).0, [0.0; 64]);
        }
    }
}
