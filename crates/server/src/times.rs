//! The latest times of one kind, and what is said of them.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Times that are kept for the percentiles.
const N_TIMES: usize = 1024;

#[derive(Debug, Default)]
pub(crate) struct Times(Mutex<VecDeque<Duration>>);

/// What the latest times of one kind were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TimesReport {
    pub requests: usize,
    pub p50_ms: f64,
    pub p95_ms: f64,
    pub longest_ms: f64,
}

impl Times {
    pub(crate) fn add(&self, time: Duration) {
        let mut times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        times.push_back(time);
        let n_old = times.len().saturating_sub(N_TIMES);
        times.drain(..n_old);
    }

    /// `None` before the first.
    pub(crate) fn report(&self) -> Option<TimesReport> {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut times: Vec<Duration> = times.iter().copied().collect();
        times.sort_unstable();
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            times.get(rank.saturating_sub(1)).map(|time| time.as_secs_f64() * 1e3)
        };
        Some(TimesReport {
            requests: times.len(),
            p50_ms: at(0.5)?,
            p95_ms: at(0.95)?,
            longest_ms: at(1.0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_latest() {
        let times = Times::default();
        assert_eq!(times.report(), None);
        for n in 0..2 * N_TIMES {
            let time = if n < N_TIMES { 9000 } else { n - N_TIMES + 1 };
            times.add(Duration::from_millis(time as u64));
        }
        let expected =
            TimesReport { requests: 1024, p50_ms: 512.0, p95_ms: 973.0, longest_ms: 1024.0 };
        assert_eq!(times.report(), Some(expected));
    }
}
