//! How a user types and what becomes of suggestions; together they say how long to wait before the model is asked.

use std::time::{Duration, Instant};

/// Longest wait.
const MAX_DELAY: Duration = Duration::from_secs(1);
/// A longer pause is no typing.
const MAX_INTERVAL: Duration = Duration::from_secs(2);
/// Share of the newest value in the moving averages.
const NEWEST: f64 = 0.25;
/// Intervals to wait for, from a user who takes suggestions to one who takes none.
const INTERVALS: (f64, f64) = (1.5, 3.0);
/// An answer that takes no more than this share of an interval is asked for at every keystroke, as waiting spares next to
/// nothing.
const CHEAP: f64 = 0.1;
/// Suggestions left in a row after which the wait is longest.
const N_LEFT: u32 = 8;

/// Times come from the caller, so that tests own them.
#[derive(Debug, Default)]
pub(crate) struct Typing {
    last_change: Option<Instant>,
    /// Seconds between two keystrokes, on average.
    interval: Option<f64>,
    /// Seconds that the model takes to answer, on average.
    response: Option<f64>,
    /// Suggestions in a row that were shown and not taken.
    n_left: u32,
}

impl Typing {
    pub(crate) fn changed(&mut self, now: Instant) {
        if let Some(last) = self.last_change.replace(now) {
            let interval = now.saturating_duration_since(last);
            if interval <= MAX_INTERVAL {
                average(&mut self.interval, interval);
            }
        }
    }

    /// The model has answered, after that long.
    pub(crate) fn answered(&mut self, took: Duration) {
        average(&mut self.response, took);
    }

    pub(crate) fn taken(&mut self) {
        self.n_left = 0;
    }

    pub(crate) fn left(&mut self) {
        self.n_left = (self.n_left + 1).min(N_LEFT);
    }

    /// How long to wait before the model is asked for what an editor asks for while the user types.
    ///
    /// The answer is to be there when the user has paused for a few intervals: so the time that the model takes counts
    /// as waited, and so does what has passed since the last keystroke, as editors wait as well. A model that answers in
    /// next to no time is waited with only for a user who takes no suggestions.
    pub(crate) fn delay(&self, now: Instant, starts_line: bool) -> Duration {
        let (Some(interval), Some(last)) = (self.interval, self.last_change) else {
            return Duration::ZERO;
        };
        if starts_line {
            return Duration::ZERO;
        }
        let (least, most) = INTERVALS;
        let is_cheap = self.response.is_some_and(|response| response <= CHEAP * interval);
        let more = (most - least) * f64::from(self.n_left) / f64::from(N_LEFT);
        let intervals = if is_cheap { more } else { least + more };
        let passed = now.saturating_duration_since(last).as_secs_f64();
        let wait = interval * intervals - self.response.unwrap_or(0.0) - passed;
        Duration::from_secs_f64(wait.clamp(0.0, MAX_DELAY.as_secs_f64()))
    }
}

fn average(value: &mut Option<f64>, newest: Duration) {
    let newest = newest.as_secs_f64();
    *value = Some(value.map_or(newest, |value| value + NEWEST * (newest - value)));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A user who pressed ten keys, this many milliseconds apart; and the time of the last.
    fn typed(interval: u64) -> (Typing, Instant) {
        let mut typing = Typing::default();
        let mut now = Instant::now();
        typing.changed(now);
        for _ in 0..9 {
            now += Duration::from_millis(interval);
            typing.changed(now);
        }
        (typing, now)
    }

    #[track_caller]
    fn check(typing: &Typing, now: Instant, expected: u64) {
        let delay = typing.delay(now, false).as_secs_f64() * 1e3;
        assert_eq!(delay.round() as u64, expected);
    }

    #[test]
    fn a_fast_typist_waits_less_than_a_slow_one() {
        let (typing, now) = typed(100);
        check(&typing, now, 150);
        let (typing, now) = typed(400);
        check(&typing, now, 600);
        let (typing, now) = typed(1900);
        check(&typing, now, 1000);
    }

    #[test]
    fn time_that_passes_anyway_counts() {
        let (mut typing, now) = typed(200);
        check(&typing, now, 300);
        check(&typing, now + Duration::from_millis(200), 100);
        check(&typing, now + Duration::from_millis(400), 0);
        typing.answered(Duration::from_millis(120));
        check(&typing, now, 180);
        typing.answered(Duration::from_secs(9));
        check(&typing, now, 0);
    }

    #[test]
    fn a_fast_model_is_asked_at_once_by_who_takes_what_it_says() {
        let (mut typing, now) = typed(200);
        typing.answered(Duration::from_millis(20));
        check(&typing, now, 0);
        for _ in 0..8 {
            typing.left();
        }
        check(&typing, now, 280);
        typing.taken();
        typing.answered(Duration::from_millis(60));
        check(&typing, now, 270);
    }

    #[test]
    fn nothing_is_waited_for_at_first_and_on_a_new_line() {
        check(&Typing::default(), Instant::now(), 0);
        let (typing, now) = typed(200);
        assert_eq!(typing.delay(now, true), Duration::ZERO);
    }

    #[test]
    fn a_pause_is_no_typing() {
        let (mut typing, now) = typed(100);
        let now = now + Duration::from_secs(60);
        typing.changed(now);
        check(&typing, now, 150);
    }

    #[test]
    fn suggestions_that_nobody_takes_come_later() {
        let (mut typing, now) = typed(100);
        for _ in 0..4 {
            typing.left();
        }
        check(&typing, now, 225);
        for _ in 0..100 {
            typing.left();
        }
        check(&typing, now, 300);
        typing.taken();
        check(&typing, now, 150);
    }
}
