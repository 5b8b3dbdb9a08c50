//! Kernels of `cache.cu`: keys and values move between rooms.

use half::f16;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::size;

pub(super) const KERNELS: &[&str] = &["copy_slots"];

const N_THREADS: usize = 256;

/// Numbers that a thread copies.
const CHUNK: usize = 8;

/// What [`Device::copy_slots`] copies, in slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slots {
    pub from_capacity: usize,
    pub to_capacity: usize,
    pub from: usize,
    pub to: usize,
    pub n: usize,
}

impl Device {
    /// Copies slots of every head of every layer into another room of [layer, kv head, slot, head dimension].
    ///
    /// # Errors
    /// The slots are not within both rooms, or the launch fails.
    pub fn copy_slots(
        &self,
        from: &Buffer<f16>,
        to: &mut Buffer<f16>,
        n_heads_times_layers: usize,
        head_dim: usize,
        slots: Slots,
    ) -> Result<()> {
        let Slots { from_capacity, to_capacity, from: from_slot, to: to_slot, n } = slots;
        let launch = self.kernel("copy_slots");
        launch.holds("from", from, size([n_heads_times_layers, from_capacity, head_dim]))?;
        launch.holds("to", to, size([n_heads_times_layers, to_capacity, head_dim]))?;
        launch.is_at_most("the last slot of from", from_slot.saturating_add(n), from_capacity)?;
        launch.is_at_most("the last slot of to", to_slot.saturating_add(n), to_capacity)?;
        launch.is_multiple("head_dim", head_dim, CHUNK)?;
        let n_chunks = size([n, head_dim / CHUNK]).div_ceil(N_THREADS);
        launch
            .read(from)
            .write(to)
            .number(n_heads_times_layers)
            .number(head_dim)
            .number(from_capacity)
            .number(to_capacity)
            .number(from_slot)
            .number(to_slot)
            .number(n)
            .run([n_chunks, n_heads_times_layers, 1], N_THREADS)
    }
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
