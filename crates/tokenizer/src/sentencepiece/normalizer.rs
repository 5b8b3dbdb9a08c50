//! White space before the cut, as sentencepiece's normaliser treats it.

use crate::sentencepiece::proto::Whitespace;
use crate::sentencepiece::units::Units;

/// How a piece spells a space: U+2581.
pub(crate) const SPACE_SYMBOL: char = '\u{2581}';

/// `text` as the model sees it; empty where nothing but removed spaces is in it.
pub(crate) fn normalize(text: &str, whitespace: Whitespace, units: &Units) -> String {
    let space = if whitespace.escape { SPACE_SYMBOL } else { ' ' };
    let mut normalized = String::with_capacity(text.len() + text.len() / 4 + 3);
    let mut is_begun = false;
    let mut follows_space = whitespace.remove_extra;
    units.visit(text, |unit| {
        if !is_begun {
            if whitespace.remove_extra && unit.text == " " {
                return;
            }
            is_begun = true;
            if whitespace.add_dummy_prefix {
                normalized.push(space);
            }
        }
        let kept = if follows_space { unit.text.trim_start_matches(' ') } else { unit.text };
        normalized
            .extend(kept.chars().map(|character| if character == ' ' { space } else { character }));
        // A unit of which nothing is kept leaves the question as it was.
        if !kept.is_empty() {
            follows_space = whitespace.remove_extra && kept.ends_with(' ');
        }
    });
    if whitespace.remove_extra {
        let kept = normalized.trim_end_matches(space).len();
        normalized.truncate(kept);
    }
    normalized
}
