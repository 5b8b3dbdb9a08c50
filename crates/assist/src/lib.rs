//! The use cases: completion at a caret. The only room where text meets tokens and the engine.

mod reason;

mod completion;

mod lines;

mod confidence;

mod brackets;

mod site;

mod refuse;

mod memo;

mod previous;

mod source;

mod trim;

mod writer;

mod completer;

mod next_edit;

mod action;

mod assistant;

#[cfg(test)]
mod tests;

/// What callers of this crate need of the crates below it.
pub use context::{Beside, Layout, Piece, PieceKind, Sources};
pub use engine::{CancelFlag, Finish, Outcome, Sampling, Status};

pub use action::{
    Abilities, Action, ActionAnswer, ActionRequest, Change, Concern, Diagnostic, Effect, Moved,
    Offer, Refusal, Target, reanchored,
};
pub use assistant::Assistant;
pub use completion::{Completion, Config, MIN_CONFIDENCE, Ngrams, Several, Suggestion, Trigger};
pub use next_edit::NextEdit;
pub use reason::Reason;
pub use writer::Watch;
