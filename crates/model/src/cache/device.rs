//! K/V and what loops hand on in the memory of a GPU: keys and values in half precision, states in single precision.

use std::ops::Range;

use cuda::Buffer;
use cuda::launch::Slots;
use cuda::shapes;
use half::f16;

use super::room::Room;
use super::shape::CacheShape;
use crate::Error;

#[derive(Debug)]
pub(crate) struct DeviceMemory {
    device: cuda::Device,
    loops: Vec<OfLoop>,
    /// What the last loop made of the token that it went through last.
    output: Option<Buffer<f32>>,
    n_heads_times_layers: usize,
    head_dim: usize,
    hidden_size: usize,
}

/// Buffers that are not there have no slots.
#[derive(Debug, Default)]
struct OfLoop {
    /// [layer, kv head, slot, head dimension].
    keys: Option<Buffer<f16>>,
    values: Option<Buffer<f16>>,
    /// [position, hidden]; never there for the last loop.
    carried: Option<Buffer<f32>>,
}

impl DeviceMemory {
    pub(crate) fn new(device: &cuda::Device, shape: &CacheShape) -> Self {
        Self {
            loops: (0..shape.n_loops).map(|_| OfLoop::default()).collect(),
            output: None,
            n_heads_times_layers: shape.n_kv_heads * shape.n_layers,
            head_dim: shape.head_dim,
            hidden_size: shape.hidden_size,
            device: device.clone(),
        }
    }

    pub(super) fn n_bytes(&self) -> usize {
        let of_loop = |of_loop: &OfLoop| {
            let n_halves: usize =
                [&of_loop.keys, &of_loop.values].into_iter().flatten().map(Buffer::len).sum();
            let n_floats = of_loop.carried.as_ref().map_or(0, Buffer::len);
            n_halves * size_of::<f16>() + n_floats * size_of::<f32>()
        };
        self.loops.iter().map(of_loop).sum()
    }

    /// As [`super::memory::Memory::rearrange`], where `old` is the room of that loop before.
    pub(super) fn rearrange(
        &mut self,
        loop_idx: usize,
        old: Room,
        new: Room,
        kept: &Range<usize>,
    ) -> Result<(), Error> {
        // Where nothing is kept, what is there may stay: it is written before it is read.
        let is_same = kept.is_empty() && old.capacity == new.capacity;
        if is_same && !cfg!(debug_assertions) {
            return Ok(());
        }
        let n = self.n_heads_times_layers * new.capacity * self.head_dim;
        let slots = Slots {
            from_capacity: old.capacity,
            to_capacity: new.capacity,
            from: kept.start,
            to: 0,
            n: kept.len(),
        };
        let moved = |from: &Option<Buffer<f16>>| -> Result<Option<Buffer<f16>>, Error> {
            let mut to = self.device.poisoned(n)?;
            if let Some(from) = from.as_ref().filter(|_| !kept.is_empty()) {
                let n_heads = self.n_heads_times_layers;
                self.device.copy_slots(from, &mut to, n_heads, self.head_dim, slots)?;
            }
            Ok(Some(to))
        };
        let of_loop = &self.loops[loop_idx];
        let (keys, values) = (moved(&of_loop.keys)?, moved(&of_loop.values)?);
        let mut carried = Vec::new();
        // Loop 0 has the room of all that loops hand on; the last hands on nothing.
        let n_handed_on = if loop_idx == 0 { self.loops.len() - 1 } else { 0 };
        for of_loop in &self.loops[..n_handed_on] {
            let mut to = self.device.poisoned(new.capacity * self.hidden_size)?;
            if let Some(from) = &of_loop.carried {
                let (first, n) = (kept.start * self.hidden_size, kept.len() * self.hidden_size);
                self.device.copy(from, first, &mut to, 0, n)?;
            }
            carried.push(Some(to));
        }
        for (of_loop, carried) in self.loops.iter_mut().zip(carried) {
            of_loop.carried = carried;
        }
        self.loops[loop_idx].keys = keys;
        self.loops[loop_idx].values = values;
        Ok(())
    }

    /// Where kernels find all that, given the rooms of the loops.
    pub(super) fn sequence(&self, rooms: &[Room], window: usize) -> shapes::Sequence {
        let mut sequence = shapes::Sequence {
            capacity: narrow(rooms.first().map_or(0, |room| room.capacity)),
            n_loops: narrow(self.loops.len()),
            window: narrow(window),
            ..shapes::Sequence::default()
        };
        for ((to, of_loop), room) in sequence.loops.iter_mut().zip(&self.loops).zip(rooms) {
            *to = shapes::Loop {
                keys: of_loop.keys.as_ref().map_or(0, Buffer::address),
                values: of_loop.values.as_ref().map_or(0, Buffer::address),
                carried: of_loop.carried.as_ref().map_or(0, Buffer::address),
                base: narrow(room.base),
                capacity: narrow(room.capacity),
            };
        }
        sequence
    }

    pub(crate) fn output(&self) -> Option<&Buffer<f32>> {
        self.output.as_ref()
    }

    /// Keeps row `row` of `states`, [rows, hidden], as the output.
    pub(crate) fn keep_output(&mut self, states: &Buffer<f32>, row: usize) -> Result<(), Error> {
        let n = self.hidden_size;
        let output = match &mut self.output {
            Some(output) => output,
            none => none.insert(self.device.poisoned(n)?),
        };
        Ok(self.device.copy(states, row * n, output, 0, n)?)
    }

    /// What loop `loop_idx` handed on at `position`.
    #[cfg(test)]
    pub(crate) fn carried(&self, loop_idx: usize, position: usize) -> Vec<f32> {
        let first = position * self.hidden_size;
        let carried = self.loops[loop_idx].carried.as_ref().unwrap();
        self.device.read(carried, first..first + self.hidden_size).unwrap()
    }
}

/// Positions and capacities are bounded by the model's context, which is far below.
fn narrow(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
