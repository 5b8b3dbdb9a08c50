//! What a sequence leaves behind: K/V per loop and layer, and the state that each loop hands to the next.
//!
//! Nothing in it depends on later tokens, so a cache is truncated by shortening it: the next token reads
//! position `len - 1` of every part, and all of those are kept (docs/kv-cache.md).

use candle_core::{DType, Device, Tensor};

use crate::Error;
use crate::config::Config;

/// Positions added at a time; growth doubles, so a long sequence copies each entry about once.
const MIN_CAPACITY: usize = 128;

/// Per-sequence state; positions `0..len` are valid.
#[derive(Debug)]
pub struct Cache {
    /// `[loop][layer]`; loop 0's is the global K/V that every loop attends to.
    kv: Vec<Vec<KeyValue>>,
    /// `[loop]` without the last: what the loop handed on, [capacity, hidden].
    carried: Vec<Tensor>,
    len: usize,
    capacity: usize,
    max_positions: usize,
    dtype: DType,
}

/// Keys (after rotary embedding) and values of one loop and layer, each [kv_heads, capacity, head_dim].
#[derive(Debug)]
pub(crate) struct KeyValue {
    keys: Tensor,
    values: Tensor,
}

impl KeyValue {
    /// Writes rows for positions `start..`; `keys` and `values` are [rows, kv_heads, head_dim].
    pub(crate) fn write(&self, start: usize, keys: &Tensor, values: &Tensor) -> Result<(), Error> {
        self.keys.slice_set(&keys.transpose(0, 1)?.contiguous()?, 1, start)?;
        self.values.slice_set(&values.transpose(0, 1)?.contiguous()?, 1, start)?;
        Ok(())
    }

    /// Keys and values of positions `start..end`, each [kv_heads, end - start, head_dim].
    pub(crate) fn range(&self, start: usize, end: usize) -> Result<(Tensor, Tensor), Error> {
        Ok((self.keys.narrow(1, start, end - start)?, self.values.narrow(1, start, end - start)?))
    }
}

impl Cache {
    pub(crate) fn new(config: &Config, dtype: DType) -> Result<Self, Error> {
        let capacity = MIN_CAPACITY.min(config.max_positions);
        let kv_shape = (config.n_kv_heads, capacity, config.head_dim);
        let mut kv = Vec::with_capacity(config.n_loops);
        for _ in 0..config.n_loops {
            let mut layers = Vec::with_capacity(config.n_layers);
            for _ in 0..config.n_layers {
                layers.push(KeyValue {
                    keys: poisoned(kv_shape, dtype)?,
                    values: poisoned(kv_shape, dtype)?,
                });
            }
            kv.push(layers);
        }
        let mut carried = Vec::with_capacity(config.n_loops - 1);
        for _ in 1..config.n_loops {
            carried.push(poisoned((capacity, config.hidden_size), dtype)?);
        }
        Ok(Self { kv, carried, len: 0, capacity, max_positions: config.max_positions, dtype })
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Keeps the first `len` tokens; exact, since no kept entry has seen a later token.
    pub fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// Makes room for `n` more tokens.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<(), Error> {
        let needed = self.len + n;
        if self.max_positions < needed {
            return Err(Error::ContextFull { position: needed - 1, n_context: self.max_positions });
        }
        if needed <= self.capacity {
            return Ok(());
        }
        let capacity = needed.max(self.capacity * 2).min(self.max_positions);
        for key_value in self.kv.iter_mut().flatten() {
            key_value.keys = grown(&key_value.keys, 1, capacity, self.dtype)?;
            key_value.values = grown(&key_value.values, 1, capacity, self.dtype)?;
        }
        for carried in &mut self.carried {
            *carried = grown(carried, 0, capacity, self.dtype)?;
        }
        self.capacity = capacity;
        Ok(())
    }

    pub(crate) fn layer(&self, loop_idx: usize, layer_idx: usize) -> &KeyValue {
        &self.kv[loop_idx][layer_idx]
    }

    /// What loop `loop_idx` handed on at the last token, [1, hidden]; zeros before the first.
    pub(crate) fn last_carried(&self, loop_idx: usize) -> Result<Tensor, Error> {
        let carried = &self.carried[loop_idx];
        match self.len.checked_sub(1) {
            Some(last) => Ok(carried.narrow(0, last, 1)?),
            None => Ok(Tensor::zeros((1, carried.dim(1)?), self.dtype, &Device::Cpu)?),
        }
    }

    /// Keeps what loop `loop_idx` handed on for the tokens that come after `len`, [tokens, hidden].
    pub(crate) fn write_carried(&self, loop_idx: usize, states: &Tensor) -> Result<(), Error> {
        self.carried[loop_idx].slice_set(&states.contiguous()?, 0, self.len)?;
        Ok(())
    }

    /// Counts `n` tokens as held, once every part of them was written.
    pub(crate) fn advance(&mut self, n: usize) {
        self.len += n;
    }
}

/// Unwritten entries are NaN: a read past what is valid spoils the logits instead of passing unseen.
fn poisoned(shape: impl Into<candle_core::Shape>, dtype: DType) -> Result<Tensor, Error> {
    Ok(Tensor::full(f32::NAN, shape, &Device::Cpu)?.to_dtype(dtype)?)
}

fn grown(old: &Tensor, dim: usize, capacity: usize, dtype: DType) -> Result<Tensor, Error> {
    let mut dims = old.dims().to_vec();
    dims[dim] = capacity;
    let new = poisoned(dims, dtype)?;
    new.slice_set(old, dim, 0)?;
    Ok(new)
}
