//! Kernels of `tile.cu`: products of many rows.

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::Result;
use crate::launch::{Launch, size};
use crate::matrix::{Format, Matrix, OPERAND_GROUP, OperandBuffer};

pub(super) const KERNELS: &[&str] = &[
    "tile_bf16",
    "tile_int8",
    "tile_int4",
    "tile_small_bf16",
    "tile_small_int8",
    "tile_small_int4",
    "tile_swiglu_bf16",
    "tile_swiglu_int8",
    "tile_swiglu_int4",
    "tile_swiglu_small_bf16",
    "tile_swiglu_small_int8",
    "tile_swiglu_small_int4",
];

/// How a product is cut into blocks; it makes no difference to its bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Of 128 rows and 128 columns.
    Large,
    /// Of 64 rows and 64 columns.
    Small,
}

impl Blocks {
    /// Large ones read less and small ones leave fewer multiprocessors idle.
    fn choose(device: &Device, n_rows: usize, n_columns: usize) -> Self {
        let n_large = n_rows.div_ceil(Self::Large.side()) * n_columns.div_ceil(Self::Large.side());
        let is_narrow = n_rows <= Self::Small.side();
        match is_narrow || n_large < 2 * device.info().n_multiprocessors {
            true => Self::Small,
            false => Self::Large,
        }
    }

    const fn side(self) -> usize {
        match self {
            Self::Large => 128,
            Self::Small => 64,
        }
    }

    const fn n_threads(self, format: Format) -> usize {
        match (self, format) {
            (Self::Large, Format::Int8 | Format::Int4) => 256,
            _ => 128,
        }
    }
}

impl Device {
    /// The first `n_rows` rows of `y`, [rows, outputs], become those of `x` times the transpose of `w`; where `add` is set
    /// that is added to them.
    ///
    /// # Errors
    /// A buffer is too short, or the kernel could not be launched.
    pub fn tile(
        &self,
        x: &OperandBuffer,
        w: &Matrix,
        n_rows: usize,
        y: &mut Buffer<f32>,
        add: bool,
    ) -> Result<()> {
        let blocks = Blocks::choose(self, n_rows, w.n_outputs());
        self.tile_in(blocks, x, w, n_rows, y, add)
    }

    pub(super) fn tile_in(
        &self,
        blocks: Blocks,
        x: &OperandBuffer,
        w: &Matrix,
        n_rows: usize,
        y: &mut Buffer<f32>,
        add: bool,
    ) -> Result<()> {
        let format = w.shape().format;
        let launch = self.kernel(match (blocks, format) {
            (Blocks::Large, Format::Bf16) => "tile_bf16",
            (Blocks::Large, Format::Int8) => "tile_int8",
            (Blocks::Large, Format::Int4) => "tile_int4",
            (Blocks::Small, Format::Bf16) => "tile_small_bf16",
            (Blocks::Small, Format::Int8) => "tile_small_int8",
            (Blocks::Small, Format::Int4) => "tile_small_int4",
        });
        launch.holds_operand("the operand", x, n_rows, w.n_inputs())?;
        launch.holds("the products", y, size([n_rows, w.n_outputs()]))?;
        let side = blocks.side();
        let grid = [n_rows.div_ceil(side), w.n_outputs().div_ceil(side), 1];
        let launch = launch.operand(x).weights(w).number(n_rows).write(y);
        launch.number(usize::from(add)).run(grid, blocks.n_threads(format))
    }

    /// The first `n_rows` rows of `y` become silu(gate · x) times up · x, in both forms.
    ///
    /// # Errors
    /// The matrices differ in shape, or their outputs are no multiple of 32; a buffer is too short, or the kernel could not
    /// be launched.
    pub fn tile_swiglu(
        &self,
        x: &OperandBuffer,
        gate: &Matrix,
        up: &Matrix,
        n_rows: usize,
        y: &mut OperandBuffer,
    ) -> Result<()> {
        let blocks = Blocks::choose(self, n_rows, 2 * gate.n_outputs());
        self.tile_swiglu_in(blocks, x, gate, up, n_rows, y)
    }

    pub(super) fn tile_swiglu_in(
        &self,
        blocks: Blocks,
        x: &OperandBuffer,
        gate: &Matrix,
        up: &Matrix,
        n_rows: usize,
        y: &mut OperandBuffer,
    ) -> Result<()> {
        let format = gate.shape().format;
        let launch = self.kernel(match (blocks, format) {
            (Blocks::Large, Format::Bf16) => "tile_swiglu_bf16",
            (Blocks::Large, Format::Int8) => "tile_swiglu_int8",
            (Blocks::Large, Format::Int4) => "tile_swiglu_int4",
            (Blocks::Small, Format::Bf16) => "tile_swiglu_small_bf16",
            (Blocks::Small, Format::Int8) => "tile_swiglu_small_int8",
            (Blocks::Small, Format::Int4) => "tile_swiglu_small_int4",
        });
        is_same_shape(&launch, gate, up)?;
        launch.holds_operand("the operand", x, n_rows, gate.n_inputs())?;
        launch.is_multiple("the outputs", gate.n_outputs(), OPERAND_GROUP)?;
        launch.holds_operand("the products", y, n_rows, gate.n_outputs())?;
        let side = blocks.side();
        let grid = [n_rows.div_ceil(side), gate.n_outputs().div_ceil(side / 2), 1];
        let launch = launch.operand(x).weights(gate).weights(up).number(n_rows).operand(y);
        launch.run(grid, blocks.n_threads(format))
    }
}

fn is_same_shape(launch: &Launch<'_>, gate: &Matrix, up: &Matrix) -> Result<()> {
    launch.equals("the outputs of up", up.n_outputs(), gate.n_outputs())?;
    launch.equals("the inputs of up", up.n_inputs(), gate.n_inputs())?;
    let (gate, up) = (gate.shape(), up.shape());
    launch.equals("the group of up", up.group, gate.group)?;
    launch.require(up == gate, "the format of up", 0, || format!("{:?}", gate.format))
}

#[cfg(test)]
pub(super) mod reference;

#[cfg(test)]
#[path = "tile/tests.rs"]
mod tests;
