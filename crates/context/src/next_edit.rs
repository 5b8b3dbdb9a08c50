//! Where a change that the user just made is to be made again.
//!
//! Only what can be told from the text is proposed: a name that was replaced by another, and calls of a function whose parameters changed.

use std::ops::Range;

use syntax::{Place, SymbolKind, Tree};
use text::Buffer;
use workspace::{Document, DocumentId, LoggedEdit, Snapshot};

use crate::moved::line_now;

mod change;

use change::{Change, change_of};

/// Edits looked at, the latest first.
const MAX_EDITS: usize = 8;

/// A place for the next edit, in an open document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextEdit {
    pub document: DocumentId,
    /// As the client counts; the range is of this version.
    pub version: i32,
    /// Bytes to replace.
    pub range: Range<usize>,
    pub proposal: Proposal,
}

/// What is to stand there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proposal {
    /// This text.
    Text(String),
    /// What a model writes between the two ends of the range: the arguments of a call.
    Infill,
}

/// The place nearest behind `offset` of `document` where the latest edit that can be repeated is to be made again; places before
/// `offset` and in other open documents come after those behind it. `None` when there is nothing to repeat.
pub fn next_edit(snapshot: &Snapshot, document: &DocumentId, offset: usize) -> Option<NextEdit> {
    let edits = snapshot.edits();
    for (idx, edit) in edits.iter().enumerate().rev().take(MAX_EDITS) {
        let later = edits.get(idx + 1..).unwrap_or_default();
        let Some(change) = change_of(edit) else { continue };
        let found = match change {
            Change::Name { old, new } => renamed(snapshot, edit, later, &old, &new),
            Change::Parameters => parameters_changed(snapshot, edit, later),
        };
        let next = found.into_iter().min_by_key(|next| {
            let is_own = next.document == *document;
            (!is_own, is_own && next.range.start < offset, next.document.clone(), next.range.start)
        });
        if next.is_some() {
            return next;
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
        renamed(snapshot, edit, later, &old, &new).into_iter().find(|next| {
            let Range { start, end } = next.range;
            next.document == *document && (start..=end).contains(&offset)
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

/// Where the old name still stands.
fn renamed(
    snapshot: &Snapshot,
    edit: &LoggedEdit,
    later: &[LoggedEdit],
    old: &str,
    new: &str,
) -> Vec<NextEdit> {
    let Some((document, tree)) = parsed(snapshot, &edit.document) else { return Vec::new() };
    let line = line_now(edit, later);
    let line_range = document.buffer.line_range(line);
    // Undone, or changed once more since.
    if words(&document.buffer.slice(line_range.clone()), new).next().is_none() {
        return Vec::new();
    }
    let outline = tree.outline();
    let is_symbol = outline
        .symbols
        .iter()
        .any(|symbol| symbol.name == new && line_range.contains(&symbol.name_range.start));
    let is_defined = outline.symbols.iter().any(|symbol| symbol.name == old)
        || !snapshot.repository(Some(&document.id)).definitions(old).is_empty();
    let at = |document: &Document, range: Range<usize>| NextEdit {
        document: document.id.clone(),
        version: document.version,
        range,
        proposal: Proposal::Text(new.to_owned()),
    };
    if !is_symbol {
        // A use that now means something else says nothing of the other uses.
        if is_defined {
            return Vec::new();
        }
        // A name that nothing defines any more, or a variable, which lives in its function.
        let function = function_around(tree, line_range.end);
        let places = occurrences(document, tree, function, old);
        return places.into_iter().map(|range| at(document, range)).collect();
    }
    // Another definition of the old name is left means that its uses may mean that one.
    if is_defined {
        return Vec::new();
    }
    let mut found = Vec::new();
    for other in snapshot.documents().filter(|other| other.language == document.language) {
        let Some(tree) = other.tree() else { continue };
        let places = occurrences(other, tree, 0..other.buffer.len(), old);
        found.extend(places.into_iter().map(|range| at(other, range)));
    }
    found
}

/// Calls of the function whose parameters were changed.
fn parameters_changed(
    snapshot: &Snapshot,
    edit: &LoggedEdit,
    later: &[LoggedEdit],
) -> Vec<NextEdit> {
    let Some((document, tree)) = parsed(snapshot, &edit.document) else { return Vec::new() };
    let line_range = document.buffer.line_range(line_now(edit, later));
    let is_changed =
        |range: &Range<usize>| range.start <= line_range.end && line_range.start <= range.end;
    let outline = tree.outline();
    let function = outline.symbols.iter().find(|symbol| {
        matches!(symbol.kind, SymbolKind::Function | SymbolKind::Method)
            && symbol.body.is_some()
            && is_changed(&(symbol.name_range.start..symbol.signature.end))
    });
    let Some(function) = function else { return Vec::new() };
    let mut found = Vec::new();
    for other in snapshot.documents().filter(|other| other.language == document.language) {
        let Some(tree) = other.tree() else { continue };
        for name in occurrences(other, tree, 0..other.buffer.len(), &function.name) {
            if other.id == document.id && name == function.name_range {
                continue;
            }
            let Some(range) = arguments(other, tree, name.end) else { continue };
            found.push(NextEdit {
                document: other.id.clone(),
                version: other.version,
                range,
                proposal: Proposal::Infill,
            });
        }
    }
    found
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
