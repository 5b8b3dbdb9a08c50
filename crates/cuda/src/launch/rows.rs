//! Kernels of `rows.cu`: row by row.

use half::bf16;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::size;
use crate::matrix::{Matrix, OPERAND_GROUP, OperandBuffer};
use crate::shapes::{Row, Sequence};

pub(super) const KERNELS: &[&str] = &["embed", "rms_norm", "hand_on", "gate"];

const N_THREADS: usize = 256;

/// Of a block that makes norms.
const MOST_THREADS: usize = 1024;

/// Up to so many rows a block does as little of a row as can be; beyond them there are blocks enough.
const FEW_ROWS: usize = Device::MOST_FEW_ROWS;

/// Heads whose gates a block makes where rows are many: they share what is read of the row.
const HEADS: usize = 8;

impl Device {
    /// What the first loop of each row begins with, or a later one, which takes up what the loop before left at the position
    /// before.
    ///
    /// A row's token is below the outputs of `table`, and what a row needs of the sequence is there.
    ///
    /// # Errors
    /// A buffer is too short, the table is not of `hidden` inputs, or the launch fails.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn embed(
        &self,
        rows: &Buffer<Row>,
        sequence: &Buffer<Sequence>,
        table: &Matrix,
        n_rows: usize,
        emb_scale: f32,
        hidden_scale: f32,
        hidden: usize,
        states: &mut Buffer<f32>,
    ) -> Result<()> {
        let launch = self.kernel("embed");
        launch.holds("the rows", rows, n_rows)?;
        launch.holds("the sequence", sequence, 1)?;
        launch.equals("the inputs of the table", table.n_inputs(), hidden)?;
        launch.holds("the states", states, size([n_rows, hidden]))?;
        launch
            .read(rows)
            .read(sequence)
            .numbers(table)
            .number(table.shape().format.number() as usize)
            .weights(table)
            .float(emb_scale)
            .float(hidden_scale)
            .number(hidden)
            .write(states)
            .run([n_rows, hidden.div_ceil(N_THREADS), 1], N_THREADS)
    }

    /// The root mean square norm of each row of `states`, [rows, n], as an operand.
    ///
    /// # Errors
    /// A buffer is too short, `n` is no multiple of 32, or the launch fails.
    pub fn norm(
        &self,
        states: &Buffer<f32>,
        weight: &Buffer<f32>,
        eps: f32,
        n_rows: usize,
        n: usize,
        out: &mut OperandBuffer,
    ) -> Result<()> {
        let launch = self.kernel("rms_norm");
        launch.is_multiple("the width", n, OPERAND_GROUP)?;
        launch.holds("the states", states, size([n_rows, n]))?;
        launch.holds("the weight", weight, n)?;
        launch.holds_operand("the norms", out, n_rows, n)?;
        launch
            .read(states)
            .read(weight)
            .float(eps)
            .number(n)
            .operand(out)
            .run([n_rows, n_parts(n_rows, n), 1], n.min(MOST_THREADS))
    }

    /// A row of the last loop gets its norm into `out`; what another loop made of its row goes to where the next loop finds
    /// it, as its norm if `normalize` is set.
    ///
    /// # Errors
    /// A buffer is too short, `n` is no multiple of 32, or the launch fails.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn hand_on(
        &self,
        rows: &Buffer<Row>,
        sequence: &Buffer<Sequence>,
        states: &Buffer<f32>,
        weight: &Buffer<f32>,
        eps: f32,
        n_rows: usize,
        n: usize,
        normalize: bool,
        out: &mut OperandBuffer,
    ) -> Result<()> {
        let launch = self.kernel("hand_on");
        launch.is_multiple("the width", n, OPERAND_GROUP)?;
        launch.holds("the rows", rows, n_rows)?;
        launch.holds("the sequence", sequence, 1)?;
        launch.holds("the states", states, size([n_rows, n]))?;
        launch.holds("the weight", weight, n)?;
        launch.holds_operand("the norms", out, n_rows, n)?;
        launch
            .read(rows)
            .read(sequence)
            .read(states)
            .read(weight)
            .float(eps)
            .number(n)
            .number(usize::from(normalize))
            .operand(out)
            .run([n_rows, n_parts(n_rows, n), 1], n.min(MOST_THREADS))
    }

    /// The share of the global branch for each row and head, [rows, heads]; 1 for rows of the first loop.
    ///
    /// # Errors
    /// A buffer is too short, `hidden` is no multiple of 32, or the launch fails.
    #[expect(clippy::too_many_arguments, reason = "the kernel's parameters")]
    pub fn gate(
        &self,
        rows: &Buffer<Row>,
        states: &Buffer<f32>,
        norm_weight: &Buffer<f32>,
        eps: f32,
        w: &Buffer<bf16>,
        bias: &Buffer<f32>,
        n_rows: usize,
        hidden: usize,
        n_heads: usize,
        gates: &mut Buffer<f32>,
    ) -> Result<()> {
        let launch = self.kernel("gate");
        launch.is_multiple("the width", hidden, OPERAND_GROUP)?;
        launch.holds("the rows", rows, n_rows)?;
        launch.holds("the states", states, size([n_rows, hidden]))?;
        launch.holds("the weight of the norm", norm_weight, hidden)?;
        launch.holds("the weights", w, size([n_heads, hidden]))?;
        launch.holds("the biases", bias, n_heads)?;
        launch.holds("the gates", gates, size([n_rows, n_heads]))?;
        let n_parts = if n_rows <= FEW_ROWS { n_heads } else { n_heads.div_ceil(HEADS) };
        launch
            .read(rows)
            .read(states)
            .read(norm_weight)
            .float(eps)
            .read(w)
            .read(bias)
            .number(hidden)
            .number(n_heads)
            .write(gates)
            .run([n_rows, n_parts, 1], N_THREADS)
    }
}

/// Blocks that share a row of `n` numbers.
fn n_parts(n_rows: usize, n: usize) -> usize {
    if n_rows <= FEW_ROWS { n.div_ceil(MOST_THREADS) } else { 1 }
}

#[cfg(test)]
#[path = "rows/tests.rs"]
mod tests;
