//! What a sequence leaves behind: K/V per loop and layer, and the state that each loop hands to the next.
//!
//! Nothing in it depends on later tokens, so a cache is truncated by shortening it (docs/kv-cache.md).

use candle_core::{DType, Device, Tensor};

use crate::Error;
use crate::config::Config;

/// Positions added at a time; growth doubles, so a long sequence copies each entry about once.
const MIN_CAPACITY: usize = 128;

/// Per-sequence state. Loop 0's part is valid at positions `0..len`; those of later loops as their spans say.
#[derive(Debug)]
pub struct Cache {
    /// `[loop][layer]`; loop 0's is the global K/V that every loop attends to.
    kv: Vec<Vec<KeyValue>>,
    /// `[loop]` without the last: what the loop handed on, [capacity, hidden].
    carried: Vec<Tensor>,
    /// `[loop - 1]`: how far the loops after the first have come.
    spans: Vec<Span>,
    tokens: Vec<u32>,
    /// What the last loop made of the last token, [1, hidden], if nothing came after.
    output: Option<Tensor>,
    capacity: usize,
    max_positions: usize,
    dtype: DType,
}

/// How far a loop after the first has come: it can go on, exactly, from any position in `from..=to`.
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
        Ok(Self {
            kv,
            carried,
            spans: vec![Span::default(); config.n_loops - 1],
            tokens: Vec::new(),
            output: None,
            capacity,
            max_positions: config.max_positions,
            dtype,
        })
    }

    /// What is held, token by token.
    pub fn tokens(&self) -> &[u32] {
        &self.tokens
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Keeps the first `len` tokens; exact, since no kept entry has seen a later token.
    pub fn truncate(&mut self, len: usize) {
        if self.len() <= len {
            return;
        }
        self.tokens.truncate(len);
        self.output = None;
        for span in &mut self.spans {
            *span = span.cut(len);
        }
    }

    /// Makes room for `n` more tokens.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<(), Error> {
        let needed = self.len() + n;
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

    /// What loop `loop_idx` handed on at the tokens before positions `start..start + n`, [n, hidden]; zeros before the first.
    pub(crate) fn carried_before(
        &self,
        loop_idx: usize,
        start: usize,
        n: usize,
    ) -> Result<Tensor, Error> {
        let carried = &self.carried[loop_idx];
        if let Some(before) = start.checked_sub(1) {
            return Ok(carried.narrow(0, before, n)?);
        }
        let zeros = Tensor::zeros((1, carried.dim(1)?), self.dtype, &Device::Cpu)?;
        Ok(Tensor::cat(&[zeros, carried.narrow(0, 0, n - 1)?], 0)?)
    }

    /// Keeps what loop `loop_idx` hands on at positions `start..`, [tokens, hidden].
    pub(crate) fn write_carried(
        &self,
        loop_idx: usize,
        start: usize,
        states: &Tensor,
    ) -> Result<(), Error> {
        self.carried[loop_idx].slice_set(&states.contiguous()?, 0, start)?;
        Ok(())
    }

    /// Counts `tokens` as held, once loop 0's part of them was written.
    pub(crate) fn advance(&mut self, tokens: &[u32]) {
        self.tokens.extend_from_slice(tokens);
        self.output = None;
    }

    pub(crate) fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Loop `loop_idx` has gone on from where it was up to position `to`.
    pub(crate) fn extend_span(&mut self, loop_idx: usize, to: usize) {
        self.spans[loop_idx - 1].to = to;
    }

    pub(crate) fn set_span(&mut self, loop_idx: usize, span: Span) {
        self.spans[loop_idx - 1] = span;
    }

    /// Every loop has come to the end.
    pub(crate) fn is_settled(&self) -> bool {
        self.spans.iter().all(|span| span.to == self.len())
    }

    pub(crate) fn output(&self) -> Option<&Tensor> {
        self.output.as_ref()
    }

    pub(crate) fn set_output(&mut self, output: Tensor) {
        self.output = Some(output);
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
