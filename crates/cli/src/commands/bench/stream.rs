//! How fast this machine's memory can be read by as many threads as compute.

use std::time::Instant;

/// Bytes that each thread reads at a time: far more than any processor's cache, which its neighbours share.
const BYTES_PER_THREAD: usize = 128 << 20;

/// A block of memory for each thread.
pub(super) struct Stream {
    blocks: Vec<Vec<u64>>,
}

impl Stream {
    pub(super) fn new(n_threads: usize) -> Self {
        let n_words = BYTES_PER_THREAD / size_of::<u64>();
        // Written, as pages that were never written are all the same one.
        let block = |thread: usize| (0..n_words as u64).map(|word| word ^ thread as u64).collect();
        Self { blocks: (0..n_threads).map(block).collect() }
    }

    /// Gigabytes per second of all threads together, in one pass over their blocks.
    pub(super) fn measure(&self) -> f64 {
        let n_bytes = self.blocks.len() * BYTES_PER_THREAD;
        let started = Instant::now();
        std::thread::scope(|scope| {
            for block in &self.blocks {
                scope.spawn(move || {
                    let sum = block.iter().fold(0u64, |sum, word| sum.wrapping_add(*word));
                    std::hint::black_box(sum);
                });
            }
        });
        n_bytes as f64 / started.elapsed().as_secs_f64() / 1e9
    }
}
