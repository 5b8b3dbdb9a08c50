//! Rows of activations in the form that a layout of weights is multiplied with, rounded once for all its outputs.

use half::f16;

use crate::layout::{Activations, GROUP, LONG_GROUP, LONGEST_UNIT, STEPPED};

/// Rows of activations, [rows, inputs]; the room is used again for the next ones.
#[derive(Debug, Default)]
pub(crate) struct Operand {
    pub(crate) n_rows: usize,
    pub(crate) n_inputs: usize,
    /// [rows, inputs], of [`Activations::Plain`].
    pub(crate) values: Vec<f32>,
    /// [rows, inputs], of the others.
    pub(crate) integers: Vec<i8>,
    /// [rows, inputs / unit]: the scale of a unit. But of [`Activations::Bytes256`], its sum in real numbers stands beside it.
    pub(crate) factors: Vec<[f32; 2]>,
    /// [rows, inputs / 16]: sums of the integers.
    pub(crate) sums: Vec<i16>,
}

impl Operand {
    /// Takes over `x` of [rows, `n_inputs`], whose length is a multiple of the unit.
    pub(crate) fn fill(&mut self, activations: Activations, x: &[f32], n_inputs: usize) {
        self.n_rows = x.len() / n_inputs;
        self.n_inputs = n_inputs;
        let unit = activations.unit();
        if activations == Activations::Plain {
            self.values.clear();
            self.values.extend_from_slice(x);
            return;
        }
        self.integers.resize(x.len(), 0);
        self.factors.resize(x.len() / unit, [0.0; 2]);
        self.sums.resize(x.len() / STEPPED, 0);
        let (integers, factors) = (self.integers.as_mut_slice(), self.factors.as_mut_slice());
        match activations {
            Activations::Plain => {}
            Activations::Bytes => round_groups::<GROUP>(x, integers, factors, |scale| scale),
            Activations::Bytes64 => round_groups::<LONG_GROUP>(x, integers, factors, |scale| scale),
            Activations::BytesHalf => {
                let keep = |scale| f16::from_f32(scale).to_f32();
                round_groups::<GROUP>(x, integers, factors, keep);
            }
            Activations::Bytes256 => round_units(x, integers, factors),
        }
        for (sum, integers) in self.sums.iter_mut().zip(integers.as_chunks::<STEPPED>().0) {
            *sum = integers.iter().map(|q| i16::from(*q)).sum();
        }
    }
}

/// Rounds groups as ggml's Q8_1 does those of 32, whose integers are those of its Q8_0.
///
/// A value that is not a number makes the scale of its group one, so that it is not lost.
fn round_groups<const N: usize>(
    x: &[f32],
    integers: &mut [i8],
    factors: &mut [[f32; 2]],
    keep: impl Fn(f32) -> f32,
) {
    let groups = x.as_chunks::<N>().0.iter().zip(integers.as_chunks_mut::<N>().0);
    for ((x, integers), factors) in groups.zip(factors) {
        let largest = largest_magnitude(x);
        let scale = largest / 127.0;
        let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
        let mut sum = 0;
        for (q, x) in integers.iter_mut().zip(x) {
            let integer = nearest(x * inverse);
            sum += integer;
            *q = integer as i8;
        }
        *factors = [keep(scale), keep(scale * sum as f32)];
    }
}

/// Rounds units of 256 as ggml's Q8_K does: the largest value becomes -127, whatever its sign.
fn round_units(x: &[f32], integers: &mut [i8], factors: &mut [[f32; 2]]) {
    let (x, integers) =
        (x.as_chunks::<LONGEST_UNIT>().0, integers.as_chunks_mut::<LONGEST_UNIT>().0);
    for ((x, integers), factors) in x.iter().zip(integers).zip(factors) {
        let magnitude = largest_magnitude(x);
        let largest = x.iter().copied().find(|x| x.abs() == magnitude).unwrap_or(magnitude);
        let inverse = if largest == 0.0 { 0.0 } else { -127.0 / largest };
        for (q, x) in integers.iter_mut().zip(x) {
            *q = nearest(x * inverse).min(127) as i8;
        }
        *factors = [if largest == 0.0 { 0.0 } else { 1.0 / inverse }, 0.0];
    }
}

/// The greatest of the magnitudes, or a NaN if there is one: without their signs, floats are ordered as their bits are.
fn largest_magnitude(x: &[f32]) -> f32 {
    f32::from_bits(x.iter().fold(0, |largest, x| largest.max(x.to_bits() & 0x7fff_ffff)))
}

/// To the nearest integer, ties to even, for magnitudes below 2^22: there the sum with 1.5 * 2^23 has no room for a fraction.
fn nearest(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    ((x + SHIFT).to_bits().cast_signed() & 0x007f_ffff) - 0x0040_0000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filled(activations: Activations, x: &[f32], n_inputs: usize) -> Operand {
        let mut operand = Operand::default();
        operand.fill(activations, x, n_inputs);
        operand
    }

    fn kinds() -> impl Strategy<Value = Activations> {
        prop_oneof![
            Just(Activations::Bytes),
            Just(Activations::Bytes64),
            Just(Activations::BytesHalf),
            Just(Activations::Bytes256)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rounding_is_at_most_half_a_step(
            kind in kinds(),
            x in proptest::collection::vec(-3f32..3.0, 512),
            exponent in -3..12i32,
        ) {
            let x: Vec<f32> = x.iter().map(|x| x * 2f32.powi(exponent)).collect();
            let operand = filled(kind, &x, 256);
            prop_assert_eq!(operand.n_rows, 2);
            for (i, (x, q)) in x.iter().zip(&operand.integers).enumerate() {
                let [step, _] = operand.factors[i / kind.unit()];
                let error = (x - step * f32::from(*q)).abs();
                // A scale in half precision is off by up to one part in 2^11, which 127 steps add up.
                prop_assert!(error <= step.abs() * 0.57, "{x} became {q} steps of {step}");
            }
        }

        #[test]
        fn sums_are_those_of_the_integers(x in proptest::collection::vec(-3f32..3.0, 256)) {
            let operand = filled(Activations::Bytes256, &x, 256);
            for (sum, integers) in operand.sums.iter().zip(operand.integers.chunks(STEPPED)) {
                prop_assert_eq!(i32::from(*sum), integers.iter().map(|q| i32::from(*q)).sum::<i32>());
            }
            let operand = filled(Activations::Bytes, &x, 256);
            for ([scale, sum], integers) in operand.factors.iter().zip(operand.integers.chunks(GROUP)) {
                let expected = scale * integers.iter().map(|q| f32::from(*q)).sum::<f32>();
                prop_assert!((sum - expected).abs() <= 1e-3, "{sum} {expected}");
            }
        }
    }

    #[test]
    fn integers_are_the_nearest_with_ties_to_even() {
        for (x, expected) in
            [(0.5, 0), (1.5, 2), (-0.5, 0), (-1.5, -2), (126.6, 127), (-126.4, -126), (2.4999, 2)]
        {
            assert_eq!(nearest(x), expected, "{x}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_not_lost() {
        for kind in [
            Activations::Bytes,
            Activations::Bytes64,
            Activations::BytesHalf,
            Activations::Bytes256,
        ] {
            for lost in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let mut x = [1.0; 256];
                x[200] = lost;
                let operand = filled(kind, &x, 256);
                assert!(
                    operand.factors.iter().any(|[scale, _]| !scale.is_finite()),
                    "{kind:?} {lost}"
                );
            }
            let operand = filled(kind, &[0.0; 256], 256);
            assert!(operand.factors.iter().all(|factors| *factors == [0.0, 0.0]));
        }
    }
}
