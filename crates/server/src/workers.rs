//! Threads that may wait, and how many of them one session may have.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// Of the hundreds that the runtime has: a client that asks about a thousand documents leaves the others theirs.
const MAX_WORKING: usize = 8;

#[derive(Debug, Clone)]
pub(crate) struct Workers(Arc<Semaphore>);

/// Work that waits for the model does not keep work that waits for nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lanes {
    pub(crate) slow: Workers,
    pub(crate) quick: Workers,
    /// For what nobody has asked for yet.
    pub(crate) ahead: Workers,
}

impl Default for Workers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_WORKING)))
    }
}

impl Workers {
    /// Does the work as soon as fewer threads work; `None` if it panicked.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let _permit = self.0.acquire().await;
        tokio::task::spawn_blocking(work).await.ok()
    }
}
