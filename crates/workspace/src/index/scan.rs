//! Reads a root into an index, on as many threads as the caller grants.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use syntax::{Language, Tree};
use text::Buffer;

use crate::index::analysis::{Analysis, analyse};
use crate::index::files::{MAX_FILE_BYTES, indexed, readable};
use crate::index::segment::{FileEntry, Segment};
use crate::index::{Index, segment_of};
use crate::system::Metadata;

/// Files that one segment is made of at first: few enough that what is known of them is small, many enough that merging them is quick.
const FILES_PER_SEGMENT: usize = 256;

/// No more files than this are indexed; who has more has generated them.
pub const MAX_FILES: usize = 200_000;

/// A file that was changed so shortly before it was read may change again within the same tick of the file system's clock.
const CLOCK_TICK: Duration = Duration::from_secs(2);

/// How far a scan has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub n_done: usize,
    pub n_files: usize,
}

/// What a scan may use, and whom it tells.
pub struct Scan<'a> {
    /// At least one.
    pub n_threads: usize,
    /// Ends the scan early, with whatever it had.
    pub cancel: &'a AtomicBool,
    /// Called from any thread, after each segment.
    pub progress: &'a (dyn Fn(Progress) + Sync),
}

impl std::fmt::Debug for Scan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scan").field("n_threads", &self.n_threads).finish_non_exhaustive()
    }
}

impl Index {
    /// Brings the whole index up to what is on disk: reads files that are new or whose length or time has changed, and forgets those that are gone.
    ///
    /// On an empty index that reads everything. When cancelled, what was read counts and nothing is forgotten.
    pub fn scan(&self, scan: &Scan<'_>) -> Self {
        let mut paths: Vec<(String, PathBuf, Option<Language>)> = self
            .system()
            .walk(self.root())
            .into_iter()
            .filter_map(|path| {
                let language = indexed(&path)?;
                Some((relative(self.root(), &path)?, path, language))
            })
            .collect();
        // Which files are left out of too many is the same for every scan.
        paths.sort_unstable();
        paths.truncate(MAX_FILES);
        let known = self.known_files();
        let found: HashSet<&str> = paths.iter().map(|(path, ..)| path.as_str()).collect();
        let mut gone: Vec<String> = known
            .keys()
            .filter(|path| !found.contains(*path))
            .map(|path| (*path).to_owned())
            .collect();
        let n_files = paths.len();
        let batches: Vec<_> = paths.chunks(FILES_PER_SEGMENT).collect();
        let next = AtomicUsize::new(0);
        let n_done = AtomicUsize::new(0);
        let work = || {
            let mut segments: Vec<(Segment, Vec<String>)> = Vec::new();
            while !scan.cancel.load(Ordering::Relaxed) {
                let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) else { break };
                let mut analyses = Vec::new();
                let mut unreadable = Vec::new();
                for (relative, path, language) in *batch {
                    if scan.cancel.load(Ordering::Relaxed) {
                        break;
                    }
                    match self.look_at(relative, path, *language, known.get(relative.as_str())) {
                        Look::Same => {}
                        Look::New(analysis) => analyses.push(*analysis),
                        Look::Unreadable => unreadable.push(relative.clone()),
                    }
                }
                segments.push((segment_of(analyses), unreadable));
                let n_done = n_done.fetch_add(batch.len(), Ordering::Relaxed) + batch.len();
                (scan.progress)(Progress { n_done, n_files });
            }
            segments
        };
        let results = std::thread::scope(|scope| {
            let threads: Vec<_> = (1..scan.n_threads).map(|_| scope.spawn(work)).collect();
            let mut results = work();
            for thread in threads {
                // A panic costs the files of one thread, which the next scan reads.
                results.extend(thread.join().unwrap_or_default());
            }
            results
        });
        let mut index = self.clone();
        let mut n_new = 0;
        for (segment, mut unreadable) in results {
            n_new += segment.files.len();
            gone.append(&mut unreadable);
            index = index.updated(segment, &[]);
        }
        if !scan.cancel.load(Ordering::Relaxed) {
            index = index.updated(Segment::default(), &gone);
        }
        // A few changed files are left to the usual compaction.
        match FILES_PER_SEGMENT < n_new {
            true => index.merged(),
            false => index.compacted().unwrap_or(index),
        }
    }

    /// Brings the index up to what is on disk at these paths, whatever has become of them; paths outside the root are passed over.
    ///
    /// Takes milliseconds for a file. The result shares everything else with this index; there is none where nothing has changed.
    pub fn refresh(&self, paths: &[PathBuf]) -> Option<Self> {
        let mut analyses = Vec::new();
        let mut gone = Vec::new();
        let known_files = OnceCell::new();
        for path in paths {
            let Some(relative) = relative(self.root(), path) else { continue };
            let language = indexed(path).filter(|_| self.system().is_walked(self.root(), path));
            let look = language.map(|language| self.look_at(&relative, path, language, None));
            match look {
                Some(Look::New(analysis)) => analyses.push(*analysis),
                Some(Look::Same) => {}
                Some(Look::Unreadable) | None => {
                    let known = known_files.get_or_init(|| self.known_files());
                    if known.contains_key(&*relative) {
                        gone.push(relative);
                        continue;
                    }
                    // A folder that is gone takes its files along.
                    let prefix = format!("{relative}/");
                    let below = known.keys().filter(|path| path.starts_with(&prefix));
                    gone.extend(below.map(|path| (*path).to_owned()));
                }
            }
        }
        let is_changed = !analyses.is_empty() || !gone.is_empty();
        is_changed.then(|| self.updated(segment_of(analyses), &gone))
    }

    /// Files by path, with what tells whether they have changed.
    fn known_files(&self) -> HashMap<&str, &FileEntry> {
        let mut known = HashMap::new();
        for part in self.parts() {
            for (_, file) in part.live_files() {
                known.insert(part.segment.strings.get(file.path), file);
            }
        }
        known
    }

    /// By its length and time, a file is what was indexed.
    pub(crate) fn is_unchanged(&self, path: &Path, known: &FileEntry) -> bool {
        self.system().metadata(path).is_ok_and(|metadata| {
            is_same(known, &metadata, trusted_time(&metadata, self.system().now()))
        })
    }

    fn look_at(
        &self,
        relative: &str,
        path: &Path,
        language: Option<Language>,
        known: Option<&&FileEntry>,
    ) -> Look {
        let Ok(metadata) = self.system().metadata(path) else { return Look::Unreadable };
        let modified = trusted_time(&metadata, self.system().now());
        if known.is_some_and(|known| is_same(known, &metadata, modified)) {
            return Look::Same;
        }
        let Ok(bytes) = self.system().read(path, MAX_FILE_BYTES) else { return Look::Unreadable };
        let Some(text) = readable(bytes) else { return Look::Unreadable };
        let buffer = Buffer::from(text.as_str());
        let tree = language.and_then(|language| Tree::parse(language, &buffer));
        let analysis = analyse(relative.to_owned(), &buffer, tree.as_ref());
        Look::New(Box::new(Analysis { modified, language, ..analysis }))
    }
}

enum Look {
    Same,
    New(Box<Analysis>),
    /// Or no text.
    Unreadable,
}

/// `modified` is the trusted time of `metadata`.
fn is_same(known: &FileEntry, metadata: &Metadata, modified: u64) -> bool {
    known.len == metadata.len && known.modified == modified && modified != 0
}

/// Nanoseconds since 1970, or 0 when the file may have changed again without a change of its time.
fn trusted_time(metadata: &Metadata, now: SystemTime) -> u64 {
    let Some(modified) = metadata.modified else { return 0 };
    if now.duration_since(modified).is_ok_and(|age| age < CLOCK_TICK) {
        return 0;
    }
    let since = modified.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or_default()
}

/// `path` relative to `root` with forward slashes; `None` outside of it, and for a name that is no Unicode.
pub(crate) fn relative(root: &Path, path: &Path) -> Option<String> {
    let relative = path.strip_prefix(root).ok()?;
    let parts: Option<Vec<&str>> =
        relative.components().map(|part| part.as_os_str().to_str()).collect();
    Some(parts?.join("/")).filter(|path| !path.is_empty())
}
