//! Kernels of `choose.cu`: the next token and the next rows.

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::size;
use crate::pinned::Pinned;
use crate::shapes::{Choice, MAX_LOOPS, Row};

pub(super) const KERNELS: &[&str] = &["argmax", "sample", "next"];

const N_THREADS: usize = 1024;

/// So many ids of 22 bits, and sums of as many weights, are told apart.
const MOST_TOKENS: usize = (1 << 18) - 1;

impl Device {
    /// The first of the largest among the first `n_usable` logits of each row of [rows, vocab], and its log probability.
    ///
    /// # Errors
    /// A buffer is too short, or the launch fails.
    pub fn argmax(
        &self,
        logits: &Buffer<f32>,
        n_rows: usize,
        vocab: usize,
        n_usable: usize,
        out: &mut Buffer<Choice>,
    ) -> Result<()> {
        let launch = self.kernel("argmax");
        launch.holds("the logits", logits, size([n_rows, vocab]))?;
        launch.holds("the choices", out, n_rows)?;
        let launch = launch.read(logits).number(vocab).number(n_usable.min(vocab)).write(out);
        launch.run([n_rows, 1, 1], N_THREADS)
    }

    /// Draws from the first `n_usable` logits of each row of [rows, vocab]; row r by the number in 0..1 that stands in slot
    /// `count + r` of `uniforms`, which is a ring. `top_k` 0 stands for all. Where the temperature is not above 0, the
    /// likeliest is taken.
    ///
    /// # Errors
    /// A buffer is too short, there are too many tokens to tell apart, or the launch fails.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn sample(
        &self,
        logits: &Buffer<f32>,
        n_rows: usize,
        vocab: usize,
        n_usable: usize,
        temperature: f32,
        top_k: usize,
        top_p: f32,
        uniforms: &Buffer<f32>,
        count: &Pinned<u32>,
        out: &mut Buffer<Choice>,
    ) -> Result<()> {
        if temperature <= 0.0 {
            return self.argmax(logits, n_rows, vocab, n_usable, out);
        }
        let launch = self.kernel("sample");
        launch.is_at_most("the vocabulary", vocab, MOST_TOKENS)?;
        launch.holds("the logits", logits, size([n_rows, vocab]))?;
        launch.holds("the numbers to draw by", uniforms, 1)?;
        launch.is_at_least("the counter", count.len(), 1)?;
        launch.holds("the choices", out, n_rows)?;
        launch
            .read(logits)
            .number(vocab)
            .number(n_usable.min(vocab))
            .float(temperature)
            .number(top_k.min(vocab))
            .float(top_p)
            .read(uniforms)
            .pinned(count)
            .number(uniforms.len())
            .write(out)
            .run([n_rows, 1, 1], N_THREADS)
    }

    /// Appends the choice to a ring in the host's memory, with the position of the row it was made from, and counts it; rows
    /// 0 to `n_loops` become those of the chosen token.
    ///
    /// # Errors
    /// A buffer is too short, there are too many loops, or the launch fails.
    pub fn next(
        &self,
        rows: &mut Buffer<Row>,
        n_loops: usize,
        choice: &Buffer<Choice>,
        ring: &Pinned<Choice>,
        count: &Pinned<u32>,
    ) -> Result<()> {
        let launch = self.kernel("next");
        launch.is_at_most("the number of loops", n_loops, MAX_LOOPS)?;
        launch.holds("the rows", rows, n_loops.max(1))?;
        launch.holds("the choice", choice, 1)?;
        launch.is_at_least("the length of the ring", ring.len(), 1)?;
        launch.is_at_least("the counter", count.len(), 1)?;
        launch
            .write(rows)
            .number(n_loops)
            .read(choice)
            .pinned(ring)
            .pinned(count)
            .number(ring.len())
            .run([1, 1, 1], 1)
    }
}

#[cfg(test)]
#[path = "choose/tests.rs"]
mod tests;
