//! Counts and times of what was served, for `dacapo daemon status`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use assist::Outcome;
use serde::{Deserialize, Serialize};

use crate::times::{Times, TimesReport};

/// Figures of all sessions of a process.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    n_requests: AtomicU64,
    next_session: AtomicU64,
    latency: Times,
    parts: PartTimes,
    sessions: Mutex<BTreeMap<u64, Arc<SessionFigures>>>,
}

/// What the time of an answer goes to where the model is asked, and how soon it is let go where nobody waits any more.
#[derive(Debug, Default)]
struct PartTimes {
    waited: Times,
    queued: Times,
    prefill: Times,
    decode: Times,
    cancel_to_idle: Times,
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

/// Times of the latest requests. The parts are of those that the model was asked for and that were not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatencyReport {
    /// From a request to its answer, whoever gave it.
    #[serde(flatten)]
    pub whole: TimesReport,
    /// Until the user has paused.
    pub waited: Option<TimesReport>,
    /// Until the engine takes the request up, reading the weights included.
    pub queued: Option<TimesReport>,
    pub prefill: Option<TimesReport>,
    pub decode: Option<TimesReport>,
    /// From the cancellation of a request that the engine had until it has let go of it.
    pub cancel_to_idle: Option<TimesReport>,
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
        let parts = &self.parts;
        Some(LatencyReport {
            whole: self.latency.report()?,
            waited: parts.waited.report(),
            queued: parts.queued.report(),
            prefill: parts.prefill.report(),
            decode: parts.decode.report(),
            cancel_to_idle: parts.cancel_to_idle.report(),
        })
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
        self.figures.latency.add(time);
    }

    /// The model was asked, after the user had paused for `waited`.
    pub(crate) fn asked_model(&self, waited: Duration, outcome: &Outcome) {
        let parts = &self.figures.parts;
        parts.waited.add(waited);
        parts.queued.add(outcome.queued);
        parts.prefill.add(outcome.prefill);
        parts.decode.add(outcome.decode);
    }

    /// The engine has let go of a request, `time` after it was cancelled.
    pub(crate) fn let_go(&self, time: Duration) {
        self.figures.parts.cancel_to_idle.add(time);
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
    fn an_answer_is_told_apart_from_its_parts() {
        let figures = Arc::new(Figures::default());
        let counted = figures.count();
        assert_eq!(figures.latency(), None);
        let ms = Duration::from_millis;
        counted.answered(ms(1));
        counted.answered(ms(90));
        let outcome =
            Outcome { queued: ms(2), prefill: ms(20), decode: ms(8), ..Outcome::default() };
        counted.asked_model(ms(60), &outcome);
        let latency = figures.latency().unwrap();
        assert_eq!((latency.whole.requests, latency.whole.p95_ms), (2, 90.0));
        let medians = [latency.waited, latency.queued, latency.prefill, latency.decode];
        assert_eq!(medians.map(|part| part.unwrap().p50_ms), [60.0, 2.0, 20.0, 8.0]);
        assert_eq!(latency.cancel_to_idle, None);
        assert_eq!(figures.n_requests(), 2);
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
