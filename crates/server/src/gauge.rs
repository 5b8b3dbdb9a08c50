//! How much waits in a queue, so that who fills it can be made to wait for who empties it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

#[derive(Debug, Clone)]
pub(crate) struct Gauge(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    n_waiting: AtomicUsize,
    limit: usize,
    left: Notify,
}

impl Gauge {
    pub(crate) fn new(limit: usize) -> Self {
        Self(Arc::new(Inner { n_waiting: AtomicUsize::new(0), limit, left: Notify::new() }))
    }

    pub(crate) fn enter(&self) {
        self.0.n_waiting.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn leave(&self) {
        if self.0.n_waiting.fetch_sub(1, Ordering::AcqRel) <= self.0.limit {
            self.0.left.notify_one();
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.limit <= self.0.n_waiting.load(Ordering::Acquire)
    }

    /// Waits until fewer than the limit wait; one waiter at a time.
    pub(crate) async fn room(&self) {
        while self.is_full() {
            self.0.left.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn there_is_room_again_when_something_has_left() {
        let gauge = Gauge::new(2);
        gauge.enter();
        assert!(gauge.room().now_or_never().is_some());
        gauge.enter();
        gauge.enter();
        assert!(gauge.room().now_or_never().is_none());
        gauge.leave();
        assert!(gauge.room().now_or_never().is_none());
        gauge.leave();
        assert!(gauge.room().now_or_never().is_some());
    }
}
