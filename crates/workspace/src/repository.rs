//! One view over everything that a snapshot knows of its repositories: the indexes of its roots, and open documents in place of what is on disk.

use std::path::Path;
use std::sync::Arc;

use crate::index::files::holds_secrets;
use crate::index::segment::{Segment, entries, folder_name, reference_kind, stem};
use crate::index::{Index, Part};
use crate::{Document, DocumentId, Snapshot};

mod file;
mod resolve;
mod search;

pub use file::{Chunk, Definition, File, ImportOf, NameUse};
pub use search::{Query, Scores};

/// Everything a snapshot knows of its repositories. The text of an open document stands in place of its file.
#[derive(Debug)]
pub struct Repository<'a> {
    pub(crate) parts: Vec<View<'a>>,
}

/// A segment as a repository sees it.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub(crate) segment: &'a Segment,
    source: Source<'a>,
    /// A bit for each file that an open document stands for.
    hidden: Vec<u64>,
    n_chunks: u64,
    n_terms: u64,
}

#[derive(Debug)]
enum Source<'a> {
    Disk { index: &'a Index, part: &'a Part },
    Open { document: &'a Arc<Document>, path: String },
}

impl Snapshot {
    /// What is known of the repositories. The document `except` takes no part, neither its text nor its file: it is the one being edited,
    /// whose tree says more.
    ///
    /// Documents that changed since they were last looked at are analysed first, which takes some milliseconds for each; it is not for the
    /// thread that owns the workspace.
    pub fn repository(&self, except: Option<&DocumentId>) -> Repository<'_> {
        let mut parts: Vec<View<'_>> = Vec::new();
        for index in self.indexes.iter() {
            parts.extend(index.parts().iter().map(|part| View {
                segment: &part.segment,
                source: Source::Disk { index, part },
                hidden: Vec::new(),
                n_chunks: part.n_chunks,
                n_terms: part.n_terms,
            }));
        }
        for document in self.documents() {
            if let Some(path) = &document.path {
                parts.iter_mut().for_each(|part| part.hide(path));
            }
        }
        for document in self.documents().filter(|document| Some(&document.id) != except) {
            if document.path.as_deref().is_some_and(holds_secrets) {
                continue;
            }
            let path = match &document.path {
                Some(path) => self.relative_path(path),
                None => continue,
            };
            let segment = document.segment();
            let n_terms = segment.chunks.iter().map(|chunk| u64::from(chunk.n_terms)).sum();
            parts.push(View {
                segment,
                source: Source::Open { document, path },
                hidden: Vec::new(),
                n_chunks: segment.chunks.len() as u64,
                n_terms,
            });
        }
        Repository { parts }
    }
}

impl<'a> Repository<'a> {
    /// Every file, in no order.
    pub fn files<'r>(&'r self) -> impl Iterator<Item = File<'r>> {
        (0_u32..).zip(&self.parts).flat_map(move |(part, view)| {
            let files = 0..u32::try_from(view.segment.files.len()).unwrap_or(u32::MAX);
            files.filter(|file| view.shows(*file)).map(move |idx| self.at(part, idx))
        })
    }

    /// The file at an absolute path.
    pub fn file<'r>(&'r self, path: &Path) -> Option<File<'r>> {
        (0_u32..).zip(&self.parts).find_map(|(part, view)| {
            let idx = match &view.source {
                Source::Open { document, .. } => {
                    (document.path.as_deref() == Some(path)).then_some(0)?
                }
                Source::Disk { index, .. } => {
                    view.segment.file(&crate::index::scan::relative(index.root(), path)?)?
                }
            };
            view.shows(idx).then(|| self.at(part, idx))
        })
    }

    /// The file at a path that is relative to a root, with forward slashes; of several roots, the first that has it.
    pub fn file_at<'r>(&'r self, relative: &str) -> Option<File<'r>> {
        (0_u32..).zip(&self.parts).find_map(|(part, view)| {
            let idx = match &view.source {
                Source::Open { path, .. } => (path == relative).then_some(0)?,
                Source::Disk { .. } => view.segment.file(relative)?,
            };
            view.shows(idx).then(|| self.at(part, idx))
        })
    }

    /// Definitions of a name, by path and place.
    pub fn definitions<'r>(&'r self, name: &str) -> Vec<Definition<'r>> {
        self.few_definitions(name, usize::MAX).unwrap_or_default()
    }

    /// As [`Self::definitions`]; `None` when there are more than `most`, which takes no longer however many there are.
    pub fn few_definitions<'r>(&'r self, name: &str, most: usize) -> Option<Vec<Definition<'r>>> {
        let mut found = self.unordered_definitions(name, most)?;
        found.sort_by(|left, right| left.file.cmp(&right.file).then(left.idx.cmp(&right.idx)));
        Some(found)
    }

    /// The file of each of [`Self::few_definitions`], in no order.
    pub fn files_of_few_definitions<'r>(
        &'r self,
        name: &str,
        most: usize,
    ) -> Option<Vec<File<'r>>> {
        let found = self.unordered_definitions(name, most)?;
        Some(found.into_iter().map(|definition| definition.file).collect())
    }

    fn unordered_definitions<'r>(&'r self, name: &str, most: usize) -> Option<Vec<Definition<'r>>> {
        let mut found = Vec::new();
        for (part, view) in (0_u32..).zip(&self.parts) {
            for &idx in view.segment.symbols_named(name) {
                let Some(entry) = view.segment.symbols.get(idx as usize) else { continue };
                if view.shows(entry.file) {
                    if found.len() == most {
                        return None;
                    }
                    found.push(Definition { file: self.at(part, entry.file), idx });
                }
            }
        }
        Some(found)
    }

    /// Files that use a name, by path.
    pub fn uses<'r>(&'r self, name: &str) -> Vec<NameUse<'r>> {
        let mut found = Vec::new();
        for (part, view) in (0_u32..).zip(&self.parts) {
            for &idx in view.segment.references_to(name) {
                let Some(entry) = view.segment.references.get(idx as usize) else { continue };
                if view.shows(entry.file) {
                    let file = self.at(part, entry.file);
                    let name = view.segment.strings.get(entry.name);
                    let (count, kind) = (usize::from(entry.count), reference_kind(entry.kind));
                    found.push(NameUse { file, name, count, kind });
                }
            }
        }
        found.sort_by(|left, right| left.file.cmp(&right.file));
        found
    }

    /// Files of this name, whatever their folder, by path.
    pub fn named<'r>(&'r self, name: &str) -> Vec<File<'r>> {
        let mut files = self.with_stem(stem(name));
        files.retain(|file| file.path().rsplit('/').next() == Some(name));
        files
    }

    /// Files whose name without its extensions is `wanted`, by path.
    pub(crate) fn with_stem<'r>(&'r self, wanted: &str) -> Vec<File<'r>> {
        self.with_key(wanted, stem, Segment::files_by_stem)
    }

    /// Files that lie in a folder called `wanted`, by path.
    pub(crate) fn in_folders_named<'r>(&'r self, wanted: &str) -> Vec<File<'r>> {
        self.with_key(wanted, folder_name, Segment::files_by_folder)
    }

    fn with_key<'r>(
        &'r self,
        wanted: &str,
        key: fn(&str) -> &str,
        find: for<'s> fn(&'s Segment, &str) -> &'s [u32],
    ) -> Vec<File<'r>> {
        let mut found = Vec::new();
        for (part, view) in (0_u32..).zip(&self.parts) {
            match &view.source {
                Source::Open { path, .. } if key(path) == wanted => found.push(self.at(part, 0)),
                Source::Open { .. } => {}
                Source::Disk { .. } => {
                    let files = find(view.segment, wanted).iter();
                    let shown = files.filter(|file| view.shows(**file));
                    found.extend(shown.map(|file| self.at(part, *file)));
                }
            }
        }
        found.sort();
        found
    }

    fn at<'r>(&'r self, part: u32, idx: u32) -> File<'r> {
        File { repository: self, part, idx }
    }

    fn view(&self, part: u32) -> Option<&View<'a>> {
        self.parts.get(part as usize)
    }
}

impl View<'_> {
    pub(crate) fn shows(&self, file: u32) -> bool {
        let is_live = match &self.source {
            Source::Disk { part, .. } => part.is_live(file),
            Source::Open { .. } => true,
        };
        let word = self.hidden.get(file as usize / 64).copied().unwrap_or(0);
        is_live && word >> (file % 64) & 1 == 0
    }

    fn hide(&mut self, path: &Path) {
        let Source::Disk { index, .. } = &self.source else { return };
        let Some(relative) = crate::index::scan::relative(index.root(), path) else { return };
        let Some(file) = self.segment.file(&relative).filter(|file| self.shows(*file)) else {
            return;
        };
        let Some(entry) = self.segment.files.get(file as usize) else { return };
        for chunk in entries(&self.segment.chunks, entry.chunks) {
            self.n_chunks -= 1;
            self.n_terms -= u64::from(chunk.n_terms);
        }
        self.hidden.resize(self.segment.files.len().div_ceil(64), 0);
        if let Some(word) = self.hidden.get_mut(file as usize / 64) {
            *word |= 1 << (file % 64);
        }
    }
}
