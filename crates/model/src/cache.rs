//! What a sequence leaves behind: K/V per loop and layer, and the state that each loop hands to the next.
//!
//! Nothing in it depends on later tokens, so a cache is truncated by shortening it (docs/kv-cache.md).

mod buffer;

mod key_value;

mod span;

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use self::buffer::Buffer;
pub use self::buffer::CacheFormat;
pub(crate) use self::buffer::widen;
pub(crate) use self::key_value::KeyValue;
pub(crate) use self::span::Span;
use crate::Error;
use crate::config::Config;
use crate::real::Real;

/// Positions of the first allocation; growth doubles, so a long sequence copies each entry about once.
const MIN_CAPACITY: usize = 128;

/// How much K/V the loops after the first keep; each gives the same results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaterLoops {
    /// The window and a little more, whatever the length of the text.
    Ring,
    /// Everything, so that the text can be cut anywhere and go on from there.
    Full,
    /// As much as fits into this many bytes for all loops and layers, and a ring at least.
    Within(usize),
}

/// How a sequence is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheOptions {
    /// `None` takes half precision where the weights are stored in 16 bits or fewer and not computed with in 64.
    pub format: Option<CacheFormat>,
    pub later_loops: LaterLoops,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { format: None, later_loops: LaterLoops::Within(256 << 20) }
    }
}

/// What the size of a cache depends on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CacheShape {
    pub(crate) n_loops: usize,
    pub(crate) n_layers: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) hidden_size: usize,
    /// W.
    pub(crate) window: usize,
    pub(crate) max_positions: usize,
    /// What is computed in.
    pub(crate) dtype: DType,
    pub(crate) format: CacheFormat,
    pub(crate) later_loops: LaterLoops,
    /// Positions of a loop after the first that are written at a time, at most; or W, if that is more.
    pub(crate) chunk: usize,
    /// Tokens that a caller may cut off a long text before its later loops have to run over a tail again.
    pub(crate) slack: usize,
}

impl CacheShape {
    pub(crate) fn new(
        config: &Config,
        dtype: DType,
        format: CacheFormat,
        later_loops: LaterLoops,
    ) -> Self {
        Self {
            n_loops: config.n_loops,
            n_layers: config.n_layers,
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            hidden_size: config.hidden_size,
            window: config.window,
            max_positions: config.max_positions,
            dtype,
            format,
            later_loops,
            chunk: 128,
            slack: 64,
        }
    }

    /// Bytes of a position's keys and values in all layers of one loop.
    fn loop_bytes(&self) -> usize {
        let vector = self.format.n_bytes(self.head_dim, self.dtype.size_in_bytes());
        2 * self.n_layers * self.n_kv_heads * vector
    }

    /// Positions of a loop after the first that a sequence keeps at most.
    fn later_limit(&self) -> usize {
        let ring = self.window + self.slack + self.chunk.max(self.window);
        let limit = match self.later_loops {
            LaterLoops::Ring => ring,
            LaterLoops::Full => self.max_positions,
            LaterLoops::Within(bytes) => {
                ring.max(bytes / (self.loop_bytes() * (self.n_loops - 1)).max(1))
            }
        };
        limit.min(self.max_positions)
    }

    /// Bytes that a token after `len` others reads: of loop 0 everything, of each later loop the window.
    pub(crate) fn attended_bytes(&self, len: usize) -> usize {
        let local = len.min(self.window) + 1;
        (len + 1 + (self.n_loops - 1) * local) * self.loop_bytes()
    }

    /// Bytes of a cache with room for `len` tokens.
    pub(crate) fn n_bytes(&self, len: usize) -> usize {
        let carried = self.hidden_size * self.dtype.size_in_bytes();
        let later = len.min(self.later_limit()) * self.loop_bytes();
        len * self.loop_bytes() + (self.n_loops - 1) * (later + len * carried)
    }
}

/// Per-sequence state. Loop 0's part is valid at positions `0..len`; those of later loops as their spans say.
#[derive(Debug)]
pub struct Cache {
    shape: CacheShape,
    /// `[loop][layer]`; loop 0's is the global K/V that every loop attends to.
    kv: Vec<Vec<KeyValue>>,
    /// `[loop]` without the last: what the loop handed on, a vector of the hidden size per position.
    carried: Vec<Buffer>,
    /// `[loop - 1]`: how far the loops after the first have come.
    spans: Vec<Span>,
    tokens: Vec<u32>,
    /// What the last loop made of the last token, [1, hidden], if nothing came after.
    output: Option<Tensor>,
}

impl Cache {
    pub(crate) fn new(shape: CacheShape) -> Self {
        let layer = |_| KeyValue::new(shape.format, shape.dtype, shape.n_kv_heads, shape.head_dim);
        let kv = (0..shape.n_loops).map(|_| (0..shape.n_layers).map(layer).collect()).collect();
        let carried = |_| Buffer::new(CacheFormat::Exact, shape.dtype, 1, shape.hidden_size);
        Self {
            kv,
            carried: (1..shape.n_loops).map(carried).collect(),
            spans: vec![Span::default(); shape.n_loops - 1],
            tokens: Vec::new(),
            output: None,
            shape,
        }
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

    /// Bytes that are allocated for it.
    pub fn n_bytes(&self) -> usize {
        self.kv.iter().flatten().map(KeyValue::n_bytes).sum::<usize>()
            + self.carried.iter().map(Buffer::n_bytes).sum::<usize>()
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

    /// Makes room for `n` more tokens in loop 0.
    pub(crate) fn reserve(&mut self, n: usize) -> Result<(), Error> {
        let needed = self.len() + n;
        let max_positions = self.shape.max_positions;
        if max_positions < needed {
            return Err(Error::ContextFull { position: needed - 1, n_context: max_positions });
        }
        let capacity = self.kv[0].first().map_or(0, KeyValue::capacity);
        if needed <= capacity {
            return Ok(());
        }
        let grown = grown(capacity, needed, max_positions);
        for key_value in &mut self.kv[0] {
            key_value.rearrange(grown, 0..capacity);
        }
        for carried in &mut self.carried {
            carried.rearrange(grown, 0..capacity);
        }
        Ok(())
    }

    /// Makes room for the K/V of a loop after the first at `positions`, no more than a chunk.
    ///
    /// What lies further back than the window may have to go, and the loop can no longer go on from there.
    pub(crate) fn make_room(&mut self, loop_idx: usize, positions: &Range<usize>) {
        let limit = self.shape.later_limit();
        let layers = &mut self.kv[loop_idx];
        let Some(first) = layers.first() else { return };
        let (base, capacity) = (first.base(), first.capacity());
        if positions.start < base {
            self.restart(loop_idx, positions.start);
            return self.make_room(loop_idx, positions);
        }
        let needed = positions.end - base;
        if needed <= capacity {
            return;
        }
        if needed <= limit {
            let grown = grown(capacity, needed, limit);
            layers.iter_mut().for_each(|layer| layer.rebase(base, 0..capacity, grown));
            return;
        }
        let new_base =
            positions.start.saturating_sub(self.shape.window + self.shape.slack).max(base);
        let kept = (new_base - base).min(capacity)..(positions.start - base).min(capacity);
        layers.iter_mut().for_each(|layer| layer.rebase(new_base, kept.clone(), limit));
        let span = self.spans[loop_idx - 1];
        self.set_span(loop_idx, span);
    }

    /// Forgets what a loop after the first has done; it begins anew at `start`.
    pub(crate) fn restart(&mut self, loop_idx: usize, start: usize) {
        for layer in &mut self.kv[loop_idx] {
            layer.rebase(start, 0..0, layer.capacity());
        }
        self.spans[loop_idx - 1] = Span::default();
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

    /// Loop `loop_idx` can go on from `span`, or from as much of it as its K/V reach back for.
    pub(crate) fn set_span(&mut self, loop_idx: usize, span: Span) {
        let base = self.kv[loop_idx].first().map_or(0, KeyValue::base);
        let from = if base == 0 { 0 } else { base + self.shape.window };
        self.spans[loop_idx - 1] = match span.from.max(from) {
            from if from <= span.to => Span { from, ..span },
            _ => Span::default(),
        };
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

/// At least `needed`, twice what was there if that is within `limit`.
fn grown(capacity: usize, needed: usize, limit: usize) -> usize {
    needed.max(capacity * 2).max(MIN_CAPACITY).min(limit)
}

#[cfg(test)]
#[path = "cache/tests.rs"]
mod tests;
