//! How sequences are kept, and what their size depends on.

use candle_core::DType;

use super::buffer::CacheFormat;
use crate::config::Config;

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
    /// A GPU keeps half precision whatever is said here.
    pub format: Option<CacheFormat>,
    pub later_loops: LaterLoops,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self { format: None, later_loops: LaterLoops::Within(256 << 20) }
    }
}

/// What the size of a cache depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
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
            chunk: 512,
            slack: 64,
        }
    }

    /// Bytes of a position's keys and values in all layers of one loop.
    fn loop_bytes(&self) -> usize {
        let vector = self.format.n_bytes(self.head_dim, self.dtype.size_in_bytes());
        2 * self.n_layers * self.n_kv_heads * vector
    }

    /// Positions of a loop after the first that a sequence keeps at most.
    pub(super) fn later_limit(&self) -> usize {
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
