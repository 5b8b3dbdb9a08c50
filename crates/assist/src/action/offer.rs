//! Which actions make sense at a place; decided from the text alone, so that a menu never waits for the model.

use std::ops::Range;

use workspace::Document;

use crate::action::hole::without_margins;
use crate::action::infill::{self, documentable};
use crate::action::refusal::Refusal;
use crate::action::request::{Action, Diagnostic};
use crate::reason::Reason;

/// What the model was made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// It can write what stands between two texts.
    pub infilling: bool,
    /// It has a chat template.
    pub instructions: bool,
}

/// An action for a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub action: Action,
    pub title: String,
    /// What it is about; index into the diagnostics that were given.
    pub diagnostic: Option<usize>,
    /// Why it cannot be done now.
    pub disabled: Option<Refusal>,
}

/// Actions for `selection`, the likeliest first. Unless the user `asked` for a menu, only those for which there is a
/// particular cause.
pub(crate) fn offers(
    document: &Document,
    selection: &Range<usize>,
    _diagnostics: &[Diagnostic],
    abilities: Abilities,
    asked: bool,
) -> Vec<Offer> {
    if document.is_large() || !asked {
        return Vec::new();
    }
    let offer = |action: Action, title: String, disabled: Option<Refusal>| Offer {
        action,
        title,
        diagnostic: None,
        disabled: cannot(action, abilities).or(disabled),
    };
    let mut offers = Vec::new();
    if !without_margins(&document.buffer, selection).is_empty() {
        offers.push(offer(Action::Rewrite, Action::Rewrite.title().to_owned(), None));
    }
    if selection.is_empty() {
        let title = match infill::awaits_body(document, selection.end) {
            true => "Complete this body",
            false => Action::Complete.title(),
        };
        offers.push(offer(Action::Complete, title.to_owned(), None));
    }
    match documentable(document, selection) {
        Ok(item) => {
            offers.push(offer(Action::Document, titled("Document", item.name.as_deref()), None))
        }
        Err(refusal @ Refusal::Documented) => {
            offers.push(offer(
                Action::Document,
                Action::Document.title().to_owned(),
                Some(refusal),
            ));
        }
        Err(_) => {}
    }
    offers.sort_by_key(|offer| offer.disabled.is_some());
    offers
}

fn cannot(action: Action, abilities: Abilities) -> Option<Refusal> {
    match action {
        Action::Complete => None,
        Action::Rewrite | Action::Document => {
            (!abilities.infilling).then_some(Refusal::Reason(Reason::NoInfilling))
        }
    }
}

fn titled(verb: &str, name: Option<&str>) -> String {
    match name {
        Some(name) if name.chars().count() <= 40 => format!("{verb} `{name}`"),
        _ => format!("{verb} this item"),
    }
}
