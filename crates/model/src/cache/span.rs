//! How far a loop after the first has come.

/// A loop can go on, exactly, from any position in `from..=to`.
///
/// Below `from` its K/V and hand-ons are not there or not complete, as the beginning of a long text is skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Span {
    pub(crate) from: usize,
    pub(crate) to: usize,
}

impl Span {
    /// The same after the text was cut to `len` tokens; what cannot go on from there begins anew.
    pub(crate) fn cut(self, len: usize) -> Self {
        match self.from <= len {
            true => Self { from: self.from, to: self.to.min(len) },
            false => Self::default(),
        }
    }
}
