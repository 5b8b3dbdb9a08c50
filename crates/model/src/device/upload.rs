//! Weights onto a GPU.
//!
//! Floats become bf16. Integers of this project's own formats stay as they are, and so do GGUF's Q8_0 and Q4_0, which are
//! integers of 8 and 4 bits in groups of 32. Its other layouts have minima or steps within a group, which kernels do not
//! know: they become bf16, and take two bytes a weight. Rows that a file keeps in pairs are put back in their order.

use cuda::{MatrixShape, ScaleType};
use half::{bf16, f16};

use crate::Error;
use crate::layout::{Layout, Row};
use crate::matrix::Matrix;

/// Bytes that are brought into order before they are sent.
const PIECE: usize = 8 << 20;

/// Matrices of the same inputs, one below the other, as one.
pub(crate) fn stacked(
    device: &cuda::Device,
    parts: &[Matrix],
    format: Target,
) -> Result<cuda::Matrix, Error> {
    let n_inputs = parts.first().map_or(0, Matrix::n_inputs);
    let n_outputs = parts.iter().map(Matrix::n_outputs).sum();
    let shape = format.shape(n_outputs, n_inputs);
    let mut matrix = cuda::Matrix::new(device, shape)?;
    let bytes_of_row = format.shape(1, n_inputs).n_bytes();
    let rows_of_piece = (PIECE / bytes_of_row.max(1)).max(1);
    let mut floats = vec![0.0; n_inputs];
    let mut above = 0;
    for part in parts {
        let view = part.view();
        let mut first = 0;
        while first < part.n_outputs() {
            let end = part.n_outputs().min(first + rows_of_piece);
            let mut numbers = Vec::with_capacity((end - first) * bytes_of_row);
            let mut scales = Vec::new();
            for output in first..end {
                format.convert(view.row(output), &mut floats, &mut numbers, &mut scales);
            }
            matrix.write_rows(device, above + first, &numbers, &scales)?;
            first = end;
        }
        above += part.n_outputs();
    }
    Ok(matrix)
}

/// What matrices are stored as on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Target {
    format: cuda::Format,
    group: usize,
    scale_type: ScaleType,
}

impl Target {
    const BF16: Self = Self { format: cuda::Format::Bf16, group: 0, scale_type: ScaleType::Bf16 };

    /// For matrices that one kernel reads together: what each of them is stored as, if that is the same.
    pub(crate) fn of(parts: &[Matrix]) -> Self {
        let mut targets = parts.iter().map(Self::of_one);
        let first = targets.next().unwrap_or(Self::BF16);
        if targets.all(|target| target == first) { first } else { Self::BF16 }
    }

    fn of_one(matrix: &Matrix) -> Self {
        let (format, group) = match matrix.layout() {
            Layout::Int8 { group_size } => (cuda::Format::Int8, group_size),
            Layout::Int4 { group_size } => (cuda::Format::Int4, group_size),
            Layout::Q8_0 => {
                return Self { format: cuda::Format::Int8, group: 32, scale_type: ScaleType::F16 };
            }
            Layout::Q4_0 => {
                return Self { format: cuda::Format::Int4, group: 32, scale_type: ScaleType::F16 };
            }
            _ => return Self::BF16,
        };
        let scales = matrix.view().scales;
        let all = |is_exact: fn(f32) -> bool| scales.iter().all(|scale| is_exact(*scale));
        if all(|scale| bf16::from_f32(scale).to_f32() == scale) {
            Self { format, group, scale_type: ScaleType::Bf16 }
        } else if all(|scale| f16::from_f32(scale).to_f32() == scale) {
            Self { format, group, scale_type: ScaleType::F16 }
        } else {
            Self::BF16
        }
    }

    pub(crate) fn shape(self, n_outputs: usize, n_inputs: usize) -> MatrixShape {
        let Self { format, group, scale_type } = self;
        MatrixShape { format, n_outputs, n_inputs, group, scale_type }
    }

    /// Appends one row.
    fn convert(
        self,
        row: Row<'_>,
        floats: &mut [f32],
        numbers: &mut Vec<u8>,
        scales: &mut Vec<u16>,
    ) {
        match (self.format, row.layout) {
            (cuda::Format::Bf16, Layout::Bf16) => numbers.extend_from_slice(row.bytes),
            (cuda::Format::Bf16, _) => {
                row.dequantise(floats);
                let rounded = floats.iter().map(|weight| bf16::from_f32(*weight).to_le_bytes());
                numbers.extend(rounded.flatten());
            }
            (_, Layout::Q8_0 | Layout::Q4_0) => {
                let (_, n_bytes) = row.layout.block();
                for block in row.bytes.chunks_exact(n_bytes) {
                    let (scale, integers) = block.split_at(2);
                    scales.push(u16::from_le_bytes([scale[0], scale[1]]));
                    numbers.extend_from_slice(integers);
                }
            }
            _ => {
                numbers.extend_from_slice(row.bytes);
                scales.extend(row.scales.iter().map(|scale| match self.scale_type {
                    ScaleType::Bf16 => bf16::from_f32(*scale).to_bits(),
                    ScaleType::F16 => f16::from_f32(*scale).to_bits(),
                }));
            }
        }
    }
}

#[cfg(test)]
#[path = "upload_tests.rs"]
mod tests;
