//! Text from elsewhere than the window around the caret.

use std::ops::Range;

use crate::piece::PieceKind;

/// A whole syntactic piece of another place that may go into a prompt.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Snippet {
    pub(crate) kind: PieceKind,
    /// As the model is to see it.
    pub(crate) path: String,
    /// Zero-based.
    pub(crate) lines: Range<usize>,
    /// With line feeds for line ends, and secrets masked.
    pub(crate) text: String,
    /// Larger is better.
    pub(crate) score: f64,
}
