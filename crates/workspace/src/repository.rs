//! One view over everything that a snapshot knows of its repositories: the indexes of its roots, and open documents in place of what is on disk.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syntax::{Language, ReferenceKind, SymbolKind};

use crate::index::analysis::hash;
use crate::index::files::{MAX_FILE_BYTES, holds_secrets, readable};
use crate::index::segment::{
    FileEntry, ImportEntry, NONE, Segment, Span, SymbolEntry, entries, folder_name, reference_kind,
    stem, symbol_kind, to_range,
};
use crate::index::{Index, Part};
use crate::secrets::mask;
use crate::{Document, DocumentId, Snapshot};

mod resolve;
mod search;

pub use search::Query;

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
    /// Files that an open document stands for, in order.
    hidden: Vec<u32>,
    n_chunks: u64,
    n_terms: u64,
}

#[derive(Debug)]
enum Source<'a> {
    Disk { index: &'a Index, part: &'a Part },
    Open { document: &'a Arc<Document>, path: String },
}

/// A file of a repository.
#[derive(Debug, Clone, Copy)]
pub struct File<'r> {
    repository: &'r Repository<'r>,
    part: u32,
    idx: u32,
}

/// A definition in a file.
#[derive(Debug, Clone, Copy)]
pub struct Definition<'r> {
    file: File<'r>,
    /// In the segment.
    idx: u32,
}

/// An import of a file.
#[derive(Debug, Clone, Copy)]
pub struct ImportOf<'r> {
    segment: &'r Segment,
    entry: &'r ImportEntry,
}

/// A name that a file uses.
#[derive(Debug, Clone, Copy)]
pub struct NameUse<'r> {
    pub file: File<'r>,
    pub name: &'r str,
    /// How often.
    pub count: usize,
    /// The strongest of its uses: a call before a type before anything else.
    pub kind: ReferenceKind,
}

/// A piece of a file, cut on syntax boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'r> {
    file: File<'r>,
    span: Span,
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
        let mut found = Vec::new();
        for (part, view) in (0_u32..).zip(&self.parts) {
            for &idx in view.segment.symbols_named(name) {
                let Some(entry) = view.segment.symbols.get(idx as usize) else { continue };
                if view.shows(entry.file) {
                    found.push(Definition { file: self.at(part, entry.file), idx });
                }
            }
        }
        found.sort_by(|left, right| left.file.cmp(&right.file).then(left.idx.cmp(&right.idx)));
        found
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
        is_live && self.hidden.binary_search(&file).is_err()
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
        let place = self.hidden.partition_point(|hidden| *hidden < file);
        self.hidden.insert(place, file);
    }
}

impl<'r> File<'r> {
    /// Relative to its root, with forward slashes.
    pub fn path(&self) -> &'r str {
        match self.view().map(|view| &view.source) {
            Some(Source::Open { path, .. }) => path,
            Some(Source::Disk { .. }) => self
                .entry_and_segment()
                .map_or("", |(entry, segment)| segment.strings.get(entry.path)),
            None => "",
        }
    }

    /// With the root before it; for an open document that lies in no root, its own path.
    pub fn absolute_path(&self) -> PathBuf {
        match self.view().map(|view| &view.source) {
            Some(Source::Open { document, .. }) => document.path.clone().unwrap_or_default(),
            Some(Source::Disk { index, .. }) => index.root().join(self.path()),
            None => PathBuf::new(),
        }
    }

    /// The open document that stands for this file.
    pub fn document(&self) -> Option<&'r Arc<Document>> {
        match self.view().map(|view| &view.source) {
            Some(Source::Open { document, .. }) => Some(document),
            _ => None,
        }
    }

    pub fn language(&self) -> Option<Language> {
        match self.document() {
            Some(document) => document.language,
            None => self.entry_and_segment().and_then(|(entry, _)| entry.language.language()),
        }
    }

    pub fn n_lines(&self) -> usize {
        self.entry_and_segment().map_or(0, |(entry, _)| entry.n_lines as usize)
    }

    /// In bytes.
    pub fn n_bytes(&self) -> usize {
        self.entry_and_segment()
            .map_or(0, |(entry, _)| usize::try_from(entry.len).unwrap_or(usize::MAX))
    }

    /// What the file defines, in the order of its text.
    pub fn definitions(self) -> impl Iterator<Item = Definition<'r>> {
        let span = self.entry_and_segment().map_or((0, 0), |(entry, _)| entry.symbols);
        (span.0..span.1).map(move |idx| Definition { file: self, idx })
    }

    /// In the order of its text.
    pub fn imports(self) -> impl Iterator<Item = ImportOf<'r>> {
        let found = self.entry_and_segment();
        let table =
            found.map_or(&[] as &[_], |(entry, segment)| entries(&segment.imports, entry.imports));
        table.iter().filter_map(move |entry| Some(ImportOf { segment: found?.1, entry }))
    }

    /// Names that the file uses, by name.
    pub fn uses(self) -> impl Iterator<Item = NameUse<'r>> {
        let found = self.entry_and_segment();
        let table = found
            .map_or(&[] as &[_], |(entry, segment)| entries(&segment.references, entry.references));
        table.iter().filter_map(move |entry| {
            let name = found?.1.strings.get(entry.name);
            let (count, kind) = (usize::from(entry.count), reference_kind(entry.kind));
            Some(NameUse { file: self, name, count, kind })
        })
    }

    /// In the order of its text.
    pub fn chunks(self) -> impl Iterator<Item = Chunk<'r>> {
        let found = self.entry_and_segment();
        let table =
            found.map_or(&[] as &[_], |(entry, segment)| entries(&segment.chunks, entry.chunks));
        table.iter().map(move |entry| Chunk { file: self, span: entry.range })
    }

    /// The whole text with secrets masked, so that byte ranges of definitions and chunks fit it; `None` when the file is no longer what was indexed.
    pub fn text(&self) -> Option<String> {
        let text = match &self.view()?.source {
            Source::Open { document, .. } => document.buffer.to_string(),
            Source::Disk { index, .. } => {
                let (entry, _) = self.entry_and_segment()?;
                let bytes = index.system().read(&self.absolute_path(), MAX_FILE_BYTES).ok()?;
                if hash(&bytes) != entry.hash {
                    return None;
                }
                readable(bytes)?
            }
        };
        Some(mask(&text).into_owned())
    }

    fn view(&self) -> Option<&'r View<'r>> {
        self.repository.view(self.part)
    }

    fn entry_and_segment(&self) -> Option<(&'r FileEntry, &'r Segment)> {
        let segment = self.view()?.segment;
        Some((segment.files.get(self.idx as usize)?, segment))
    }
}

/// By path; files of the same path in different roots by root.
impl Ord for File<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let place = |file: &Self| (file.part, file.idx);
        match place(self) == place(other) {
            true => Ordering::Equal,
            false => self
                .path()
                .cmp(other.path())
                .then_with(|| self.absolute_path().cmp(&other.absolute_path()))
                .then_with(|| place(self).cmp(&place(other))),
        }
    }
}

impl PartialOrd for File<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Files of one repository are compared by their place in it.
impl PartialEq for File<'_> {
    fn eq(&self, other: &Self) -> bool {
        (self.part, self.idx) == (other.part, other.idx)
    }
}

impl Eq for File<'_> {}

impl std::hash::Hash for File<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.part, self.idx).hash(state);
    }
}

impl<'r> Definition<'r> {
    pub fn file(&self) -> File<'r> {
        self.file
    }

    pub fn name(&self) -> &'r str {
        self.string(|entry| entry.name).unwrap_or_default()
    }

    pub fn kind(&self) -> SymbolKind {
        self.entry().map_or(SymbolKind::Variable, |entry| symbol_kind(entry.kind))
    }

    /// The name of what it belongs to: a class, a module, the type of a method.
    pub fn container(&self) -> Option<&'r str> {
        self.string(|entry| entry.container)
    }

    /// The definition that encloses this one.
    pub fn parent(&self) -> Option<Definition<'r>> {
        let parent = self.entry()?.parent;
        let (file, _) = self.file.entry_and_segment()?;
        (parent != NONE).then(|| Definition { file: self.file, idx: file.symbols.0 + parent })
    }

    /// Bytes of the whole, in [`File::text`].
    pub fn range(&self) -> Range<usize> {
        self.entry().map_or(0..0, |entry| to_range(entry.range))
    }

    /// Bytes up to the body.
    pub fn signature(&self) -> Range<usize> {
        self.entry().map_or(0..0, |entry| entry.range.0 as usize..entry.signature_end as usize)
    }

    pub fn body(&self) -> Option<Range<usize>> {
        self.entry().filter(|entry| entry.body.0 != NONE).map(|entry| to_range(entry.body))
    }

    fn string(&self, field: impl Fn(&SymbolEntry) -> u32) -> Option<&'r str> {
        let id = field(self.entry()?);
        let (_, segment) = self.file.entry_and_segment()?;
        (id != NONE).then(|| segment.strings.get(id))
    }

    fn entry(&self) -> Option<&'r SymbolEntry> {
        let (_, segment) = self.file.entry_and_segment()?;
        segment.symbols.get(self.idx as usize)
    }
}

impl<'r> ImportOf<'r> {
    /// As written, without quotes: `crate::text`, `..store`, `./store`, `encoding/json`, `stdio.h`.
    pub fn path(&self) -> &'r str {
        self.segment.strings.get(self.entry.path)
    }

    /// What the module is called in this file, where it is given a name.
    pub fn module_alias(&self) -> Option<&'r str> {
        let id = self.entry.module_alias;
        (id != NONE).then(|| self.segment.strings.get(id))
    }

    /// Every name of the module is taken.
    pub fn takes_all(&self) -> bool {
        self.entry.all
    }

    /// Names that are taken, each with what it is called in this file where that differs.
    pub fn names(&self) -> impl Iterator<Item = (&'r str, Option<&'r str>)> {
        let segment = self.segment;
        entries(&segment.imported_names, self.entry.names).iter().map(|entry| {
            let alias = (entry.alias != NONE).then(|| segment.strings.get(entry.alias));
            (segment.strings.get(entry.name), alias)
        })
    }
}

impl<'r> Chunk<'r> {
    pub fn file(&self) -> File<'r> {
        self.file
    }

    /// Bytes in [`File::text`].
    pub fn range(&self) -> Range<usize> {
        to_range(self.span)
    }

    /// With secrets masked; `None` when the file is no longer what was indexed.
    pub fn text(&self) -> Option<String> {
        self.file.text()?.get(self.range()).map(str::to_owned)
    }
}
