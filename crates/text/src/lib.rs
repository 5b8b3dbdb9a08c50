//! Text as a rope: byte offsets, line and column positions in three encodings, edits. No LSP type lives here.

mod position;

mod edit;

mod line_ending;

mod buffer;

#[cfg(test)]
mod tests;

pub use buffer::Buffer;
pub use edit::{Applied, Bias, Edit};
pub use line_ending::LineEnding;
pub use position::{Encoding, Position};
