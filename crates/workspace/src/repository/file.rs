//! What a repository knows of one file: its text, and what is in it.

use std::cmp::Ordering;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use syntax::{Language, ReferenceKind, SymbolKind};
use text::Buffer;

use crate::index::Index;
use crate::index::analysis::hash;
use crate::index::files::{MAX_FILE_BYTES, readable};
use crate::index::segment::{
    FileEntry, ImportEntry, NONE, Segment, Span, SymbolEntry, entries, reference_kind, symbol_kind,
    to_range,
};
use crate::repository::{Repository, Source, View};
use crate::secrets::mask;
use crate::{Document, DocumentId};

/// A file of a repository.
#[derive(Debug, Clone, Copy)]
pub struct File<'r> {
    pub(super) repository: &'r Repository<'r>,
    pub(super) part: u32,
    pub(super) idx: u32,
}

/// A definition in a file.
#[derive(Debug, Clone, Copy)]
pub struct Definition<'r> {
    pub(super) file: File<'r>,
    /// In the segment.
    pub(super) idx: u32,
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
    pub(super) file: File<'r>,
    pub(super) span: Span,
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
    pub fn text(&self) -> Option<Arc<str>> {
        match &self.view()?.source {
            Source::Open { document, .. } => Some(document.masked()),
            Source::Disk { index, .. } => self.text_on_disk(index),
        }
    }

    /// As if it were open, with all its text: what is in it is for the user, and reaches a model only through a prompt, which masks it.
    /// `None` when the file is no longer what was indexed.
    pub fn as_document(&self) -> Option<Document> {
        if let Some(document) = self.document() {
            return Some(Document::clone(document));
        }
        let Source::Disk { index, .. } = &self.view()?.source else { return None };
        let (entry, _) = self.entry_and_segment()?;
        let path = self.absolute_path();
        let bytes = index.system().read(&path, MAX_FILE_BYTES).ok()?;
        if hash(&bytes) != entry.hash {
            return None;
        }
        let id = DocumentId(path.to_string_lossy().into());
        let text = Buffer::from(readable(bytes)?.as_str());
        Some(Document::new(id, Some(path), self.language(), 0, text))
    }

    fn text_on_disk(&self, index: &Index) -> Option<Arc<str>> {
        let (entry, _) = self.entry_and_segment()?;
        let path = self.absolute_path();
        let known = index.texts().get(&entry.hash);
        if known.is_some() && index.is_unchanged(&path, entry) {
            return known;
        }
        let bytes = index.system().read(&path, MAX_FILE_BYTES).ok()?;
        if hash(&bytes) != entry.hash {
            return None;
        }
        if known.is_some() {
            return known;
        }
        let text: Arc<str> = mask(&readable(bytes)?).into();
        index.texts().insert(entry.hash, &text);
        Some(text)
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
