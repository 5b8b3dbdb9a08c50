//! The two types that are computed in, and what attention asks of them.

use candle_core::WithDType;

/// f32, or f64 where equal means equal.
pub(crate) trait Real: WithDType {
    const NEG_INFINITY: Self;

    fn from_f32(value: f32) -> Self;
    fn to_f32(self) -> f32;

    /// These numbers, if they are of this type; so the two that follow.
    fn of_f32(numbers: &[f32]) -> Option<&[Self]>;
    fn of_f64(numbers: &[f64]) -> Option<&[Self]>;
    fn as_f32_mut(numbers: &mut [Self]) -> Option<&mut [f32]>;

    /// e to the power of a number that is not above zero; NaN stays NaN.
    fn exp_of_negative(self) -> Self;
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

    fn as_f32_mut(numbers: &mut [Self]) -> Option<&mut [f32]> {
        Some(numbers)
    }

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }

    /// Without a branch or a call, so that a loop over it becomes vector instructions; within two units in the last place.
    #[inline(always)]
    fn exp_of_negative(self) -> Self {
        // Adding it leaves the rounded number in the low bits.
        const ROUND: f32 = 12_582_912.0;
        const LN_2_HIGH: f32 = 0.693_359_4;
        const LN_2_LOW: f32 = -2.121_944_4e-4;
        // Below, the result is not a normal number and becomes zero. Comparisons are false for NaN, which `max` would
        // swallow.
        let x = if self < -87.0 { -87.0 } else { self };
        let shifted = x * std::f32::consts::LOG2_E + ROUND;
        let n = shifted - ROUND;
        let r = x - n * LN_2_HIGH - n * LN_2_LOW;
        // Taylor's series up to r^6, with |r| at most ln(2) / 2; the next term is below 1.3e-7.
        let p = 1.388_888_9e-3 * r + 8.333_333e-3;
        let p = p * r + 4.166_666_8e-2;
        let p = p * r + 1.666_666_7e-1;
        let p = p * r + 0.5;
        let p = p * r * r + r + 1.0;
        let power = Self::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
        if self < -87.0 { 0.0 } else { power }
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

    fn as_f32_mut(_: &mut [Self]) -> Option<&mut [f32]> {
        None
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
