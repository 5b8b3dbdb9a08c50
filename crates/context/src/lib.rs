//! What the prompt is made of: a pure function of a snapshot, a caret, a tokenizer and a budget.

mod budget;
mod header;
mod prefix;
mod prompt;
mod suffix;
mod window;

#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use prompt::{NoPrompt, Piece, PieceKind, Prompt, caret_offset, fim_prompt};
pub use window::with_line_feeds;
