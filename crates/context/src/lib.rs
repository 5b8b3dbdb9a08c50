//! What the prompt is made of: a pure function of a snapshot, a caret, a tokenizer and a budget.

mod assemble;
mod background;
mod budget;
mod choose;
mod comment;
mod encoder;
mod gather;
mod header;
mod layout;
mod moved;
mod next_edit;
mod piece;
mod prefix;
mod prompt;
mod secret;
mod settings;
mod snippet;
mod sources;
mod style;
mod suffix;
mod surroundings;
mod window;

#[cfg(test)]
mod tests;

pub use background::{Subject, background, fenced};
pub use budget::{Beside, Budget};
pub use gather::Memo;
pub use layout::Layout;
pub use next_edit::{NextEdit, Proposal, are_arguments, next_edit, next_edit_at, next_open_edit};
pub use piece::{NoPrompt, Piece, PieceKind, Prompt};
pub use prompt::{caret_offset, prompt};
pub use settings::Settings;
pub use sources::Sources;
pub use surroundings::{Surroundings, surroundings};
pub use window::with_line_feeds;
