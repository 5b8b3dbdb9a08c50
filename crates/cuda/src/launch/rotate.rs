//! Kernels of `rotate.cu`: keys and values into the cache.

use half::f16;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::size;
use crate::shapes::{Row, Sequence};

pub(super) const KERNELS: &[&str] = &["rotate"];

const N_THREADS: usize = 256;

impl Device {
    /// The angles of position 1 as [`Self::rotate`] wants them: each as a float, then what each float misses.
    ///
    /// A single float would turn the pairs of position 131,071 by up to 0.004 too much or too little.
    #[must_use]
    pub fn inverse_frequencies(head_dim: usize, theta: f64) -> Vec<f32> {
        let of_pair = |pair: usize| theta.powf(-2.0 * pair as f64 / head_dim as f64);
        let missed = |pair| of_pair(pair) - f64::from(of_pair(pair) as f32);
        let pairs = 0..head_dim / 2;
        pairs
            .clone()
            .map(|pair| of_pair(pair) as f32)
            .chain(pairs.map(|pair| missed(pair) as f32))
            .collect()
    }

    /// Turns queries and keys by the position of their row, after a bias if there is one; keys and values go into the cache
    /// of the row's loop, where there must be room for its position.
    ///
    /// `qkv` is [rows, (heads + 2 * kv heads) * head dimension]; see [`Self::inverse_frequencies`].
    ///
    /// # Errors
    /// A buffer is too short, or the launch fails.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn rotate(
        &self,
        rows: &Buffer<Row>,
        sequence: &Buffer<Sequence>,
        qkv: &Buffer<f32>,
        bias: Option<&Buffer<f32>>,
        inverse_frequencies: &Buffer<f32>,
        n_rows: usize,
        layer: usize,
        n_heads: usize,
        n_kv_heads: usize,
        head_dim: usize,
        queries: &mut Buffer<f16>,
    ) -> Result<()> {
        let launch = self.kernel("rotate");
        let row_len = size([n_heads.saturating_add(2 * n_kv_heads), head_dim]);
        launch.is_multiple("the head dimension", head_dim, 2)?;
        launch.holds("the rows", rows, n_rows)?;
        launch.holds("the sequence", sequence, 1)?;
        launch.holds("the queries, keys and values", qkv, size([n_rows, row_len]))?;
        if let Some(bias) = bias {
            launch.holds("the bias", bias, row_len)?;
        }
        launch.holds("the inverse frequencies and their rest", inverse_frequencies, head_dim)?;
        launch.holds("the queries", queries, size([n_rows, n_heads, head_dim]))?;
        launch
            .read(rows)
            .read(sequence)
            .read(qkv)
            .read_if(bias)
            .read(inverse_frequencies)
            .number(layer)
            .number(n_heads)
            .number(n_kv_heads)
            .number(head_dim)
            .write(queries)
            .run([n_rows, (row_len / 2).div_ceil(N_THREADS), 1], N_THREADS)
    }
}

#[cfg(test)]
#[path = "rotate/tests.rs"]
mod tests;
