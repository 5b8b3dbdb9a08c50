//! Trees against fresh parses, and the caret's surroundings case by case.

mod body;
mod chunk;
mod incremental;
mod item;
mod outline;
mod place;
mod registry;
mod scope;
mod snippets;
mod words;

use text::Buffer;

use crate::{Language, Tree};

/// Takes the caret, written `$0`, out of `marked`.
#[track_caller]
fn caret(marked: &str) -> (String, usize) {
    let offset = marked.find("$0").unwrap();
    (marked.replacen("$0", "", 1), offset)
}

#[track_caller]
fn parse(language: Language, text: &str) -> Tree {
    Tree::parse(language, &Buffer::from(text)).unwrap()
}
