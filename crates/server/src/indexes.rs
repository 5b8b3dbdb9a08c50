//! Indexes of workspace folders, one for each, whatever the number of sessions that have the folder open.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use workspace::{Index, IndexEvent, Indexer, IndexerConfig, OsSystem, Progress};

use crate::event::Event;
use crate::queue::Events;

/// A scan leaves the others to whoever types.
const MAX_THREADS: usize = 2;

/// The indexes that somebody uses.
#[derive(Debug)]
pub(crate) struct Indexes {
    /// Begin with what was saved in the user's cache, and save there.
    pub(crate) persistent: bool,
    by_root: Mutex<HashMap<PathBuf, Weak<Shared>>>,
    next_listener: AtomicU64,
}

/// One session's share in an index; the indexer ends with the last one.
pub(crate) struct Subscription {
    shared: Arc<Shared>,
    listener: u64,
}

struct Shared {
    root: PathBuf,
    indexer: Indexer,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    index: Option<Index>,
    progress: Option<Progress>,
    is_complete: bool,
    listeners: HashMap<u64, Events>,
}

/// An index as `dacapo daemon status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexReport {
    pub root: PathBuf,
    pub files: usize,
    pub lines: usize,
    pub memory_bytes: usize,
    /// The first look at the whole folder is done.
    pub complete: bool,
}

impl Indexes {
    pub(crate) fn new(persistent: bool) -> Self {
        Self { persistent, by_root: Mutex::default(), next_listener: AtomicU64::new(0) }
    }

    /// Sends [`Event::Indexed`] to `events` now, if there is an index already, and whenever it has changed.
    pub(crate) fn subscribe(&self, root: &Path, events: Events) -> Subscription {
        let mut by_root = lock(&self.by_root);
        by_root.retain(|_, shared| 0 < shared.strong_count());
        let known = by_root.get(root).and_then(Weak::upgrade);
        let shared = known.unwrap_or_else(|| {
            let shared = Arc::new(self.start(root));
            by_root.insert(root.to_owned(), Arc::downgrade(&shared));
            shared
        });
        let listener = self.next_listener.fetch_add(1, Ordering::Relaxed);
        let mut state = lock(&shared.state);
        if let Some(index) = &state.index {
            events.send(Event::Indexed(index.clone()));
        }
        state.listeners.insert(listener, events);
        drop(state);
        Subscription { shared, listener }
    }

    pub(crate) fn reports(&self) -> Vec<IndexReport> {
        let shared: Vec<_> = lock(&self.by_root).values().filter_map(Weak::upgrade).collect();
        let mut reports: Vec<_> = shared
            .iter()
            .map(|shared| {
                let state = lock(&shared.state);
                let size = state.index.as_ref().map(Index::size).unwrap_or_default();
                IndexReport {
                    root: shared.root.clone(),
                    files: size.n_files,
                    lines: size.n_lines,
                    memory_bytes: size.n_bytes,
                    complete: state.is_complete,
                }
            })
            .collect();
        reports.sort_by(|a, b| a.root.cmp(&b.root));
        reports
    }

    fn start(&self, root: &Path) -> Shared {
        let state = Arc::<Mutex<State>>::default();
        let config = IndexerConfig {
            system: Arc::new(OsSystem),
            root: root.to_owned(),
            n_threads: thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS),
            persistent: self.persistent,
        };
        let told = Arc::clone(&state);
        let indexer = Indexer::start(config, move |event| {
            let mut state = lock(&told);
            match event {
                IndexEvent::Progress(progress) => state.progress = Some(progress),
                IndexEvent::Updated(index) => {
                    for events in state.listeners.values() {
                        events.send(Event::Indexed(index.clone()));
                    }
                    state.index = Some(index);
                }
                IndexEvent::Complete => state.is_complete = true,
            }
        });
        Shared { root: root.to_owned(), indexer, state }
    }
}

impl Subscription {
    pub(crate) fn root(&self) -> &Path {
        &self.shared.root
    }

    /// How far the first look at the folder has come; `None` once that is done.
    pub(crate) fn progress(&self) -> impl Fn() -> Option<Progress> + Send + 'static {
        let state = Arc::clone(&self.shared.state);
        move || {
            let state = lock(&state);
            (!state.is_complete)
                .then(|| state.progress.unwrap_or(Progress { n_done: 0, n_files: 0 }))
        }
    }

    pub(crate) fn refresh(&self, paths: Vec<PathBuf>) {
        self.shared.indexer.refresh(paths);
    }

    /// For clients that watch no files.
    pub(crate) fn scan(&self) {
        self.shared.indexer.scan();
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        lock(&self.shared.state).listeners.remove(&self.listener);
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("root", &self.shared.root).finish_non_exhaustive()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").field("root", &self.root).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
