//! Which actions make sense at a place; decided from the text alone, so that a menu never waits for the model.

use std::ops::Range;

use workspace::Document;

use crate::action::hole::without_margins;
use crate::action::infill::{self, documentable};
use crate::action::instruction;
use crate::action::refusal::Refusal;
use crate::action::request::{Action, Diagnostic};
use crate::reason::Reason;

/// Problems at one place that get an entry each.
const MAX_FIXES: usize = 4;

/// Characters of a title.
const MAX_TITLE: usize = 60;

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
    diagnostics: &[Diagnostic],
    abilities: Abilities,
    asked: bool,
) -> Vec<Offer> {
    if document.is_large() {
        return Vec::new();
    }
    let offer = |action: Action, title: String, disabled: Option<Refusal>| Offer {
        action,
        title,
        diagnostic: None,
        disabled: cannot(action, abilities).or(disabled),
    };
    let mut offers = Vec::new();
    for (at, diagnostic) in diagnostics.iter().enumerate().take(MAX_FIXES) {
        let title = format!("Fix: {}", shortened(&diagnostic.message));
        offers.push(Offer { diagnostic: Some(at), ..offer(Action::Fix, title, None) });
    }
    if let Some(instruction) = instruction::find(document, selection) {
        let title = format!("Edit: {}", shortened(&instruction.text));
        offers.push(offer(Action::Edit, title, None));
    }
    if asked {
        offers.extend(unprompted(document, selection, abilities, offer));
    }
    offers.sort_by_key(|offer| offer.disabled.is_some());
    offers
}

/// What makes sense although nothing in particular asks for it.
fn unprompted(
    document: &Document,
    selection: &Range<usize>,
    abilities: Abilities,
    offer: impl Fn(Action, String, Option<Refusal>) -> Offer,
) -> Vec<Offer> {
    let titled = |action: Action| offer(action, action.title().to_owned(), None);
    let mut offers = Vec::new();
    let has_selection = !without_margins(&document.buffer, selection).is_empty();
    if has_selection {
        offers.push(titled(Action::Rewrite));
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
            offers.push(offer(Action::Document, about("Document", item.name.as_deref()), None));
        }
        Err(refusal @ Refusal::Documented) => {
            let title = Action::Document.title().to_owned();
            offers.push(offer(Action::Document, title, Some(refusal)));
        }
        Err(_) => {}
    }
    let items = document.tree().map(|tree| tree.items(selection.start)).unwrap_or_default();
    // Where they cannot be done at all they would only be in the way.
    if abilities.instructions && (has_selection || !items.is_empty()) {
        offers.push(titled(Action::Tests));
        offers.push(titled(Action::Explain));
    }
    offers
}

fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    match line.char_indices().nth(MAX_TITLE) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
        None => line.to_owned(),
    }
}

fn cannot(action: Action, abilities: Abilities) -> Option<Refusal> {
    match action {
        Action::Complete | Action::NextEdit => None,
        Action::Fix | Action::Edit | Action::Tests | Action::Explain => {
            (!abilities.instructions).then_some(Refusal::NoInstructions)
        }
        Action::Rewrite | Action::Document => {
            (!abilities.infilling).then_some(Refusal::Reason(Reason::NoInfilling))
        }
    }
}

fn about(verb: &str, name: Option<&str>) -> String {
    match name {
        Some(name) if name.chars().count() <= 40 => format!("{verb} `{name}`"),
        _ => format!("{verb} this item"),
    }
}
