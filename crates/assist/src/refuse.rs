//! Where no suggestion is wanted while the user types.

use syntax::Place;

use crate::completion::Trigger;
use crate::reason::Reason;
use crate::site::Site;

/// More characters than this after the caret mean that the user edits the middle of a line.
const MAX_AFTER: usize = 8;

/// Asked by hand, there is always an answer.
pub(crate) fn refusal(site: &Site, trigger: Trigger) -> Option<Reason> {
    if trigger == Trigger::Invoked {
        return None;
    }
    if is_inside_word(site) {
        return Some(Reason::InsideWord);
    }
    if site.place != Place::Code {
        return Some(Reason::InsideStringOrComment);
    }
    (MAX_AFTER < n_open_characters(site.line_after())).then_some(Reason::TextAfterCaret)
}

fn is_inside_word(site: &Site) -> bool {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    site.before.chars().next_back().is_some_and(is_word)
        && site.after.chars().next().is_some_and(is_word)
}

/// Characters that are neither white space nor the punctuation that editors close by themselves.
fn n_open_characters(rest: &str) -> usize {
    rest.chars()
        .filter(|character| !character.is_whitespace() && !")]}>;,:'\"`".contains(*character))
        .count()
}
