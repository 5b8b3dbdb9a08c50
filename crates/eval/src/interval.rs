//! How sure a figure is: 95 % confidence intervals, the same for the same data.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

/// Two-sided 95 % of a normal distribution.
const Z: f64 = 1.959_964;

const N_RESAMPLES: usize = 1000;

/// A mean with the bounds that hold it with 95 % confidence, if the holes were drawn independently.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    pub mean: f64,
    pub low: f64,
    pub high: f64,
    /// How many values the mean is of.
    pub n: usize,
}

/// A share of yes among yes and no, by Wilson's interval (Wilson 1927), which is sound for few values and shares near 0 and 1;
/// `None` of nothing.
pub(crate) fn share(values: impl Iterator<Item = bool>) -> Option<Estimate> {
    let (n, n_yes) = values.fold((0, 0), |(n, n_yes), is| (n + 1, n_yes + usize::from(is)));
    if n == 0 {
        return None;
    }
    let (count, mean) = (n as f64, n_yes as f64 / n as f64);
    let divisor = 1.0 + Z * Z / count;
    let centre = (mean + Z * Z / (2.0 * count)) / divisor;
    let spread = mean * (1.0 - mean) / count + Z * Z / (4.0 * count * count);
    let half = Z / divisor * spread.sqrt();
    let bound = |value: f64| value.clamp(0.0, 1.0);
    Some(Estimate { mean, low: bound(centre - half), high: bound(centre + half), n })
}

/// The mean of `values` by the percentile bootstrap (Efron 1979); `None` of nothing.
pub(crate) fn mean(values: &[f64]) -> Option<Estimate> {
    if values.is_empty() {
        return None;
    }
    let n = values.len();
    let mean_of = |total: f64| total / n as f64;
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let mut means: Vec<f64> = (0..N_RESAMPLES)
        .map(|_| mean_of((0..n).filter_map(|_| values.get(random.random_range(0..n))).sum()))
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    Some(Estimate {
        mean: mean_of(values.iter().sum()),
        low: quantile(&means, 0.025)?,
        high: quantile(&means, 0.975)?,
        n,
    })
}

/// The value below which the share `at` of `sorted` lies, the nearest rank; `None` of nothing.
pub(crate) fn quantile<T: Copy>(sorted: &[T], at: f64) -> Option<T> {
    let last = sorted.len().checked_sub(1)?;
    sorted.get((at * last as f64).round() as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_share(n_yes: usize, n: usize, expected: &str) {
        let estimate = share((0..n).map(|idx| idx < n_yes)).expect("values");
        let found = format!("{:.3} {:.3} {:.3}", estimate.mean, estimate.low, estimate.high);
        assert_eq!(found, expected);
    }

    #[test]
    fn shares_by_wilson() {
        // Bounds as `statsmodels.stats.proportion.proportion_confint(method="wilson")` gives them.
        check_share(0, 10, "0.000 0.000 0.278");
        check_share(10, 10, "1.000 0.722 1.000");
        check_share(15, 50, "0.300 0.191 0.438");
        assert!(share(std::iter::empty()).is_none());
    }

    #[test]
    fn means_by_bootstrap() {
        let values: Vec<f64> = (0..400).map(|idx| f64::from(idx % 5)).collect();
        let estimate = mean(&values).expect("values");
        // The standard error is the square root of 2 over 400, 0.0707.
        assert!((estimate.mean - 2.0).abs() < 1e-9);
        assert!((estimate.low - (2.0 - 1.96 * 0.0707)).abs() < 0.02, "{estimate:?}");
        assert!((estimate.high - (2.0 + 1.96 * 0.0707)).abs() < 0.02, "{estimate:?}");
        assert_eq!(mean(&values), Some(estimate));
        assert!(mean(&[]).is_none());
    }

    #[test]
    fn quantiles_are_values() {
        assert_eq!(quantile(&[1, 2, 3, 4, 5], 0.5), Some(3));
        assert_eq!(quantile(&[1, 2, 3, 4, 5], 0.95), Some(5));
        assert_eq!(quantile(&[7], 0.95), Some(7));
        assert_eq!(quantile::<i32>(&[], 0.5), None);
    }
}
