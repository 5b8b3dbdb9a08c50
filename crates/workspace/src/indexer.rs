//! Keeps the index of one root up to date on a thread of its own.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::index::Index;
use crate::index::scan::{Progress, Scan};
use crate::system::{System, is_ignore_file};

/// So many changed paths at once are a checkout: a scan is cheaper.
const MANY_PATHS: usize = 512;

/// An index that has changed is saved once nothing has happened for so long.
const IDLE_BEFORE_SAVE: Duration = Duration::from_secs(30);

/// What an indexer has to say.
#[derive(Debug)]
pub enum IndexEvent {
    /// A scan has come so far.
    Progress(Progress),
    /// The index as it now is.
    Updated(Index),
    /// The first scan is done, and all that the root holds is known. The index came before.
    Complete,
}

/// What an indexer works on, and with what.
#[derive(Debug, Clone)]
pub struct IndexerConfig {
    pub system: Arc<dyn System>,
    /// Absolute.
    pub root: PathBuf,
    /// Threads that a scan takes.
    pub n_threads: usize,
    /// Begins with the index in the user's cache, and saves it there.
    pub persistent: bool,
}

/// A thread that keeps the index of one root up to date. Dropping it ends the thread, soon and without waiting for it.
#[derive(Debug)]
pub struct Indexer {
    commands: Sender<Command>,
    cancel: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Command {
    Refresh(Vec<PathBuf>),
    Scan,
    Stop,
}

impl Indexer {
    /// Starts with what was saved, then scans the root. `tell` is called from threads of the indexer and must not wait.
    ///
    /// The home folder and the root of the file system are left alone: who opens a file there has no project open.
    pub fn start(config: IndexerConfig, tell: impl Fn(IndexEvent) + Send + Sync + 'static) -> Self {
        let (commands, received) = channel();
        let cancel = Arc::new(AtomicBool::new(false));
        let worker = Worker { config, cancel: Arc::clone(&cancel), tell };
        let thread = std::thread::Builder::new().name("indexer".to_owned());
        // Without a thread there is no index, and everything else works as before.
        if let Err(error) = thread.spawn(move || worker.run(&received)) {
            tracing::warn!(%error, "no thread for the index");
        }
        Self { commands, cancel }
    }

    /// Looks at files or folders that may have changed, appeared or gone.
    pub fn refresh(&self, paths: Vec<PathBuf>) {
        // A worker that is gone has nothing to bring up to date.
        let _ = self.commands.send(Command::Refresh(paths));
    }

    /// Looks at every file whose length or time has changed, for clients that watch no files.
    pub fn scan(&self) {
        let _ = self.commands.send(Command::Scan);
    }
}

impl Drop for Indexer {
    fn drop(&mut self) {
        self.cancel.store(true, Ordering::Relaxed);
        let _ = self.commands.send(Command::Stop);
    }
}

struct Worker<T> {
    config: IndexerConfig,
    cancel: Arc<AtomicBool>,
    tell: T,
}

impl<T: Fn(IndexEvent) + Send + Sync> Worker<T> {
    fn run(self, commands: &Receiver<Command>) {
        let IndexerConfig { system, root, persistent, .. } = self.config.clone();
        if is_too_wide(&*system, &root) {
            tracing::info!(root = %root.display(), "too wide to be indexed");
            (self.tell)(IndexEvent::Complete);
            return;
        }
        let mut index = match persistent {
            true => Index::load(system, root),
            false => Index::empty(system, root),
        };
        if 0 < index.size().n_files {
            (self.tell)(IndexEvent::Updated(index.clone()));
        }
        index = self.scan(&index);
        (self.tell)(IndexEvent::Complete);
        let mut is_saved = false;
        loop {
            let command = match is_saved || !persistent {
                true => commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => commands.recv_timeout(IDLE_BEFORE_SAVE),
            };
            let mut paths = Vec::new();
            let mut scans = false;
            let mut stops = false;
            match command {
                Err(RecvTimeoutError::Timeout) => {
                    save(&index);
                    is_saved = true;
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => stops = true,
                Ok(command) => {
                    for command in std::iter::once(command).chain(commands.try_iter()) {
                        match command {
                            Command::Refresh(mut more) => paths.append(&mut more),
                            Command::Scan => scans = true,
                            Command::Stop => stops = true,
                        }
                    }
                }
            }
            if stops {
                break;
            }
            paths.sort_unstable();
            paths.dedup();
            if scans || MANY_PATHS < paths.len() || paths.iter().any(|path| is_ignore_file(path)) {
                index = self.scan(&index);
            } else if let Some(refreshed) = index.refresh(&paths) {
                index = refreshed;
                (self.tell)(IndexEvent::Updated(index.clone()));
                if let Some(compacted) = index.compacted() {
                    index = compacted;
                    (self.tell)(IndexEvent::Updated(index.clone()));
                }
            }
            is_saved = false;
        }
        if persistent && !is_saved {
            save(&index);
        }
    }

    fn scan(&self, index: &Index) -> Index {
        let progress = |progress| (self.tell)(IndexEvent::Progress(progress));
        let n_threads = self.config.n_threads;
        let scanned = index.scan(&Scan { n_threads, cancel: &self.cancel, progress: &progress });
        (self.tell)(IndexEvent::Updated(scanned.clone()));
        scanned
    }
}

fn save(index: &Index) {
    if let Err(error) = index.save() {
        tracing::warn!(%error, root = %index.root().display(), "the index was not saved");
    }
}

/// The root of the file system, or the home folder, or a folder above that.
fn is_too_wide(system: &dyn System, root: &Path) -> bool {
    let home = ["HOME", "USERPROFILE"].iter().find_map(|name| system.variable(name));
    root.parent().is_none() || home.is_some_and(|home| Path::new(&home).starts_with(root))
}
