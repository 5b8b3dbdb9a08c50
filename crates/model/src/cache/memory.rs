//! Where the numbers of a sequence lie: with the CPU, or on the device that computes with them.

use std::ops::Range;

use super::host::HostMemory;
use super::room::Room;
use crate::Error;

#[derive(Debug)]
pub(crate) enum Memory {
    Host(HostMemory),
}

impl Memory {
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Host(memory) => memory.n_bytes(),
        }
    }

    /// Gives a loop a new room, whose first slots hold what the slots `kept` of the old one held; what loops hand on has as
    /// much room as loop 0. Where this fails, nothing has changed.
    pub(super) fn rearrange(
        &mut self,
        loop_idx: usize,
        room: Room,
        kept: &Range<usize>,
    ) -> Result<(), Error> {
        match self {
            Self::Host(memory) => {
                memory.rearrange(loop_idx, room, kept);
                Ok(())
            }
        }
    }
}
