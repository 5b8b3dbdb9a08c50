//! Recent suggestions, so that typing through one is answered without the model.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use context::Piece;
use workspace::DocumentId;

use crate::completion::Trigger;
use crate::site::Site;

const MAX_ENTRIES: usize = 64;

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
            left_of(entry, document, trigger, site).map(|rest| (index, rest.to_owned()))
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
        left.map(str::to_owned).collect()
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

fn left_of<'a>(
    entry: &'a Entry,
    document: &DocumentId,
    trigger: Trigger,
    site: &Site,
) -> Option<&'a str> {
    // Who asks by hand may get a block where typing got a line.
    let suits = trigger == Trigger::Automatic || entry.trigger == Trigger::Invoked;
    if *document != entry.document || !suits || head(&site.after) != entry.after {
        return None;
    }
    remainder(entry, &site.before)
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

fn tail(text: &str) -> &str {
    let start = text.ceil_char_boundary(text.len().saturating_sub(WINDOW));
    text.get(start..).unwrap_or_default()
}

fn head(text: &str) -> &str {
    text.get(..text.floor_char_boundary(WINDOW)).unwrap_or_default()
}
