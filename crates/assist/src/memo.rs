//! Recent suggestions, so that typing through one is answered without the model.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use context::Piece;
use syntax::Language;
use workspace::DocumentId;

use crate::completion::Trigger;
use crate::site::Site;

const MAX_ENTRIES: usize = 250;

/// Text on either side that must be the same, in bytes.
const WINDOW: usize = 1024;

#[derive(Debug)]
struct Entry {
    document: DocumentId,
    trigger: Trigger,
    /// Up to [`WINDOW`] bytes before the caret, with line feeds.
    before: String,
    /// The document has more before that.
    is_cut: bool,
    after: String,
    /// With line feeds.
    suggestion: String,
    /// Of the prompt that led to it.
    pieces: Vec<Piece>,
}

/// Suggestions by document and by the text around the caret, the latest first.
#[derive(Debug, Default)]
pub(crate) struct Memo(Mutex<VecDeque<Entry>>);

impl Memo {
    /// `suggestion` with line feeds for line ends.
    pub(crate) fn remember(
        &self,
        document: &DocumentId,
        trigger: Trigger,
        site: &Site,
        suggestion: &str,
        pieces: &[Piece],
    ) {
        self.insert(0, entry(document, trigger, site, suggestion, pieces));
    }

    /// Like [`Memo::remember`], but behind the latest one, which stays the first choice.
    pub(crate) fn remember_behind(
        &self,
        document: &DocumentId,
        trigger: Trigger,
        site: &Site,
        suggestion: &str,
        pieces: &[Piece],
    ) {
        self.insert(1, entry(document, trigger, site, suggestion, pieces));
    }

    /// What is left of a suggestion whose beginning was typed since, or all of it where nothing was; and the pieces of
    /// the prompt that led to it.
    pub(crate) fn recall(
        &self,
        document: &DocumentId,
        trigger: Trigger,
        site: &Site,
    ) -> Option<(String, Vec<Piece>)> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (index, remainder) = entries.iter().enumerate().find_map(|(index, entry)| {
            left_of(entry, document, trigger, site).map(|rest| (index, rest))
        })?;
        // One that is in use is to be forgotten last.
        let entry = entries.remove(index)?;
        let pieces = entry.pieces.clone();
        entries.push_front(entry);
        Some((remainder, pieces))
    }

    /// What is left of every suggestion that suits, the latest first.
    pub(crate) fn recall_all(
        &self,
        document: &DocumentId,
        trigger: Trigger,
        site: &Site,
    ) -> Vec<String> {
        let entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = entries.iter().filter_map(|entry| left_of(entry, document, trigger, site));
        left.collect()
    }

    /// Makes `entry` the one behind `n_before` others, as far as there are so many.
    fn insert(&self, n_before: usize, entry: Entry) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = entries.len().min(n_before);
        entries.insert(place, entry);
        entries.truncate(MAX_ENTRIES);
    }
}

fn entry(
    document: &DocumentId,
    trigger: Trigger,
    site: &Site,
    suggestion: &str,
    pieces: &[Piece],
) -> Entry {
    Entry {
        document: document.clone(),
        trigger,
        before: tail(&site.before).to_owned(),
        is_cut: tail(&site.before).len() < site.before.len(),
        after: head(&site.after).to_owned(),
        suggestion: suggestion.to_owned(),
        pieces: pieces.to_vec(),
    }
}

fn left_of(entry: &Entry, document: &DocumentId, trigger: Trigger, site: &Site) -> Option<String> {
    // Who asks by hand may get a block where typing got a line.
    let suits = trigger == Trigger::Automatic || entry.trigger == Trigger::Invoked;
    if *document != entry.document || !suits || head(&site.after) != entry.after {
        return None;
    }
    remainder(entry, &site.before).map(str::to_owned).or_else(|| reindented(entry, site))
}

fn remainder<'a>(entry: &'a Entry, before: &str) -> Option<&'a str> {
    (0..entry.suggestion.len()).find_map(|n_typed| {
        let (typed, rest) = entry.suggestion.split_at_checked(n_typed)?;
        let untyped = before.strip_suffix(typed)?;
        let same =
            if entry.is_cut { untyped.ends_with(&entry.before) } else { untyped == entry.before };
        (same && !rest.trim().is_empty()).then_some(rest)
    })
}

/// The same where only the indentation of the caret's line has changed, as editors and people change it while they type.
/// Where indentation says what a line belongs to, another one asks for another text.
fn reindented(entry: &Entry, site: &Site) -> Option<String> {
    if matches!(site.language, None | Some(Language::Python)) {
        return None;
    }
    let (above, old, begun) = caret_line(&entry.before);
    let (above_now, new, begun_now) = caret_line(&site.before);
    let same = if entry.is_cut { above_now.ends_with(above) } else { above_now == above };
    let left = entry.suggestion.strip_prefix(begun_now.strip_prefix(begun)?)?;
    if old == new || !same || left.trim().is_empty() {
        return None;
    }
    // On a line with nothing else the suggestion may have brought the indentation, or a part of it.
    let code = if begun_now.is_empty() { left.trim_start_matches([' ', '\t']) } else { left };
    let brought = left.get(..left.len() - code.len())?;
    let old = format!("{old}{brought}");
    if new.is_empty() && !old.is_empty() {
        return None;
    }
    let mut lines = code.split('\n');
    let mut text = lines.next()?.to_owned();
    for line in lines {
        text.push('\n');
        if !line.is_empty() {
            text.push_str(new);
            text.push_str(line.strip_prefix(&*old)?);
        }
    }
    Some(text)
}

/// What stands above the caret's line, and of the line its indentation and the rest.
fn caret_line(before: &str) -> (&str, &str, &str) {
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let (above, line) = before.split_at(start);
    let n_indent = line.len() - line.trim_start_matches([' ', '\t']).len();
    let (indent, begun) = line.split_at(n_indent);
    (above, indent, begun)
}

fn tail(text: &str) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(WINDOW));
    text.get(start..).unwrap_or_default()
}

fn head(text: &str) -> &str {
    text.get(..text.floor_char_boundary(WINDOW)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use text::Buffer;
    use workspace::Document;

    use super::*;

    fn site(language: Language, marked: &str) -> Site {
        let offset = marked.find('|').unwrap();
        let buffer = Buffer::from(marked.replacen('|', "", 1).as_str());
        let document = Document::new(DocumentId("a".into()), None, Some(language), 1, buffer);
        Site::new(&document, offset, Trigger::Automatic)
    }

    #[track_caller]
    fn check(language: Language, then: &str, suggested: &str, now: &str, expected: Option<&str>) {
        let (memo, id) = (Memo::default(), DocumentId("a".into()));
        memo.remember(&id, Trigger::Automatic, &site(language, then), suggested, &[]);
        let found = memo.recall(&id, Trigger::Automatic, &site(language, now));
        assert_eq!(found.map(|(text, _)| text).as_deref(), expected);
    }

    #[test]
    fn another_indentation_is_no_other_text() {
        use Language::{Python, Rust};
        let then = "fn f() {\n    |\n}\n";
        let deeper = "fn f() {\n        |\n}\n";
        check(Rust, then, "g();", deeper, Some("g();"));
        check(
            Rust,
            then,
            "if a {\n        b();\n\n    }",
            deeper,
            Some("if a {\n            b();\n\n        }"),
        );
        check(Rust, then, "g();", "fn f() {\n\t|\n}\n", Some("g();"));
        check(Rust, then, "g();", "fn f() {\n      g|\n}\n", Some("();"));
        check(
            Rust,
            "fn f() {\n    let a = |\n}\n",
            "g();",
            "fn f() {\n  let a = |\n}\n",
            Some("g();"),
        );
        // The suggestion brought it.
        check(
            Rust,
            "fn f() {\n|\n}\n",
            "    g();\n    h();",
            "fn f() {\n\t|\n}\n",
            Some("g();\n\th();"),
        );

        check(Rust, then, "g();\n}", deeper, None);
        check(Rust, then, "g();", "fn f() {\n|\n}\n", None);
        check(Rust, then, "g();", "fn e() {\n        |\n}\n", None);
        check(Rust, then, "g();", "fn f() {\n        h|\n}\n", None);
        check(Python, "def f():\n    |\n", "g()", "def f():\n        |\n", None);
    }

    #[test]
    fn typing_through_is_remembered_for_as_long_as_a_long_line() {
        let line = format!("let text = \"{}\";", "é".repeat(150));
        let typed = &line[..line.floor_char_boundary(280)];
        let now = format!("fn f() {{\n    {typed}|\n}}\n");
        check(Language::Rust, "fn f() {\n    |\n}\n", &line, &now, Some(&line[typed.len()..]));
    }
}
