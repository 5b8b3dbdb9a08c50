//! Where a hole of a kind may be cut in a file.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use syntax::Place;

use crate::hole::Kind;
use crate::repository::{Repository, SourceFile};

/// Less than this is closing punctuation or a short word, in characters that are not white space.
const MIN_VISIBLE: usize = 4;

/// In bytes; more on one line is data.
const MAX_LINE: usize = 160;

/// Shorter names are the same in many files by chance, in characters.
const MIN_NAME: usize = 4;

/// Longer bodies are written in several steps.
const MAX_BLOCK_LINES: usize = 10;

/// Bytes of every place, in the order of the text.
pub(crate) fn places(
    kind: Kind,
    repository: &Repository,
    file: &SourceFile,
    random: &mut ChaCha8Rng,
) -> Vec<Range<usize>> {
    match kind {
        Kind::RestOfLine => {
            lines(file).filter_map(|line| rest_of_line(file, line, random)).collect()
        }
        Kind::WholeLine => lines(file).collect(),
        Kind::Block => blocks(file),
        Kind::Arguments => arguments(file),
        Kind::CrossFile => cross_file(repository, file),
        Kind::Other => Vec::new(),
    }
}

/// Lines of code without their indentation and the white space at their ends.
fn lines(file: &SourceFile) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    file.text.split('\n').filter_map(move |line| {
        let line_start = start;
        start += line.len() + 1;
        let range = trimmed(line, line_start);
        let is_code = || file.tree.place(range.start) == Place::Code && !begins_comment(file, line);
        (line.len() <= MAX_LINE && is_worth_it(line) && is_code()).then_some(range)
    })
}

fn begins_comment(file: &SourceFile, line: &str) -> bool {
    let line = line.trim_start();
    [file.language.line_comment(), "/*", "*", "\"\"\"", "'''"]
        .iter()
        .any(|leader| line.starts_with(leader))
}

fn trimmed(text: &str, start: usize) -> Range<usize> {
    let n_before = text.len() - text.trim_start().len();
    start + n_before..start + text.trim_end().len().max(n_before)
}

fn is_worth_it(text: &str) -> bool {
    let n_visible = text.chars().filter(|character| !character.is_whitespace()).count();
    MIN_VISIBLE <= n_visible && text.contains(char::is_alphanumeric)
}

/// From an edge between two tokens, where people stop to think, to the end of the line.
fn rest_of_line(
    file: &SourceFile,
    line: Range<usize>,
    random: &mut ChaCha8Rng,
) -> Option<Range<usize>> {
    let text = file.text.get(line.clone())?;
    let edges: Vec<usize> = text
        .char_indices()
        .zip(text.chars().skip(1))
        .filter(|((_, left), right)| is_edge(*left, *right))
        .map(|((at, left), _)| line.start + at + left.len_utf8())
        .filter(|at| file.text.get(*at..line.end).is_some_and(is_worth_it))
        .filter(|at| file.tree.place(*at) == Place::Code)
        .collect();
    let edge = edges.get(random.random_range(0..edges.len().max(1)))?;
    Some(*edge..line.end)
}

/// Behind a word, or before what follows white space or punctuation.
fn is_edge(left: char, right: char) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    (is_word(left) && !is_word(right))
        || (matches!(left, ' ' | '(' | '[' | '{' | '.' | ',' | '=' | ':') && !right.is_whitespace())
}

/// Bodies of functions, without the brackets and the white space inside them.
fn blocks(file: &SourceFile) -> Vec<Range<usize>> {
    let bodies: BTreeSet<(usize, usize)> = lines(file)
        .flat_map(|line| file.tree.scopes(line.end))
        .filter(|scope| ["function", "method"].iter().any(|kind| scope.kind.contains(kind)))
        .filter_map(|scope| scope.body)
        .map(|body| (body.start, body.end))
        .collect();
    bodies.into_iter().filter_map(|(start, end)| block(file, start..end)).collect()
}

fn block(file: &SourceFile, body: Range<usize>) -> Option<Range<usize>> {
    let text = file.text.get(body.clone())?;
    let (inside, start) = match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        Some(inside) => (inside, body.start + 1),
        None => (text, body.start),
    };
    let range = trimmed(inside, start);
    let before = file.text.get(..range.start)?;
    // The caret stands on a line of its own, behind the header.
    let on_own_line = before.trim_end_matches([' ', '\t']).ends_with('\n');
    let reference = file.text.get(range.clone())?;
    let is_short = reference.lines().count() <= MAX_BLOCK_LINES;
    let begins_with_code =
        file.tree.place(range.start + 1) == Place::Code && !begins_comment(file, reference);
    (on_own_line && is_short && is_worth_it(reference) && begins_with_code).then_some(range)
}

/// Arguments on one line.
fn arguments(file: &SourceFile) -> Vec<Range<usize>> {
    let lists = file.tree.argument_lists().into_iter();
    lists
        .filter(|list| {
            let text = file.text.get(list.clone()).unwrap_or_default();
            !text.contains('\n') && text.len() <= MAX_LINE && is_worth_it(text)
        })
        .collect()
}

/// From the first use of a name that only another file defines to the end of the line; imports are no use.
fn cross_file(repository: &Repository, file: &SourceFile) -> Vec<Range<usize>> {
    let mut seen = HashSet::new();
    let imports = &file.outline.imports;
    let is_import = |at: usize| imports.iter().any(|import| import.range.contains(&at));
    let uses = file.outline.references.iter().filter(|reference| {
        !is_import(reference.range.start) && seen.insert(reference.name.as_str())
    });
    let foreign = uses.filter(|reference| {
        MIN_NAME <= reference.name.chars().count()
            && repository.is_defined_elsewhere(&reference.name, file)
    });
    let mut found: Vec<Range<usize>> = foreign
        .filter_map(|reference| {
            let start = reference.range.start;
            let line = file.text.get(start..)?.split('\n').next()?.trim_end();
            let before = file.text.get(..start)?.rsplit('\n').next()?;
            (before.len() + line.len() <= MAX_LINE).then_some(start..start + line.len())
        })
        .collect();
    // The first of two names on a line gives the other away.
    found.sort_unstable_by_key(|place| (place.end, place.start));
    found.dedup_by_key(|place| place.end);
    found
}
