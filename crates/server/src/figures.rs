//! Counts and times of what was served, for `dacapo daemon status`.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// Answers whose times are kept for the percentiles.
const N_TIMES: usize = 1024;

/// Figures of all sessions of a process.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    n_requests: AtomicU64,
    next_session: AtomicU64,
    times: Mutex<VecDeque<Duration>>,
    sessions: Mutex<BTreeMap<u64, Arc<SessionFigures>>>,
}

/// Figures of one session; its main loop writes them.
#[derive(Debug)]
pub(crate) struct SessionFigures {
    since: Instant,
    n_requests: AtomicU64,
    n_open: AtomicU64,
    n_running: AtomicU64,
    n_taken: AtomicU64,
    n_left: AtomicU64,
    facts: Mutex<(Option<String>, Vec<PathBuf>)>,
}

/// Counts a session for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted {
    figures: Arc<Figures>,
    number: u64,
    pub(crate) session: Arc<SessionFigures>,
}

/// A session as `dacapo daemon status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionReport {
    pub number: u64,
    /// What the editor calls itself.
    pub client: Option<String>,
    pub folders: Vec<PathBuf>,
    pub connected_seconds: u64,
    pub open_documents: u64,
    pub requests: u64,
    /// Suggestions that the user took, and that the user typed past.
    pub taken: u64,
    pub left: u64,
    /// Requests that wait for their answer.
    pub running: u64,
}

/// Times from a request to its answer, of the latest requests.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatencyReport {
    pub requests: usize,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

impl Figures {
    pub(crate) fn count(self: &Arc<Self>) -> Counted {
        let number = self.next_session.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Arc::new(SessionFigures {
            since: Instant::now(),
            n_requests: AtomicU64::new(0),
            n_open: AtomicU64::new(0),
            n_running: AtomicU64::new(0),
            n_taken: AtomicU64::new(0),
            n_left: AtomicU64::new(0),
            facts: Mutex::default(),
        });
        lock(&self.sessions).insert(number, Arc::clone(&session));
        Counted { figures: Arc::clone(self), number, session }
    }

    pub(crate) fn n_sessions(&self) -> usize {
        lock(&self.sessions).len()
    }

    pub(crate) fn n_requests(&self) -> u64 {
        self.n_requests.load(Ordering::Relaxed)
    }

    pub(crate) fn sessions(&self) -> Vec<SessionReport> {
        let report = |(&number, session): (&u64, &Arc<SessionFigures>)| {
            let (client, folders) = lock(&session.facts).clone();
            SessionReport {
                number,
                client,
                folders,
                connected_seconds: session.since.elapsed().as_secs(),
                open_documents: session.n_open.load(Ordering::Relaxed),
                requests: session.n_requests.load(Ordering::Relaxed),
                taken: session.n_taken.load(Ordering::Relaxed),
                left: session.n_left.load(Ordering::Relaxed),
                running: session.n_running.load(Ordering::Relaxed),
            }
        };
        lock(&self.sessions).iter().map(report).collect()
    }

    /// `None` before the first answer.
    pub(crate) fn latency(&self) -> Option<LatencyReport> {
        let mut times: Vec<Duration> = lock(&self.times).iter().copied().collect();
        times.sort_unstable();
        let at = |share: f64| {
            let rank = (share * times.len() as f64).ceil() as usize;
            times.get(rank.saturating_sub(1)).map(|time| time.as_secs_f64() * 1e3)
        };
        Some(LatencyReport { requests: times.len(), p50_ms: at(0.5)?, p95_ms: at(0.95)? })
    }
}

impl Counted {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// A completion was answered, `time` after it was asked for.
    pub(crate) fn answered(&self, time: Duration) {
        self.figures.n_requests.fetch_add(1, Ordering::Relaxed);
        self.session.n_requests.fetch_add(1, Ordering::Relaxed);
        let mut times = lock(&self.figures.times);
        times.push_back(time);
        let n_old = times.len().saturating_sub(N_TIMES);
        times.drain(..n_old);
    }

    /// The user took a suggestion, or typed past it.
    pub(crate) fn judged(&self, taken: bool) {
        let count = if taken { &self.session.n_taken } else { &self.session.n_left };
        count.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn introduce(&self, client: Option<String>, folders: Vec<PathBuf>) {
        *lock(&self.session.facts) = (client, folders);
    }

    pub(crate) fn set_folders(&self, folders: Vec<PathBuf>) {
        lock(&self.session.facts).1 = folders;
    }

    pub(crate) fn set_sizes(&self, n_open: usize, n_running: usize) {
        self.session.n_open.store(n_open as u64, Ordering::Relaxed);
        self.session.n_running.store(n_running as u64, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        lock(&self.figures.sessions).remove(&self.number);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_latest_requests() {
        let figures = Arc::new(Figures::default());
        let counted = figures.count();
        assert_eq!(figures.latency(), None);
        for n in 0..2 * N_TIMES {
            let time = if n < N_TIMES { 9000 } else { n - N_TIMES + 1 };
            counted.answered(Duration::from_millis(time as u64));
        }
        let expected = LatencyReport { requests: 1024, p50_ms: 512.0, p95_ms: 973.0 };
        assert_eq!(figures.latency(), Some(expected));
        assert_eq!(figures.n_requests(), 2048);
    }

    #[test]
    fn a_session_counts_while_it_lives() {
        let figures = Arc::new(Figures::default());
        let (first, second) = (figures.count(), figures.count());
        first.introduce(Some("editor".into()), vec!["/p".into()]);
        first.set_sizes(3, 1);
        first.judged(true);
        drop(second);
        let report = SessionReport {
            number: 1,
            client: Some("editor".into()),
            folders: vec!["/p".into()],
            connected_seconds: 0,
            open_documents: 3,
            requests: 0,
            taken: 1,
            left: 0,
            running: 1,
        };
        assert_eq!(figures.sessions(), [report]);
        drop(first);
        assert_eq!(figures.n_sessions(), 0);
    }
}
