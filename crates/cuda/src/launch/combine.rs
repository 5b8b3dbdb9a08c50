//! Kernels of `combine.cu`: splits merged in order.

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::size;
use crate::matrix::OperandBuffer;
use crate::shapes::Row;

pub(super) const KERNELS: &[&str] = &["combine"];

/// Numbers of a row that a block makes.
const BLOCK: usize = 256;

impl Device {
    /// The first `n_rows` rows of `out`, [rows, heads * head dimension], become what they took from all keys, and from
    /// their window by what `gates`, [rows, heads], leave of it.
    ///
    /// Where `splits_are_whole` is set the first split holds everything, as [`Device::attend_many`] leaves it.
    ///
    /// # Errors
    /// A buffer is too short, or the kernel could not be launched.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn combine(
        &self,
        rows: &Buffer<Row>,
        partials: &Buffer<f32>,
        gates: &Buffer<f32>,
        n_rows: usize,
        n_heads: usize,
        head_dim: usize,
        max_splits: usize,
        splits_are_whole: bool,
        out: &mut OperandBuffer,
    ) -> Result<()> {
        let launch = self.kernel("combine");
        let width = size([n_heads, head_dim]);
        launch.is_one_of("the head dimension", head_dim, &[32, 64, 128])?;
        launch.is_at_least("splits", max_splits, 1)?;
        launch.holds("the rows", rows, n_rows)?;
        let n_partials = Self::partials_len(n_rows, n_heads, head_dim, max_splits);
        launch.holds("the partials", partials, n_partials)?;
        launch.holds("the gates", gates, size([n_rows, n_heads]))?;
        launch.holds_operand("the result", out, n_rows, width)?;
        let launch = launch.read(rows).read(partials).read(gates).number(n_rows).number(n_heads);
        let launch = launch.number(head_dim).number(max_splits);
        let launch = launch.number(usize::from(splits_are_whole)).operand(out);
        launch.run([n_rows, width.div_ceil(BLOCK), 1], BLOCK)
    }
}

#[cfg(test)]
#[path = "combine/tests.rs"]
mod tests;
