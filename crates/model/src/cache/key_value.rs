//! Keys and values of one loop and layer, for a range of positions without gaps.

use std::ops::Range;

use super::buffer::{Buffer, CacheFormat};
use crate::real::Real;

/// Turns the bits of numbers in half precision into as many numbers.
pub(crate) type Widen<T> = fn(&[u16], &mut [T]);

/// Keys (after rotary embedding) and values, [kv_heads, positions, head_dim], from position `base` on.
#[derive(Debug)]
pub(crate) struct KeyValue {
    keys: Buffer,
    values: Buffer,
    base: usize,
}

impl KeyValue {
    pub(crate) fn new(
        format: CacheFormat,
        dtype: candle_core::DType,
        n_kv_heads: usize,
        head_dim: usize,
    ) -> Self {
        let buffer = || Buffer::new(format, dtype, n_kv_heads, head_dim);
        Self { keys: buffer(), values: buffer(), base: 0 }
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.keys.n_bytes() + self.values.n_bytes()
    }

    /// Changes the room, and keeps what the slots `kept` hold in the first slots, of which the first then stands for
    /// position `base`.
    pub(crate) fn rebase(&mut self, base: usize, kept: Range<usize>, capacity: usize) {
        self.keys.rearrange(capacity, kept.clone());
        self.values.rearrange(capacity, kept);
        self.base = base;
    }

    /// Writes a position's keys and values, each [kv_heads, head_dim]; there is room for it.
    pub(crate) fn write<T: Real>(&mut self, position: usize, keys: &[T], values: &[T]) {
        let (slot, width) = (position - self.base, self.keys.width());
        for (head, key) in keys.chunks_exact(width).enumerate() {
            self.keys.write(head, slot, key);
        }
        for (head, value) in values.chunks_exact(width).enumerate() {
            self.values.write(head, slot, value);
        }
    }

    /// Keys of a head at `positions`, [positions, head_dim]; through `scratch` where they are stored rounded, from half
    /// precision by `widen`.
    pub(crate) fn keys<'a, T: Real>(
        &'a self,
        head: usize,
        positions: &Range<usize>,
        scratch: &'a mut [T],
        widen: Widen<T>,
    ) -> &'a [T] {
        self.keys.read(head, self.slots(positions), scratch, widen)
    }

    /// Values of a head, as [`KeyValue::keys`].
    pub(crate) fn values<'a, T: Real>(
        &'a self,
        head: usize,
        positions: &Range<usize>,
        scratch: &'a mut [T],
        widen: Widen<T>,
    ) -> &'a [T] {
        self.values.read(head, self.slots(positions), scratch, widen)
    }

    /// Bits of the keys and of the values of a head at `positions`, where they are in half precision.
    pub(crate) fn halves(&self, head: usize, positions: &Range<usize>) -> [Option<&[u16]>; 2] {
        let slots = self.slots(positions);
        [&self.keys, &self.values].map(|vectors| vectors.halves(head, slots.clone()))
    }

    fn slots(&self, positions: &Range<usize>) -> Range<usize> {
        positions.start - self.base..positions.end - self.base
    }
}
