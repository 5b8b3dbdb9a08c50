//! The reserved words of a language, as its grammar has them.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::Language;

static KEYWORDS: LazyLock<HashMap<Language, HashSet<String>>> = LazyLock::new(|| {
    Language::ALL.into_iter().map(|language| (language, words(language))).collect()
});

impl Language {
    /// `word` is one that the grammar spells out, e.g. `return`; words that are reserved only here and there count too.
    pub fn is_keyword(self, word: &str) -> bool {
        KEYWORDS.get(&self).is_some_and(|keywords| keywords.contains(word))
    }
}

/// Token kinds without a name are written in a grammar as they stand in the text.
fn words(language: Language) -> HashSet<String> {
    let grammar = language.grammar();
    (0..u16::try_from(grammar.node_kind_count()).unwrap_or(u16::MAX))
        .filter(|id| !grammar.node_kind_is_named(*id))
        .filter_map(|id| grammar.node_kind_for_id(id))
        .filter(|kind| is_word(kind))
        .map(str::to_owned)
        .collect()
}

/// The end of a text is a kind as well, and its spelling is empty.
fn is_word(kind: &str) -> bool {
    !kind.is_empty() && kind.chars().all(|character| character.is_alphabetic() || character == '_')
}
