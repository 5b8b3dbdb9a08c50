//! A part of the index that never changes: some files with all that is known of them, under numbers that mean something in this part alone.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use syntax::{Language, ReferenceKind, SymbolKind};

use crate::index::strings::Strings;

/// Numbers a string that is not there.
pub(crate) const NONE: u32 = u32::MAX;

/// First 16 bytes of the SHA-256 of a file's bytes.
pub(crate) type Hash = [u8; 16];

/// A run of entries in one of a segment's tables.
pub(crate) type Span = (u32, u32);

/// Files with all that is known of them; see the fields for what is sorted how.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Segment {
    pub(crate) strings: Strings,
    /// By path.
    pub(crate) files: Vec<FileEntry>,
    /// Files by the last part of their path without its extension.
    pub(crate) by_stem: Vec<u32>,
    /// Files by the last part of the path of their folder.
    pub(crate) by_folder: Vec<u32>,
    /// By file, then as they are in the text.
    pub(crate) symbols: Vec<SymbolEntry>,
    /// Symbols by name.
    pub(crate) symbols_by_name: Vec<u32>,
    /// By file, then by name.
    pub(crate) references: Vec<ReferenceEntry>,
    /// References by name.
    pub(crate) references_by_name: Vec<u32>,
    /// By file, then as they are in the text.
    pub(crate) imports: Vec<ImportEntry>,
    /// By import.
    pub(crate) imported_names: Vec<ImportedNameEntry>,
    /// By file, then as they are in the text.
    pub(crate) chunks: Vec<ChunkEntry>,
    /// By term.
    pub(crate) terms: Vec<TermEntry>,
    /// `index::postings` of each term, one behind the other.
    pub(crate) postings: Vec<u8>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Relative to the root, with forward slashes.
    pub(crate) path: u32,
    /// [`NONE`] where there is no grammar.
    pub(crate) language: LanguageCode,
    pub(crate) hash: Hash,
    /// In bytes.
    pub(crate) len: u64,
    /// Nanoseconds since 1970 by the file system; 0 when that cannot be trusted.
    pub(crate) modified: u64,
    pub(crate) n_lines: u32,
    pub(crate) symbols: Span,
    pub(crate) references: Span,
    pub(crate) imports: Span,
    pub(crate) chunks: Span,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct SymbolEntry {
    pub(crate) file: u32,
    pub(crate) name: u32,
    /// Or [`NONE`].
    pub(crate) container: u32,
    /// A symbol of the same file, counted from its first one; or [`NONE`].
    pub(crate) parent: u32,
    pub(crate) kind: u8,
    pub(crate) range: Span,
    pub(crate) signature_end: u32,
    /// `(NONE, NONE)` where there is none.
    pub(crate) body: Span,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ReferenceEntry {
    pub(crate) file: u32,
    pub(crate) name: u32,
    /// How often the file uses the name.
    pub(crate) count: u16,
    /// The strongest of its uses.
    pub(crate) kind: u8,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImportEntry {
    pub(crate) path: u32,
    /// Or [`NONE`].
    pub(crate) module_alias: u32,
    pub(crate) all: bool,
    pub(crate) names: Span,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImportedNameEntry {
    pub(crate) name: u32,
    /// Or [`NONE`].
    pub(crate) alias: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ChunkEntry {
    pub(crate) file: u32,
    pub(crate) range: Span,
    /// Terms in it, each as often as it is there.
    pub(crate) n_terms: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TermEntry {
    pub(crate) term: u32,
    /// Where its postings begin; they end where those of the next term begin.
    pub(crate) start: u32,
}

/// A language by its place in [`Language::ALL`], or 255.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LanguageCode(u8);

impl LanguageCode {
    pub(crate) fn new(language: Option<Language>) -> Self {
        let idx =
            language.and_then(|language| Language::ALL.iter().position(|each| *each == language));
        Self(idx.and_then(|idx| u8::try_from(idx).ok()).unwrap_or(u8::MAX))
    }

    pub(crate) fn language(self) -> Option<Language> {
        Language::ALL.get(usize::from(self.0)).copied()
    }
}

impl Segment {
    pub(crate) fn file(&self, path: &str) -> Option<u32> {
        let found = self.files.binary_search_by(|file| self.strings.get(file.path).cmp(path));
        found.ok().and_then(|idx| u32::try_from(idx).ok())
    }

    /// Files whose name without its extension is `stem`.
    pub(crate) fn files_by_stem(&self, wanted: &str) -> &[u32] {
        run(&self.by_stem, |file| stem(self.path(*file)).cmp(wanted))
    }

    /// Files in folders of this name.
    pub(crate) fn files_by_folder(&self, wanted: &str) -> &[u32] {
        run(&self.by_folder, |file| folder_name(self.path(*file)).cmp(wanted))
    }

    /// Empty for a number that names no file.
    pub(crate) fn path(&self, file: u32) -> &str {
        self.files.get(file as usize).map_or("", |file| self.strings.get(file.path))
    }

    pub(crate) fn symbols_named(&self, name: &str) -> &[u32] {
        let Some(id) = self.strings.find(name) else { return &[] };
        run(&self.symbols_by_name, |symbol| {
            self.symbols.get(*symbol as usize).map_or(0, |symbol| symbol.name).cmp(&id)
        })
    }

    pub(crate) fn references_to(&self, name: &str) -> &[u32] {
        let Some(id) = self.strings.find(name) else { return &[] };
        run(&self.references_by_name, |reference| {
            self.references.get(*reference as usize).map_or(0, |reference| reference.name).cmp(&id)
        })
    }

    /// Encoded postings of a term; empty when no chunk has it.
    pub(crate) fn postings(&self, term: &str) -> &[u8] {
        let Some(id) = self.strings.find(term) else { return &[] };
        let Ok(idx) = self.terms.binary_search_by_key(&id, |entry| entry.term) else { return &[] };
        self.postings_at(idx)
    }

    pub(crate) fn postings_at(&self, idx: usize) -> &[u8] {
        let Some(entry) = self.terms.get(idx) else { return &[] };
        let end = self.terms.get(idx + 1).map_or(self.postings.len(), |next| next.start as usize);
        self.postings.get(entry.start as usize..end).unwrap_or_default()
    }

    /// Roughly what it takes in memory.
    pub(crate) fn n_bytes(&self) -> usize {
        self.strings.n_bytes()
            + size_of_val(self.files.as_slice())
            + size_of_val(self.symbols.as_slice())
            + size_of_val(self.references.as_slice())
            + size_of_val(self.imports.as_slice())
            + size_of_val(self.imported_names.as_slice())
            + size_of_val(self.chunks.as_slice())
            + size_of_val(self.terms.as_slice())
            + 4 * (self.by_stem.len()
                + self.by_folder.len()
                + self.symbols_by_name.len()
                + self.references_by_name.len())
            + self.postings.len()
    }
}

/// The last part of a path, without what follows its first dot.
pub(crate) fn stem(path: &str) -> &str {
    let name = path.rsplit('/').next().unwrap_or(path);
    match name.find('.') {
        Some(dot) if 0 < dot => name.get(..dot).unwrap_or(name),
        _ => name,
    }
}

/// The last part of the path of a file's folder; empty for a file that lies in the root.
pub(crate) fn folder_name(path: &str) -> &str {
    path.rsplit('/').nth(1).unwrap_or_default()
}

/// The run of a sorted slice that compares equal.
fn run<T>(sorted: &[T], compare: impl Fn(&T) -> std::cmp::Ordering) -> &[T] {
    let start = sorted.partition_point(|item| compare(item).is_lt());
    let rest = sorted.get(start..).unwrap_or_default();
    // Most runs are short, and each look at an item may be a miss of the cache.
    let mut reach = 4;
    while rest.get(reach).is_some_and(|item| compare(item).is_le()) {
        reach *= 4;
    }
    let near = rest.get(..reach).unwrap_or(rest);
    let n = near.partition_point(|item| compare(item).is_le());
    rest.get(..n).unwrap_or_default()
}

/// Entries of a table.
pub(crate) fn entries<T>(table: &[T], span: Span) -> &[T] {
    table.get(span.0 as usize..span.1 as usize).unwrap_or_default()
}

pub(crate) fn to_range(span: Span) -> Range<usize> {
    span.0 as usize..span.1 as usize
}

pub(crate) fn symbol_kind(code: u8) -> SymbolKind {
    SymbolKind::ALL.get(usize::from(code)).copied().unwrap_or(SymbolKind::Variable)
}

pub(crate) fn symbol_code(kind: SymbolKind) -> u8 {
    SymbolKind::ALL
        .iter()
        .position(|each| *each == kind)
        .and_then(|idx| u8::try_from(idx).ok())
        .unwrap_or(0)
}

pub(crate) fn reference_kind(code: u8) -> ReferenceKind {
    match code {
        2 => ReferenceKind::Call,
        1 => ReferenceKind::Type,
        _ => ReferenceKind::Use,
    }
}

pub(crate) fn reference_code(kind: ReferenceKind) -> u8 {
    match kind {
        ReferenceKind::Use => 0,
        ReferenceKind::Type => 1,
        ReferenceKind::Call => 2,
    }
}
