//! Kernels of `skinny.cu`: products of 1 to 16 rows.

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::size;
use crate::matrix::{Format, Matrix, OPERAND_GROUP, OperandBuffer};

pub(super) const KERNELS: &[&str] = &[
    "skinny_bf16",
    "skinny_int8",
    "skinny_int4",
    "skinny_bf16_16",
    "skinny_int8_16",
    "skinny_int4_16",
    "skinny_swiglu_bf16",
    "skinny_swiglu_int8",
    "skinny_swiglu_int4",
    "skinny_swiglu_bf16_16",
    "skinny_swiglu_int8_16",
    "skinny_swiglu_int4_16",
];

const N_THREADS: usize = 256;

/// Rows of one tile of the tensor cores; the kernels for more have two.
const TILE_ROWS: usize = 8;

impl Device {
    /// The most rows of [`Self::skinny`].
    pub const MOST_SKINNY_ROWS: usize = 2 * TILE_ROWS;

    /// The first `n_rows` rows of `y`, [rows, outputs], become those of `x` times the transpose of `w`; where `add` is set
    /// that is added to them. A row has the same bits whatever stands beside it.
    ///
    /// # Errors
    /// There are more than 16 rows, a buffer is too short, or the launch fails.
    pub fn skinny(
        &self,
        x: &OperandBuffer,
        w: &Matrix,
        n_rows: usize,
        y: &mut Buffer<f32>,
        add: bool,
    ) -> Result<()> {
        let is_one_tile = n_rows <= TILE_ROWS;
        let (kernel, n_outputs) = match (w.shape().format, is_one_tile) {
            (Format::Bf16, true) => ("skinny_bf16", 32),
            (Format::Int8, true) => ("skinny_int8", 16),
            (Format::Int4, true) => ("skinny_int4", 32),
            (Format::Bf16, false) => ("skinny_bf16_16", 32),
            (Format::Int8, false) => ("skinny_int8_16", 32),
            (Format::Int4, false) => ("skinny_int4_16", 32),
        };
        let launch = self.kernel(kernel);
        launch.is_at_most("the number of rows", n_rows, Self::MOST_SKINNY_ROWS)?;
        launch.holds_operand("the operand", x, n_rows, w.n_inputs())?;
        launch.holds("the products", y, size([n_rows, w.n_outputs()]))?;
        let n_blocks = if n_rows == 0 { 0 } else { w.n_outputs().div_ceil(n_outputs) };
        let launch = launch.operand(x).weights(w).number(n_rows).write(y);
        launch.number(usize::from(add)).run([n_blocks, 1, 1], N_THREADS)
    }

    /// The first `n_rows` rows of `y` become silu(gate · x) times up · x, in both forms.
    ///
    /// # Errors
    /// There are more than 16 rows; the matrices differ in shape, or their outputs are no multiple of 32; a buffer is too
    /// short, or the launch fails.
    pub fn skinny_swiglu(
        &self,
        x: &OperandBuffer,
        gate: &Matrix,
        up: &Matrix,
        n_rows: usize,
        y: &mut OperandBuffer,
    ) -> Result<()> {
        let launch = self.kernel(match (gate.shape().format, n_rows <= TILE_ROWS) {
            (Format::Bf16, true) => "skinny_swiglu_bf16",
            (Format::Int8, true) => "skinny_swiglu_int8",
            (Format::Int4, true) => "skinny_swiglu_int4",
            (Format::Bf16, false) => "skinny_swiglu_bf16_16",
            (Format::Int8, false) => "skinny_swiglu_int8_16",
            (Format::Int4, false) => "skinny_swiglu_int4_16",
        });
        launch.is_at_most("the number of rows", n_rows, Self::MOST_SKINNY_ROWS)?;
        launch.require(up.shape() == gate.shape(), "the outputs of up", up.n_outputs(), || {
            format!("a matrix as {:?}", gate.shape())
        })?;
        launch.holds_operand("the operand", x, n_rows, gate.n_inputs())?;
        launch.is_multiple("the outputs", gate.n_outputs(), OPERAND_GROUP)?;
        launch.holds_operand("the products", y, n_rows, gate.n_outputs())?;
        let n_blocks = if n_rows == 0 { 0 } else { gate.n_outputs() / OPERAND_GROUP };
        let launch = launch.operand(x).weights(gate).weights(up).number(n_rows).operand(y);
        launch.run([n_blocks, 1, 1], N_THREADS)
    }
}

#[cfg(test)]
#[path = "skinny/tests.rs"]
mod tests;
