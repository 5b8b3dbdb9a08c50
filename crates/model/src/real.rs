//! The two types that are computed in, and what attention asks of them.

use candle_core::WithDType;

/// f32, or f64 where equal means equal.
pub(crate) trait Real: WithDType {
    const NEG_INFINITY: Self;

    fn from_f32(value: f32) -> Self;
    fn to_f32(self) -> f32;

    /// These numbers, if they are of this type; so the one that follows.
    fn of_f32(numbers: &[f32]) -> Option<&[Self]>;
    fn of_f64(numbers: &[f64]) -> Option<&[Self]>;

    /// e to the power of a number that is not above zero; NaN stays NaN.
    fn exp_of_negative(self) -> Self;
}

/// What the exponential function in single precision is made of.
pub(crate) mod exp {
    /// Below, the result is not a normal number and becomes zero.
    pub(crate) const LOWEST: f32 = -87.0;
    /// Adding it leaves the rounded number in the low bits.
    pub(crate) const ROUND: f32 = 12_582_912.0;
    pub(crate) const LN_2_HIGH: f32 = 0.693_359_4;
    pub(crate) const LN_2_LOW: f32 = -2.121_944_4e-4;
    /// Factors of r^6 to r^2 in Taylor's series, with |r| at most ln(2) / 2; the next term is below 1.3e-7.
    pub(crate) const TERMS: [f32; 5] =
        [1.388_888_9e-3, 8.333_333e-3, 4.166_666_8e-2, 1.666_666_7e-1, 0.5];
}

impl Real for f32 {
    const NEG_INFINITY: Self = Self::NEG_INFINITY;

    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }

    fn of_f32(numbers: &[f32]) -> Option<&[Self]> {
        Some(numbers)
    }

    fn of_f64(_: &[f64]) -> Option<&[Self]> {
        None
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    /// Without a branch or a call, so that a loop over it becomes vector instructions; within two units in the last place.
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        use exp::{LN_2_HIGH, LN_2_LOW, LOWEST, ROUND, TERMS};
        // Comparisons are false for NaN, which `max` would swallow.
        let x = if self < LOWEST { LOWEST } else { self };
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = x - n * LN_2_HIGH - n * LN_2_LOW;
        let mut p = TERMS[0];
        for term in &TERMS[1..] {
            p = p * r + term;
        }
        let p = p * r * r + r + 1.0;
        let power = Self::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
        if self < LOWEST { 0.0 } else { power }
    }
}

impl Real for f64 {
    const NEG_INFINITY: Self = Self::NEG_INFINITY;

    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value.into()
    }

    fn of_f32(_: &[f32]) -> Option<&[Self]> {
        None
    }

    fn of_f64(numbers: &[f64]) -> Option<&[Self]> {
        Some(numbers)
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self as f32
    }

    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        self.exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_is_right_to_seven_digits() {
        for i in 0..=87_000 {
            let x = -(i as f32) / 1000.0;
            let expected = f64::from(x).exp();
            let error = (f64::from(x.exp_of_negative()) - expected).abs() / expected;
            assert!(error < 3e-7, "exp({x}): {error:e}");
        }
    }

    #[test]
    fn the_exponential_at_its_ends() {
        assert_eq!(0f32.exp_of_negative(), 1.0);
        assert_eq!(f32::NEG_INFINITY.exp_of_negative(), 0.0);
        assert!(f32::NAN.exp_of_negative().is_nan());
    }
}
