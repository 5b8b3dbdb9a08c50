//! K/V and what loops hand on in the memory of the CPU.

use std::ops::Range;

use candle_core::{Device, Tensor};

use super::buffer::{Buffer, CacheFormat, widen};
use super::key_value::KeyValue;
use super::room::Room;
use super::shape::CacheShape;
use crate::Error;
use crate::real::Real;

#[derive(Debug)]
pub(crate) struct HostMemory {
    /// `[loop][layer]`; loop 0's is the global K/V that every loop attends to.
    kv: Vec<Vec<KeyValue>>,
    /// `[loop]` without the last: what the loop handed on, a vector of the hidden size per position.
    carried: Vec<Buffer>,
    /// What the last loop made of the token that it went through last, [1, hidden].
    pub(crate) output: Option<Tensor>,
}

impl HostMemory {
    pub(super) fn new(shape: &CacheShape) -> Self {
        let layer = |_| KeyValue::new(shape.format, shape.dtype, shape.n_kv_heads, shape.head_dim);
        let carried = |_| Buffer::new(CacheFormat::Exact, shape.dtype, 1, shape.hidden_size);
        Self {
            kv: (0..shape.n_loops).map(|_| (0..shape.n_layers).map(layer).collect()).collect(),
            carried: (1..shape.n_loops).map(carried).collect(),
            output: None,
        }
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.kv.iter().flatten().map(KeyValue::n_bytes).sum::<usize>()
            + self.carried.iter().map(Buffer::n_bytes).sum::<usize>()
    }

    /// Keeps what the slots `kept` of a loop hold in the first slots of a new room.
    pub(super) fn rearrange(&mut self, loop_idx: usize, room: Room, kept: &Range<usize>) {
        for layer in &mut self.kv[loop_idx] {
            layer.rebase(room.base, kept.clone(), room.capacity);
        }
        if loop_idx == 0 {
            for carried in &mut self.carried {
                carried.rearrange(room.capacity, kept.clone());
            }
        }
    }

    pub(crate) fn layer(&self, loop_idx: usize, layer_idx: usize) -> &KeyValue {
        &self.kv[loop_idx][layer_idx]
    }

    pub(crate) fn layer_mut(&mut self, loop_idx: usize, layer_idx: usize) -> &mut KeyValue {
        &mut self.kv[loop_idx][layer_idx]
    }

    /// What loop `loop_idx` handed on at the tokens before `positions`, [positions, hidden]; zeros before the first.
    pub(crate) fn carried_before<T: Real>(
        &self,
        loop_idx: usize,
        positions: Range<usize>,
    ) -> Result<Tensor, Error> {
        let carried = &self.carried[loop_idx];
        let (n, width) = (positions.len(), carried.width());
        let mut states = vec![T::zero(); n * width];
        let before = positions.start.saturating_sub(1)..positions.end - 1;
        let n_zeros = n - before.len();
        let mut scratch = vec![T::zero(); before.len() * width];
        states[n_zeros * width..].copy_from_slice(carried.read(0, before, &mut scratch, widen));
        Ok(Tensor::from_vec(states, (n, width), &Device::Cpu)?)
    }

    /// What loop `loop_idx` handed on at `position`; `scratch` has room for it.
    pub(crate) fn carried_at<'a>(
        &'a self,
        loop_idx: usize,
        position: usize,
        scratch: &'a mut [f32],
    ) -> &'a [f32] {
        self.carried[loop_idx].read(0, position..position + 1, scratch, widen)
    }

    /// Keeps what loop `loop_idx` hands on at positions `start..`, vectors one after the other.
    pub(crate) fn write_carried<T: Real>(&mut self, loop_idx: usize, start: usize, states: &[T]) {
        let carried = &mut self.carried[loop_idx];
        for (slot, state) in (start..).zip(states.chunks_exact(carried.width())) {
            carried.write(0, slot, state);
        }
    }
}
