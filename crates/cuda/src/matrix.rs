//! Weights and the operands that they are multiplied with, in the forms that kernels read.

use half::bf16;

use crate::buffer::Buffer;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::shapes::{Operand, Weights};

/// Inputs that share a scale of an integer operand.
pub(crate) const OPERAND_GROUP: usize = 32;

/// How a weight is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    Bf16,
    /// A signed byte each, with a scale for a group of 32, 64 or 128 inputs.
    Int8,
    /// Half a byte each with 8 added, with a scale for a group of 32 or 64 inputs: within a group of 2n weights byte i
    /// holds weight i in its low and weight n + i in its high half.
    Int4,
}

impl Format {
    /// Bytes of `n` weights.
    #[must_use]
    pub const fn n_bytes(self, n: usize) -> usize {
        match self {
            Self::Bf16 => n.saturating_mul(2),
            Self::Int8 => n,
            Self::Int4 => n / 2,
        }
    }

    const fn groups(self) -> &'static [usize] {
        match self {
            Self::Bf16 => &[0],
            Self::Int8 => &[32, 64, 128],
            Self::Int4 => &[32, 64],
        }
    }

    /// As kernels number it.
    pub(crate) const fn number(self) -> u32 {
        match self {
            Self::Bf16 => 0,
            Self::Int8 => 1,
            Self::Int4 => 2,
        }
    }
}

/// What a scale of 16 bits is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ScaleType {
    #[default]
    Bf16,
    F16,
}

/// What a weight matrix is, before there is room for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MatrixShape {
    pub format: Format,
    pub n_outputs: usize,
    pub n_inputs: usize,
    /// Inputs that share a scale; 0 for [`Format::Bf16`].
    pub group: usize,
    pub scale_type: ScaleType,
}

impl MatrixShape {
    #[must_use]
    pub const fn bf16(n_outputs: usize, n_inputs: usize) -> Self {
        let (format, scale_type) = (Format::Bf16, ScaleType::Bf16);
        Self { format, n_outputs, n_inputs, group: 0, scale_type }
    }

    /// Bytes of the numbers.
    #[must_use]
    pub const fn n_bytes(&self) -> usize {
        self.format.n_bytes(self.n_outputs.saturating_mul(self.n_inputs))
    }

    /// Scales, of two bytes each.
    #[must_use]
    pub const fn n_scales(&self) -> usize {
        match self.n_inputs.checked_div(self.group) {
            Some(n_groups) => self.n_outputs.saturating_mul(n_groups),
            None => 0,
        }
    }

    fn check(&self) -> Result<()> {
        let Self { format, n_inputs, group, .. } = *self;
        if !format.groups().contains(&group) {
            let expected = format!("one of {:?} for {format:?}", format.groups());
            return Err(Error::Shape {
                place: "matrix",
                what: "the group",
                found: group,
                expected,
            });
        }
        let unit = group.max(OPERAND_GROUP);
        if n_inputs == 0 || !n_inputs.is_multiple_of(unit) {
            let expected = format!("a multiple of {unit}");
            return Err(Error::Shape {
                place: "matrix",
                what: "the number of inputs",
                found: n_inputs,
                expected,
            });
        }
        Ok(())
    }
}

/// A weight matrix [outputs, inputs] on a device.
#[derive(Debug)]
pub struct Matrix {
    pub(crate) shape: MatrixShape,
    pub(crate) numbers: Buffer<u8>,
    /// [outputs, inputs / group], of 16 bits; empty for bf16.
    pub(crate) scales: Buffer<u16>,
}

impl Matrix {
    /// Room for a matrix that is to be written before it is read.
    ///
    /// # Errors
    /// The shape is none that kernels know, or out of memory.
    pub fn new(device: &Device, shape: MatrixShape) -> Result<Self> {
        shape.check()?;
        let (numbers, scales) =
            (device.poisoned(shape.n_bytes())?, device.poisoned(shape.n_scales())?);
        Ok(Self { shape, numbers, scales })
    }

    /// # Errors
    /// As [`Self::new`], or there are more or fewer numbers or scales than the shape says.
    pub fn upload(
        device: &Device,
        shape: MatrixShape,
        numbers: &[u8],
        scales: &[u16],
    ) -> Result<Self> {
        for (what, found, expected) in [
            ("the bytes of numbers", numbers.len(), shape.n_bytes()),
            ("the number of scales", scales.len(), shape.n_scales()),
        ] {
            if found != expected {
                let expected = expected.to_string();
                return Err(Error::Shape { place: "matrix", what, found, expected });
            }
        }
        let mut matrix = Self::new(device, shape)?;
        device.write(&mut matrix.numbers, 0, numbers)?;
        device.write(&mut matrix.scales, 0, scales)?;
        Ok(matrix)
    }

    /// Writes whole rows, from the output `first` on: that is how a large matrix comes in without a copy of all of it.
    ///
    /// # Errors
    /// They are no whole rows, or not within the matrix.
    pub fn write_rows(
        &mut self,
        device: &Device,
        first: usize,
        numbers: &[u8],
        scales: &[u16],
    ) -> Result<()> {
        let row = MatrixShape { n_outputs: 1, ..self.shape };
        let n_rows = numbers.len() / row.n_bytes().max(1);
        let expected = [n_rows * row.n_bytes(), n_rows * row.n_scales()];
        for (what, found, expected) in [
            ("the bytes of numbers", numbers.len(), expected[0]),
            ("the number of scales", scales.len(), expected[1]),
        ] {
            if found != expected {
                let expected = format!("{expected} for {n_rows} rows");
                return Err(Error::Shape { place: "matrix", what, found, expected });
            }
        }
        device.write(&mut self.numbers, first.saturating_mul(row.n_bytes()), numbers)?;
        device.write(&mut self.scales, first.saturating_mul(row.n_scales()), scales)
    }

    #[must_use]
    pub fn shape(&self) -> MatrixShape {
        self.shape
    }

    #[must_use]
    pub fn n_outputs(&self) -> usize {
        self.shape.n_outputs
    }

    #[must_use]
    pub fn n_inputs(&self) -> usize {
        self.shape.n_inputs
    }

    /// What a kernel gets. The numbers of a matrix that was made fit into 32 bits each, as a launch checks.
    pub(crate) fn weights(&self) -> Weights {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Weights {
            numbers: self.numbers.address(),
            scales: self.scales.address(),
            n_outputs: narrow(self.shape.n_outputs),
            n_inputs: narrow(self.shape.n_inputs),
            group: narrow(self.shape.group),
            scale_type: match self.shape.scale_type {
                ScaleType::Bf16 => 0,
                ScaleType::F16 => 1,
            },
        }
    }
}

/// What weights are multiplied with, [rows, inputs], in the forms for each format of weights.
#[derive(Debug)]
pub struct OperandBuffer {
    pub bf16: Buffer<bf16>,
    pub integers: Buffer<i8>,
    /// [rows, inputs / 32].
    pub scales: Buffer<f32>,
    n_rows: usize,
    n_inputs: usize,
}

impl OperandBuffer {
    /// Room for `n_rows` rows.
    ///
    /// # Errors
    /// The inputs are no multiple of 32, or out of memory.
    pub fn new(device: &Device, n_rows: usize, n_inputs: usize) -> Result<Self> {
        MatrixShape::bf16(0, n_inputs).check()?;
        let n = n_rows.saturating_mul(n_inputs);
        Ok(Self {
            bf16: device.poisoned(n)?,
            integers: device.poisoned(n)?,
            scales: device.poisoned(n / OPERAND_GROUP)?,
            n_rows,
            n_inputs,
        })
    }

    /// Rows that there is room for.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    #[must_use]
    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    pub(crate) fn operand(&self) -> Operand {
        Operand {
            bf16: self.bf16.address(),
            integers: self.integers.address(),
            scales: self.scales.address(),
        }
    }
}
