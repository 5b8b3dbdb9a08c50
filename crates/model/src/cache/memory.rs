//! Where the numbers of a sequence lie: with the CPU, or on the device that computes with them.

use std::ops::Range;

use super::device::DeviceMemory;
use super::host::HostMemory;
use super::room::Room;
use crate::Error;

#[derive(Debug)]
pub(crate) enum Memory {
    Host(HostMemory),
    Device(DeviceMemory),
}

impl Memory {
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Host(memory) => memory.n_bytes(),
            Self::Device(memory) => memory.n_bytes(),
        }
    }

    /// Gives a loop the room `new` in place of `old`, with its first slots holding what the slots `kept` held; what loops
    /// hand on has as much room as loop 0. Where this fails, nothing has changed.
    pub(super) fn rearrange(
        &mut self,
        loop_idx: usize,
        old: Room,
        new: Room,
        kept: &Range<usize>,
    ) -> Result<(), Error> {
        match self {
            Self::Host(memory) => {
                memory.rearrange(loop_idx, new, kept);
                Ok(())
            }
            Self::Device(memory) => memory.rearrange(loop_idx, old, new, kept),
        }
    }
}
