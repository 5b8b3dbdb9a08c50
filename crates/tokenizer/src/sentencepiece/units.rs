//! Text cut into what is never cut further: user-defined symbols, longest first, and characters.

use aho_corasick::{AhoCorasick, MatchKind};

/// Finds the user-defined symbols of a model.
#[derive(Debug)]
pub(crate) struct Units {
    user_defined: Option<AhoCorasick>,
}

/// A character, or a user-defined symbol.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit<'t> {
    pub(crate) text: &'t str,
    pub(crate) is_user_defined: bool,
}

impl Units {
    pub(crate) fn new(user_defined: &[&str]) -> Result<Self, String> {
        Ok(Self { user_defined: matcher(user_defined)? })
    }

    /// Calls `visit` for all units of `text`, in order.
    pub(crate) fn visit<'t>(&self, text: &'t str, mut visit: impl FnMut(Unit<'t>)) {
        let mut visit_range = |start: usize, end: usize, is_user_defined: bool| {
            let text = text.get(start..end).unwrap_or_default();
            if is_user_defined {
                visit(Unit { text, is_user_defined });
                return;
            }
            for (offset, character) in text.char_indices() {
                let text = text.get(offset..offset + character.len_utf8()).unwrap_or_default();
                visit(Unit { text, is_user_defined });
            }
        };
        let mut done = 0;
        for found in self.user_defined.iter().flat_map(|matcher| matcher.find_iter(text)) {
            visit_range(done, found.start(), false);
            visit_range(found.start(), found.end(), true);
            done = found.end();
        }
        visit_range(done, text.len(), false);
    }
}

/// Finds `words` from the left, at each place the longest; `None` for no words.
pub(crate) fn matcher(words: &[&str]) -> Result<Option<AhoCorasick>, String> {
    if words.is_empty() {
        return Ok(None);
    }
    AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(words)
        .map(Some)
        .map_err(|error| format!("too many or too long symbols: {error}"))
}
