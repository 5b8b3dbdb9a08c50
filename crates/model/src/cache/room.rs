//! Which positions a loop has room for.

/// Positions `base..base + capacity` have a slot each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Room {
    pub(crate) base: usize,
    pub(crate) capacity: usize,
}
