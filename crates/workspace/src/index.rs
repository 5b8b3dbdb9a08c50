//! The index of one root: what its files define, import and use, and which chunks hold which words. It never changes; updates make a new one.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::System;
use crate::index::analysis::Analysis;
use crate::index::builder::{Builder, Kept, merge};
use crate::index::segment::{Segment, entries};
use crate::index::texts::Texts;

pub(crate) mod strings;

pub(crate) mod postings;

pub(crate) mod segment;

pub(crate) mod terms;

pub(crate) mod analysis;

pub(crate) mod builder;

pub(crate) mod files;

pub(crate) mod scan;

pub(crate) mod store;

pub(crate) mod texts;

/// Parts that are smaller than this share of the largest one are merged into one when there are many of them.
const SMALL_SHARE: usize = 8;

/// So many small parts are many.
const MANY_PARTS: usize = 12;

/// An immutable index of the files below one root; a clone is cheap, and so is an update.
#[derive(Clone)]
pub struct Index {
    root: Arc<Path>,
    system: Arc<dyn System>,
    parts: Vec<Part>,
    texts: Arc<Texts>,
}

/// A segment and which of its files are still good.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) segment: Arc<Segment>,
    dead: Vec<u64>,
    pub(crate) n_files: usize,
    pub(crate) n_chunks: u64,
    /// Terms of the chunks, each as often as it is there.
    pub(crate) n_terms: u64,
}

/// How much an index holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IndexSize {
    pub n_files: usize,
    pub n_lines: usize,
    pub n_symbols: usize,
    pub n_chunks: usize,
    /// Roughly what it takes in memory, dead files included.
    pub n_bytes: usize,
}

impl Index {
    /// Of no file.
    pub fn empty(system: Arc<dyn System>, root: PathBuf) -> Self {
        Self { root: root.into(), system, parts: Vec::new(), texts: Arc::default() }
    }

    /// The folder that paths are relative to.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn size(&self) -> IndexSize {
        let mut size = IndexSize::default();
        for part in &self.parts {
            size.n_bytes += part.segment.n_bytes() + 8 * part.dead.len();
            for (_, file) in part.live_files() {
                size.n_files += 1;
                size.n_lines += file.n_lines as usize;
                size.n_symbols += (file.symbols.1 - file.symbols.0) as usize;
                size.n_chunks += (file.chunks.1 - file.chunks.0) as usize;
            }
        }
        size
    }

    pub(crate) fn system(&self) -> &Arc<dyn System> {
        &self.system
    }

    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    pub(crate) fn parts(&self) -> &[Part] {
        &self.parts
    }

    pub(crate) fn with_parts(&self, parts: Vec<Part>) -> Self {
        Self { parts, ..self.clone() }
    }

    /// With a segment of new or changed files, and without the files of `gone`; paths are relative to the root.
    pub(crate) fn updated(&self, segment: Segment, gone: &[String]) -> Self {
        let mut parts = self.parts.clone();
        let changed = segment.files.iter().map(|file| segment.strings.get(file.path));
        for path in changed.chain(gone.iter().map(String::as_str)) {
            parts.iter_mut().for_each(|part| part.bury(path));
        }
        if !segment.files.is_empty() {
            parts.push(Part::new(Arc::new(segment)));
        }
        parts.retain(|part| 0 < part.n_files);
        Self { parts, ..self.clone() }
    }

    /// The same files in fewer parts, when there are too many or too much of them is dead; `None` when all is well.
    pub(crate) fn compacted(&self) -> Option<Self> {
        let largest = self.parts.iter().map(|part| part.segment.files.len()).max()?;
        let n_files: usize = self.parts.iter().map(|part| part.n_files).sum();
        let n_kept: usize = self.parts.iter().map(|part| part.segment.files.len()).sum();
        let is_small = |part: &&Part| part.segment.files.len() * SMALL_SHARE <= largest;
        let n_small = self.parts.iter().filter(is_small).count();
        // Merging everything is paid for by as many updates as there were files.
        let merges_all = 64 < n_kept && n_files < n_kept - n_kept / 4
            || MANY_PARTS <= self.parts.len() - n_small;
        if !merges_all && n_small < MANY_PARTS {
            return None;
        }
        let (old, kept): (Vec<&Part>, Vec<&Part>) =
            self.parts.iter().partition(|part| merges_all || is_small(part));
        Some(self.with_merged(&old, &kept))
    }

    /// All files in one part.
    pub(crate) fn merged(&self) -> Self {
        match self.parts.as_slice() {
            [] => self.clone(),
            [part] if part.n_files == part.segment.files.len() => self.clone(),
            parts => self.with_merged(&parts.iter().collect::<Vec<_>>(), &[]),
        }
    }

    fn with_merged(&self, old: &[&Part], kept: &[&Part]) -> Self {
        let old: Vec<_> = old
            .iter()
            .map(|part| Kept {
                segment: &part.segment,
                files: part.live_files().map(|(file, _)| file).collect(),
            })
            .collect();
        let merged = Part::new(Arc::new(merge(&old)));
        let parts = kept.iter().map(|part| (*part).clone()).chain([merged]).collect();
        Self { parts, ..self.clone() }
    }
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Index").field("root", &self.root).field("size", &self.size()).finish()
    }
}

impl Part {
    pub(crate) fn new(segment: Arc<Segment>) -> Self {
        let n_terms = segment.chunks.iter().map(|chunk| u64::from(chunk.n_terms)).sum();
        // Or the first who asks would wait for it.
        segment.strings.places();
        Self {
            dead: vec![0; segment.files.len().div_ceil(64)],
            n_files: segment.files.len(),
            n_chunks: segment.chunks.len() as u64,
            n_terms,
            segment,
        }
    }

    pub(crate) fn is_live(&self, file: u32) -> bool {
        let word = self.dead.get(file as usize / 64).copied().unwrap_or(u64::MAX);
        word >> (file % 64) & 1 == 0
    }

    pub(crate) fn live_files(&self) -> impl Iterator<Item = (u32, &segment::FileEntry)> {
        (0_u32..).zip(&self.segment.files).filter(|(file, _)| self.is_live(*file))
    }

    /// Takes a file out, if it is there.
    pub(crate) fn bury(&mut self, path: &str) {
        let Some(file) = self.segment.file(path).filter(|file| self.is_live(*file)) else { return };
        let Some(entry) = self.segment.files.get(file as usize) else { return };
        for chunk in entries(&self.segment.chunks, entry.chunks) {
            self.n_chunks -= 1;
            self.n_terms -= u64::from(chunk.n_terms);
        }
        self.n_files -= 1;
        if let Some(word) = self.dead.get_mut(file as usize / 64) {
            *word |= 1 << (file % 64);
        }
    }
}

/// A segment of analysed files, in any order.
pub(crate) fn segment_of(mut analyses: Vec<Analysis>) -> Segment {
    analyses.sort_by(|left, right| left.path.cmp(&right.path));
    let mut builder = Builder::default();
    analyses.iter().for_each(|analysis| builder.add(analysis));
    builder.finish()
}
