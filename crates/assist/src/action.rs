//! Code actions: what a person may ask of the model, and the edits that come of it.
//!
//! Files stand in reading order: each imports only from those above it.

mod refusal;

mod request;

mod change;
mod concealed;

mod minimal;

mod parses;

mod moved;

mod hole;

mod comment;

mod infill;

mod instruction;

mod extract;

mod fit;

mod test_code;
mod test_file;

mod instruct;

mod offer;

mod actor;

#[cfg(test)]
mod tests;

pub use change::{ActionAnswer, Change, Concern, Effect, Target};
pub use moved::{Moved, reanchored};
pub use offer::{Abilities, Offer};
pub use refusal::Refusal;
pub use request::{Action, ActionRequest, Diagnostic};

pub(crate) use actor::{Actor, repeated};
