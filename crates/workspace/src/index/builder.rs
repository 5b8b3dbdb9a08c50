//! Makes segments: from analysed files, or from what is still good of earlier segments.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use crate::index::analysis::Analysis;
use crate::index::postings;
use crate::index::segment::{
    ChunkEntry, FileEntry, ImportEntry, ImportedNameEntry, LanguageCode, NONE, ReferenceEntry,
    Segment, Span, SymbolEntry, TermEntry, entries, folder_name, reference_code, stem, symbol_code,
};
use crate::index::strings::Strings;

type Interned = HashMap<Box<str>, u32, FxBuildHasher>;

/// Collects files in ascending order of their paths.
#[derive(Default)]
pub(crate) struct Builder {
    interned: Interned,
    segment: Segment,
    /// Term, chunk and count.
    postings: Vec<(u32, u32, u32)>,
}

impl Builder {
    pub(crate) fn add(&mut self, analysis: &Analysis) {
        let file = number(self.segment.files.len());
        let symbols = self.add_symbols(file, analysis);
        let references = self.add_references(file, analysis);
        let imports = self.add_imports(analysis);
        let chunks = self.add_chunks(file, analysis);
        let path = self.intern(&analysis.path);
        self.segment.files.push(FileEntry {
            path,
            language: LanguageCode::new(analysis.language),
            hash: analysis.hash,
            len: analysis.len,
            modified: analysis.modified,
            n_lines: analysis.n_lines,
            symbols,
            references,
            imports,
            chunks,
        });
    }

    fn add_symbols(&mut self, file: u32, analysis: &Analysis) -> Span {
        let start = number(self.segment.symbols.len());
        for symbol in &analysis.outline.symbols {
            let entry = SymbolEntry {
                file,
                name: self.intern(&symbol.name),
                container: self.intern_option(symbol.container.as_deref()),
                parent: symbol.parent.map_or(NONE, number),
                kind: symbol_code(symbol.kind),
                range: (number(symbol.range.start), number(symbol.range.end)),
                signature_end: number(symbol.signature.end),
                body: symbol
                    .body
                    .as_ref()
                    .map_or((NONE, NONE), |body| (number(body.start), number(body.end))),
            };
            self.segment.symbols.push(entry);
        }
        (start, number(self.segment.symbols.len()))
    }

    fn add_references(&mut self, file: u32, analysis: &Analysis) -> Span {
        let start = number(self.segment.references.len());
        let mut counts: HashMap<&str, (u16, u8), FxBuildHasher> = HashMap::default();
        for reference in &analysis.outline.references {
            let (count, kind) = counts.entry(&reference.name).or_default();
            *count = count.saturating_add(1);
            *kind = (*kind).max(reference_code(reference.kind));
        }
        for (name, (count, kind)) in counts {
            let name = self.intern(name);
            self.segment.references.push(ReferenceEntry { file, name, count, kind });
        }
        (start, number(self.segment.references.len()))
    }

    fn add_imports(&mut self, analysis: &Analysis) -> Span {
        let start = number(self.segment.imports.len());
        for import in &analysis.outline.imports {
            let names_start = number(self.segment.imported_names.len());
            for name in &import.names {
                let entry = ImportedNameEntry {
                    name: self.intern(&name.name),
                    alias: self.intern_option(name.alias.as_deref()),
                };
                self.segment.imported_names.push(entry);
            }
            let entry = ImportEntry {
                path: self.intern(&import.path),
                module_alias: self.intern_option(import.module_alias.as_deref()),
                all: import.all,
                names: (names_start, number(self.segment.imported_names.len())),
            };
            self.segment.imports.push(entry);
        }
        (start, number(self.segment.imports.len()))
    }

    fn add_chunks(&mut self, file: u32, analysis: &Analysis) -> Span {
        let start = number(self.segment.chunks.len());
        for chunk in &analysis.chunks {
            let idx = number(self.segment.chunks.len());
            let mut n_terms = 0_u32;
            for (term, count) in &chunk.terms {
                let term = self.intern(term);
                self.postings.push((term, idx, *count));
                n_terms = n_terms.saturating_add(*count);
            }
            let range = (number(chunk.range.start), number(chunk.range.end));
            self.segment.chunks.push(ChunkEntry { file, range, n_terms });
        }
        (start, number(self.segment.chunks.len()))
    }

    fn intern(&mut self, string: &str) -> u32 {
        intern(&mut self.interned, string)
    }

    fn intern_option(&mut self, string: Option<&str>) -> u32 {
        string.map_or(NONE, |string| self.intern(string))
    }

    pub(crate) fn finish(self) -> Segment {
        let Self { interned, mut segment, mut postings } = self;
        let mut sorted: Vec<(Box<str>, u32)> = interned.into_iter().collect();
        sorted.sort_unstable();
        let mut renumbered = vec![NONE; sorted.len()];
        for (rank, (_, old)) in sorted.iter().enumerate() {
            if let Some(new) = renumbered.get_mut(*old as usize) {
                *new = number(rank);
            }
        }
        segment.strings = Strings::from_sorted(sorted.iter().map(|(string, _)| &**string));
        drop(sorted);
        let renumber = |id: &mut u32| *id = renumbered.get(*id as usize).copied().unwrap_or(NONE);
        segment.files.iter_mut().for_each(|file| renumber(&mut file.path));
        for symbol in &mut segment.symbols {
            renumber(&mut symbol.name);
            renumber(&mut symbol.container);
        }
        segment.references.iter_mut().for_each(|reference| renumber(&mut reference.name));
        for import in &mut segment.imports {
            renumber(&mut import.path);
            renumber(&mut import.module_alias);
        }
        for name in &mut segment.imported_names {
            renumber(&mut name.name);
            renumber(&mut name.alias);
        }
        for file in &segment.files {
            let span = file.references.0 as usize..file.references.1 as usize;
            if let Some(references) = segment.references.get_mut(span) {
                references.sort_unstable_by_key(|reference| reference.name);
            }
        }
        postings.iter_mut().for_each(|(term, ..)| renumber(term));
        postings.sort_unstable();
        write_postings(&postings, &mut segment);
        sort_tables(&mut segment);
        segment
    }
}

fn write_postings(sorted: &[(u32, u32, u32)], segment: &mut Segment) {
    for of_term in sorted.chunk_by(|left, right| left.0 == right.0) {
        let Some((term, ..)) = of_term.first() else { continue };
        segment.terms.push(TermEntry { term: *term, start: number(segment.postings.len()) });
        let pairs = of_term.iter().map(|(_, chunk, count)| (*chunk, *count));
        postings::encode(pairs, &mut segment.postings);
    }
    segment.postings.shrink_to_fit();
    segment.terms.shrink_to_fit();
}

fn sort_tables(segment: &mut Segment) {
    let Segment { files, symbols, references, .. } = &*segment;
    let mut by_stem: Vec<u32> = (0..number(files.len())).collect();
    let mut by_folder = by_stem.clone();
    by_stem.sort_by_key(|file| stem(segment.path(*file)));
    by_folder.sort_by_key(|file| folder_name(segment.path(*file)));
    let mut symbols_by_name: Vec<u32> = (0..number(symbols.len())).collect();
    symbols_by_name.sort_by_key(|symbol| symbols.get(*symbol as usize).map(|symbol| symbol.name));
    let mut references_by_name: Vec<u32> = (0..number(references.len())).collect();
    references_by_name.sort_by_key(|reference| {
        references.get(*reference as usize).map(|reference| reference.name)
    });
    segment.by_stem = by_stem;
    segment.by_folder = by_folder;
    segment.symbols_by_name = symbols_by_name;
    segment.references_by_name = references_by_name;
    segment.files.shrink_to_fit();
    segment.symbols.shrink_to_fit();
    segment.references.shrink_to_fit();
    segment.imports.shrink_to_fit();
    segment.imported_names.shrink_to_fit();
    segment.chunks.shrink_to_fit();
}

/// A segment and those of its files that are to be kept.
pub(crate) struct Kept<'a> {
    pub(crate) segment: &'a Segment,
    pub(crate) files: Vec<u32>,
}

/// One segment of the files that are kept of several; a path is kept in one of them at most.
pub(crate) fn merge(parts: &[Kept<'_>]) -> Segment {
    let mut files: Vec<(&str, usize, u32)> = Vec::new();
    for (part, kept) in parts.iter().enumerate() {
        files.extend(kept.files.iter().map(|file| (kept.segment.path(*file), part, *file)));
    }
    files.sort_unstable();
    let mut builder = Builder::default();
    // Where the chunks of each part have gone.
    let mut moved: Vec<Vec<u32>> =
        parts.iter().map(|kept| vec![NONE; kept.segment.chunks.len()]).collect();
    for (_, part, file) in files {
        let Some(Kept { segment, .. }) = parts.get(part) else { continue };
        let Some(entry) = segment.files.get(file as usize) else { continue };
        let first_chunk = number(builder.segment.chunks.len());
        builder.copy(segment, entry);
        for (offset, chunk) in (entry.chunks.0..entry.chunks.1).enumerate() {
            if let Some(new) = moved.get_mut(part).and_then(|moved| moved.get_mut(chunk as usize)) {
                *new = first_chunk + number(offset);
            }
        }
    }
    for (Kept { segment, .. }, moved) in parts.iter().zip(&moved) {
        for (idx, entry) in segment.terms.iter().enumerate() {
            let term = segment.strings.get(entry.term);
            let mut new_term = None;
            for (chunk, count) in postings::decode(segment.postings_at(idx)) {
                let Some(&new) = moved.get(chunk as usize).filter(|new| **new != NONE) else {
                    continue;
                };
                let term = *new_term.get_or_insert_with(|| intern(&mut builder.interned, term));
                builder.postings.push((term, new, count));
            }
        }
    }
    builder.finish()
}

impl Builder {
    /// Everything of a file but its postings.
    fn copy(&mut self, from: &Segment, entry: &FileEntry) {
        let file = number(self.segment.files.len());
        let Self { interned, segment, .. } = self;
        let mut string = |id: u32| match id {
            NONE => NONE,
            id => intern(interned, from.strings.get(id)),
        };
        let symbols_start = number(segment.symbols.len());
        for symbol in entries(&from.symbols, entry.symbols) {
            let (name, container) = (string(symbol.name), string(symbol.container));
            segment.symbols.push(SymbolEntry { file, name, container, ..symbol.clone() });
        }
        let references_start = number(segment.references.len());
        for reference in entries(&from.references, entry.references) {
            let name = string(reference.name);
            segment.references.push(ReferenceEntry { file, name, ..reference.clone() });
        }
        let imports_start = number(segment.imports.len());
        for import in entries(&from.imports, entry.imports) {
            let names_start = number(segment.imported_names.len());
            for name in entries(&from.imported_names, import.names) {
                let name = ImportedNameEntry { name: string(name.name), alias: string(name.alias) };
                segment.imported_names.push(name);
            }
            let names = (names_start, number(segment.imported_names.len()));
            let (path, module_alias) = (string(import.path), string(import.module_alias));
            segment.imports.push(ImportEntry { path, module_alias, all: import.all, names });
        }
        let chunks_start = number(segment.chunks.len());
        let chunks = entries(&from.chunks, entry.chunks);
        segment.chunks.extend(chunks.iter().map(|chunk| ChunkEntry { file, ..chunk.clone() }));
        segment.files.push(FileEntry {
            path: string(entry.path),
            symbols: (symbols_start, number(segment.symbols.len())),
            references: (references_start, number(segment.references.len())),
            imports: (imports_start, number(segment.imports.len())),
            chunks: (chunks_start, number(segment.chunks.len())),
            ..entry.clone()
        });
    }
}

fn intern(interned: &mut Interned, string: &str) -> u32 {
    if let Some(id) = interned.get(string) {
        return *id;
    }
    let id = number(interned.len());
    interned.insert(string.into(), id);
    id
}

/// Tables have fewer than 2^32 entries: files are a megabyte at most, and a table that was full would only lose what comes last.
fn number(idx: usize) -> u32 {
    u32::try_from(idx).unwrap_or(NONE)
}
