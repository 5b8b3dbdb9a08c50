//! How much the engine keeps, and for how long.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Texts whose K/V are kept for the next prompt that begins alike, at most.
    pub n_sequences: usize,
    /// Bytes of K/V that are kept, at most; the text that was used last is kept whatever it takes.
    pub cache_bytes: usize,
    /// The weights and all K/V are dropped after so long without a request, and read again for the next.
    pub idle: Option<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self { n_sequences: 16, cache_bytes: 1 << 30, idle: None }
    }
}
