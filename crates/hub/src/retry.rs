//! Trying again: a bounded number of times, with pauses that grow.

use std::time::Duration;

use crate::error::Error;
use crate::settings::Retry;
use crate::transport::{Failure, without_query};

/// Counts failures in a row.
#[derive(Debug)]
pub(crate) struct Patience {
    retry: Retry,
    n_failed: u32,
}

impl Patience {
    pub(crate) fn new(retry: Retry) -> Self {
        Self { retry, n_failed: 0 }
    }

    /// Something worth having came: failures count from here.
    pub(crate) fn restore(&mut self) {
        self.n_failed = 0;
    }

    /// Waits after a failure, with a word about it, or says that it was the last one.
    pub(crate) fn wait(
        &mut self,
        url: &str,
        reason: String,
        mut on_retry: impl FnMut(&str),
    ) -> Result<(), Error> {
        self.n_failed += 1;
        match self.pause() {
            Some(pause) => {
                on_retry(&reason);
                std::thread::sleep(pause);
                Ok(())
            }
            None => {
                Err(Error::GaveUp { url: without_query(url), n_attempts: self.n_failed, reason })
            }
        }
    }

    fn pause(&self) -> Option<Duration> {
        let doublings = self.n_failed.saturating_sub(1);
        (self.n_failed < self.retry.n_attempts)
            .then(|| self.retry.first_pause.saturating_mul(1 << doublings.min(6)))
    }
}

/// The first result of `attempt` that lasts.
pub(crate) fn retried<T>(
    retry: Retry,
    url: &str,
    on_retry: &mut dyn FnMut(&str),
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, Error> {
    let mut patience = Patience::new(retry);
    loop {
        match attempt() {
            Ok(value) => return Ok(value),
            Err(Failure::Lasting(error)) => return Err(error),
            Err(Failure::Passing(reason)) => {
                patience.wait(url, reason, &mut *on_retry)?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end() {
        let mut patience = Patience::new(Retry::PATIENT);
        let pauses: Vec<_> = (1..=6)
            .map(|n_failed| {
                patience.n_failed = n_failed;
                patience.pause().map(|pause| pause.as_secs())
            })
            .collect();
        assert_eq!(pauses, [Some(1), Some(2), Some(4), Some(8), Some(16), None]);
    }

    #[test]
    fn only_passing_failures_are_tried_again() {
        let retry = Retry { n_attempts: 3, first_pause: Duration::ZERO };
        let run = |passing: bool| {
            let mut n = 0;
            let mut n_retries = 0;
            let mut on_retry = |_: &str| n_retries += 1;
            let result: Result<(), Error> = retried(retry, "u?secret", &mut on_retry, || {
                n += 1;
                Err(if passing {
                    Failure::Passing("gone".to_owned())
                } else {
                    Error::Offline.into()
                })
            });
            assert_eq!(n_retries, n - 1);
            (n, result.unwrap_err().to_string())
        };
        assert_eq!(run(true), (3, "gave up on u after 3 attempts: gone".to_owned()));
        assert_eq!(run(false).0, 1);
    }
}
