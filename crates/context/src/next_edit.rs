//! Where a change that the user just made is to be made again.
//!
//! Only what can be told from the text is proposed: a name that was replaced by another, and calls of a function whose parameters changed.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use syntax::{Place, SymbolKind, Tree};
use text::{Buffer, Edit};
use workspace::{Document, DocumentId, File, LoggedEdit, ReferenceKind, Snapshot};

use crate::moved::line_now;

mod change;

use change::{Change, change_of};

/// Edits looked at, the latest first.
const MAX_EDITS: usize = 8;

/// Files that are not open: looked at, and of so many bytes.
const MAX_FILES: usize = 16;
const MAX_FILE_BYTES: usize = 256 * 1024;

/// A place for the next edit.
#[derive(Debug, Clone)]
pub struct NextEdit {
    pub document: Arc<Document>,
    /// Nobody has the document open: it is a file as it lies on disk.
    pub is_closed: bool,
    /// Bytes to replace.
    pub range: Range<usize>,
    pub proposal: Proposal,
}

/// What is to stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// This text.
    Text(String),
    /// What a model writes between the two ends of the range: the arguments of a call, whose name ends at byte `call`.
    Infill { call: usize },
}

/// The place nearest behind `offset` of `document` where the latest edit that can be repeated is to be made again; places before
/// `offset` and in other open documents come after those behind it, and files that are not open come last. `None` when there is nothing to repeat.
pub fn next_edit(snapshot: &Snapshot, document: &DocumentId, offset: usize) -> Option<NextEdit> {
    next(snapshot, document, offset, |sought| sought.in_closed(snapshot))
}

/// As [`next_edit`], in open documents alone.
pub fn next_open_edit(
    snapshot: &Snapshot,
    document: &DocumentId,
    offset: usize,
) -> Option<NextEdit> {
    next(snapshot, document, offset, |_| None)
}

fn next(
    snapshot: &Snapshot,
    document: &DocumentId,
    offset: usize,
    elsewhere: impl Fn(&Sought<'_>) -> Option<NextEdit>,
) -> Option<NextEdit> {
    let edits = snapshot.edits();
    for (idx, edit) in edits.iter().enumerate().rev().take(MAX_EDITS) {
        let later = edits.get(idx + 1..).unwrap_or_default();
        let Some(change) = change_of(edit) else { continue };
        let Some(sought) = (match change {
            Change::Name { old, new } => renamed(snapshot, edit, later, &old, &new),
            Change::Parameters => parameters_changed(snapshot, edit, later),
        }) else {
            continue;
        };
        let open = sought.in_open(snapshot).into_iter().min_by_key(|next| {
            let id = &next.document.id;
            let is_own = id == document;
            (!is_own, is_own && next.range.start < offset, id.clone(), next.range.start)
        });
        if let Some(next) = open.or_else(|| elsewhere(&sought)) {
            return Some(next);
        }
    }
    None
}

/// The next edit whose place holds byte `offset` of `document`, if a recent edit replaced the name that stands there. Cheap where none did.
pub fn next_edit_at(snapshot: &Snapshot, document: &DocumentId, offset: usize) -> Option<NextEdit> {
    let name = word_at(&snapshot.document(document)?.buffer, offset)?;
    let edits = snapshot.edits();
    edits.iter().enumerate().rev().take(MAX_EDITS).find_map(|(idx, edit)| {
        let later = edits.get(idx + 1..).unwrap_or_default();
        let Some(Change::Name { old, new }) = change_of(edit).filter(|change| change.is_of(&name))
        else {
            return None;
        };
        renamed(snapshot, edit, later, &old, &new)?.in_open(snapshot).into_iter().find(|next| {
            let Range { start, end } = next.range;
            next.document.id == *document && (start..=end).contains(&offset)
        })
    })
}

/// The word that `offset` lies in or beside; `None` where there is none, or none of a usual length.
fn word_at(buffer: &Buffer, offset: usize) -> Option<String> {
    const MAX_WORD: usize = 256;
    let offset = buffer.floor_char_boundary(offset);
    let start = buffer.floor_char_boundary(offset.saturating_sub(MAX_WORD));
    let end = buffer.floor_char_boundary(offset.saturating_add(MAX_WORD));
    let before = buffer.slice(start..offset);
    let after = buffer.slice(offset..end);
    let tail = before.rsplit(|character| !is_word(character)).next().unwrap_or_default();
    let head = after.split(|character| !is_word(character)).next().unwrap_or_default();
    let word = format!("{tail}{head}");
    (!word.is_empty() && word.len() <= MAX_WORD).then_some(word)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What stands where the change is to be made again.
struct Sought<'a> {
    /// The document that was changed, which gives the language.
    changed: &'a Document,
    /// As a word in code.
    name: String,
    /// The only bytes that are looked at, where they are some of the changed document.
    within: Option<Range<usize>>,
    /// The definition itself, in the changed document.
    except: Option<Range<usize>>,
    what: Change,
}

/// The old name, where it still stands for what was renamed.
fn renamed<'a>(
    snapshot: &'a Snapshot,
    edit: &LoggedEdit,
    later: &[LoggedEdit],
    old: &str,
    new: &str,
) -> Option<Sought<'a>> {
    let (document, tree) = parsed(snapshot, &edit.document)?;
    let line_range = document.buffer.line_range(line_now(edit, later));
    // Undone, or changed once more since.
    words(&document.buffer.slice(line_range.clone()), new).next()?;
    let outline = tree.outline();
    let is_symbol = outline
        .symbols
        .iter()
        .any(|symbol| symbol.name == new && line_range.contains(&symbol.name_range.start));
    // A use that now means something else says nothing of the other uses, nor does a definition say anything of uses that may mean another.
    if outline.symbols.iter().any(|symbol| symbol.name == old)
        || !snapshot.repository(Some(&document.id)).definitions(old).is_empty()
    {
        return None;
    }
    // A name that nothing defines any more, or a variable, which lives in its function.
    let within = (!is_symbol).then(|| function_around(tree, line_range.end));
    let what = Change::Name { old: old.to_owned(), new: new.to_owned() };
    Some(Sought { changed: document, name: old.to_owned(), within, except: None, what })
}

/// Calls of the function whose parameters were changed.
fn parameters_changed<'a>(
    snapshot: &'a Snapshot,
    edit: &LoggedEdit,
    later: &[LoggedEdit],
) -> Option<Sought<'a>> {
    let (document, tree) = parsed(snapshot, &edit.document)?;
    let line_range = document.buffer.line_range(line_now(edit, later));
    let is_changed =
        |range: &Range<usize>| range.start <= line_range.end && line_range.start <= range.end;
    let function = tree.outline().symbols.into_iter().find(|symbol| {
        matches!(symbol.kind, SymbolKind::Function | SymbolKind::Method)
            && symbol.body.is_some()
            && is_changed(&(symbol.name_range.start..symbol.signature.end))
    })?;
    let (name, except) = (function.name, Some(function.name_range));
    Some(Sought { changed: document, name, within: None, except, what: Change::Parameters })
}

impl Sought<'_> {
    fn in_open(&self, snapshot: &Snapshot) -> Vec<NextEdit> {
        if self.within.is_some() {
            return snapshot
                .document(&self.changed.id)
                .map(|own| self.places(own, false))
                .unwrap_or_default();
        }
        let is_withheld = |other: &Document| {
            other.id != self.changed.id
                && other.path.as_deref().is_some_and(|path| snapshot.withholds(path))
        };
        let alike = snapshot
            .documents()
            .filter(|other| other.language == self.changed.language && !is_withheld(other));
        alike.flat_map(|other| self.places(other, false)).collect()
    }

    /// The first place in a file that is not open, the nearest folder first. Only what uses the name as that of a function or a type is looked
    /// at, as nothing else tells it from a variable there.
    fn in_closed(&self, snapshot: &Snapshot) -> Option<NextEdit> {
        if self.within.is_some() {
            return None;
        }
        let repository = snapshot.repository(None);
        if self.what == Change::Parameters && repository.few_definitions(&self.name, 1).is_none() {
            return None;
        }
        let own = self.changed.path.as_deref()?;
        let mut files: Vec<File<'_>> = repository
            .uses(&self.name)
            .into_iter()
            .filter(|used| matches!(used.kind, ReferenceKind::Call | ReferenceKind::Type))
            .map(|used| used.file)
            .filter(|file| file.document().is_none() && file.language() == self.changed.language)
            .filter(|file| file.n_bytes() <= MAX_FILE_BYTES)
            .collect();
        let n_common = |file: &File<'_>| {
            file.absolute_path()
                .components()
                .zip(own.components())
                .take_while(|(one, other)| one == other)
                .count()
        };
        files.sort_by_cached_key(|file| Reverse(n_common(file)));
        files
            .into_iter()
            .take(MAX_FILES)
            .filter(|file| !snapshot.withholds(&file.absolute_path()))
            .find_map(|file| self.places(&Arc::new(file.as_document()?), true).into_iter().next())
    }

    fn places(&self, document: &Arc<Document>, is_closed: bool) -> Vec<NextEdit> {
        let Some(tree) = document.tree() else { return Vec::new() };
        let is_definition = |range: &Range<usize>| {
            document.id == self.changed.id && self.except.as_ref() == Some(range)
        };
        let within = self.within.clone().unwrap_or(0..document.buffer.len());
        occurrences(document, tree, within, &self.name)
            .into_iter()
            .filter(|range| !is_definition(range))
            .filter_map(|name| {
                let (range, proposal) = match &self.what {
                    Change::Name { new, .. } => (name, Proposal::Text(new.clone())),
                    Change::Parameters => {
                        let call = name.end;
                        (arguments(document, tree, call)?, Proposal::Infill { call })
                    }
                };
                Some(NextEdit { document: Arc::clone(document), is_closed, range, proposal })
            })
            .collect()
    }
}

/// Whether `text` in place of `next.range` is the arguments of the call and no more: what closes the call, or breaks it, is something else.
pub fn are_arguments(next: &NextEdit, text: &str) -> bool {
    let Proposal::Infill { call } = next.proposal else { return false };
    let edit = Edit { range: next.range.clone(), text: text.to_owned() };
    let end = next.range.start + text.len();
    let after = next.document.edited(&edit);
    let (Some(before), Some(tree)) = (next.document.tree(), after.tree()) else { return false };
    tree.n_errors() <= before.n_errors()
        && arguments(&after, tree, call) == Some(next.range.start..end)
}

fn parsed<'a>(snapshot: &'a Snapshot, id: &DocumentId) -> Option<(&'a Document, &'a Tree)> {
    let document = snapshot.document(id)?;
    Some((document, document.tree()?))
}

/// Bytes of the innermost function around `offset`, or of the whole file.
fn function_around(tree: &Tree, offset: usize) -> Range<usize> {
    let is_function = |kind: &str| kind.contains("function") || kind.contains("method");
    let scopes = tree.scopes(offset).into_iter();
    scopes
        .map(|scope| (scope.kind, scope.range))
        .find(|(kind, _)| is_function(kind))
        .map_or(0..usize::MAX, |(_, range)| range)
}

/// Where `name` stands as a word in code, in order.
fn occurrences(
    document: &Document,
    tree: &Tree,
    within: Range<usize>,
    name: &str,
) -> Vec<Range<usize>> {
    let end = within.end.min(document.buffer.len());
    let text = document.buffer.slice(within.start..end);
    words(&text, name)
        .map(|at| within.start + at..within.start + at + name.len())
        .filter(|range| tree.place(range.start + 1) == Place::Code)
        .collect()
}

/// Offsets at which `name` stands as a whole word.
fn words<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(name).map(|(at, _)| at).filter(move |at| {
        let before = text.get(..*at).and_then(|before| before.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|after| after.chars().next());
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
}

/// Bytes between the brackets of the call whose name ends at `offset`.
fn arguments(document: &Document, tree: &Tree, offset: usize) -> Option<Range<usize>> {
    const MAX_ARGUMENTS: usize = 2000;
    let buffer = &document.buffer;
    let text =
        buffer.slice(offset..buffer.floor_char_boundary(offset.saturating_add(MAX_ARGUMENTS)));
    let open = text.find(|character: char| !character.is_whitespace())?;
    if !text.get(open..)?.starts_with('(') {
        return None;
    }
    let mut depth = 0_usize;
    for (at, character) in text.char_indices().skip_while(|(at, _)| *at < open) {
        let is_code = || tree.place(offset + at + 1) == Place::Code;
        match character {
            '(' | '[' | '{' if is_code() => depth += 1,
            ')' | ']' | '}' if is_code() => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(offset + open + 1..offset + at);
                }
            }
            _ => {}
        }
    }
    None
}
