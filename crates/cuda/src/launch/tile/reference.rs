//! Operands and weights for tests of products, and what products are of them in double precision.

use half::{bf16, f16};

use crate::Result;
use crate::device::Device;
use crate::launch::attention::reference::Random;
use crate::matrix::{Format, Matrix, MatrixShape, OperandBuffer, ScaleType};

/// Both forms of an operand.
#[derive(Debug, Clone, Default)]
pub(in crate::launch) struct Rounded {
    pub(in crate::launch) bf16: Vec<bf16>,
    pub(in crate::launch) integers: Vec<i8>,
    pub(in crate::launch) scales: Vec<f32>,
}

/// As `crates/model/src/operand.rs` rounds activations to bytes.
pub(in crate::launch) fn round(values: &[f32]) -> Rounded {
    let mut rounded = Rounded::default();
    for values in values.chunks(32) {
        let largest = values.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
        let integers: Vec<i8> =
            values.iter().map(|x| (x * inverse).round_ties_even() as i8).collect();
        rounded.scales.push(largest / 127.0);
        rounded.bf16.extend(values.iter().map(|x| bf16::from_f32(*x)));
        rounded.integers.extend(integers);
    }
    rounded
}

impl Rounded {
    pub(in crate::launch) fn upload(
        &self,
        device: &Device,
        n_inputs: usize,
    ) -> Result<OperandBuffer> {
        let mut operand = OperandBuffer::new(device, self.bf16.len() / n_inputs, n_inputs)?;
        device.write(&mut operand.bf16, 0, &self.bf16)?;
        device.write(&mut operand.integers, 0, &self.integers)?;
        device.write(&mut operand.scales, 0, &self.scales)?;
        Ok(operand)
    }

    pub(in crate::launch) fn has_same_bits(&self, other: &Self) -> bool {
        self.bf16.iter().map(|x| x.to_bits()).eq(other.bf16.iter().map(|x| x.to_bits()))
            && self.integers == other.integers
            && self.scales.iter().map(|x| x.to_bits()).eq(other.scales.iter().map(|x| x.to_bits()))
    }

    /// Number `i` as weights of a format meet it.
    fn value(&self, format: Format, i: usize) -> f64 {
        match format {
            Format::Bf16 => self.bf16[i].to_f64(),
            Format::Int8 | Format::Int4 => {
                f64::from(self.integers[i]) * f64::from(self.scales[i / 32])
            }
        }
    }
}

/// A random matrix, here in double precision and as it is stored.
#[derive(Debug)]
pub(in crate::launch) struct Stored {
    pub(in crate::launch) shape: MatrixShape,
    pub(in crate::launch) values: Vec<f64>,
    numbers: Vec<u8>,
    scales: Vec<u16>,
}

impl Stored {
    pub(in crate::launch) fn new(random: &mut Random, shape: MatrixShape) -> Self {
        let MatrixShape { format, n_outputs, n_inputs, group, scale_type } = shape;
        let (mut values, mut numbers, mut scales) = (Vec::new(), Vec::new(), Vec::new());
        if format == Format::Bf16 {
            for _ in 0..n_outputs * n_inputs {
                let value = bf16::from_f32(random.float());
                values.push(value.to_f64());
                numbers.extend(value.to_bits().to_le_bytes());
            }
            return Self { shape, values, numbers, scales };
        }
        for _ in 0..n_outputs * n_inputs / group {
            let scale = 0.01 + 0.1 * random.float().abs();
            let (bits, scale) = match scale_type {
                ScaleType::Bf16 => {
                    (bf16::from_f32(scale).to_bits(), bf16::from_f32(scale).to_f64())
                }
                ScaleType::F16 => (f16::from_f32(scale).to_bits(), f16::from_f32(scale).to_f64()),
            };
            scales.push(bits);
            let integers: Vec<i32> = match format {
                Format::Int4 => (0..group).map(|_| random.below(16) as i32 - 8).collect(),
                _ => (0..group).map(|_| random.below(256) as i32 - 128).collect(),
            };
            values.extend(integers.iter().map(|q| scale * f64::from(*q)));
            match format {
                Format::Int4 => {
                    numbers.extend((0..group / 2).map(|i| {
                        (integers[i] + 8) as u8 | ((integers[group / 2 + i] + 8) as u8) << 4
                    }))
                }
                _ => numbers.extend(integers.iter().map(|q| *q as i8 as u8)),
            }
        }
        Self { shape, values, numbers, scales }
    }

    pub(in crate::launch) fn upload(&self, device: &Device) -> Result<Matrix> {
        Matrix::upload(device, self.shape, &self.numbers, &self.scales)
    }

    /// Products with the rows of `x`, [rows, outputs], each with the sum of its terms' magnitudes.
    pub(in crate::launch) fn products(&self, x: &Rounded) -> Vec<[f64; 2]> {
        let MatrixShape { format, n_outputs, n_inputs, .. } = self.shape;
        let n_rows = x.bf16.len() / n_inputs;
        let mut products = Vec::new();
        for (row, output) in
            (0..n_rows).flat_map(|row| (0..n_outputs).map(move |output| (row, output)))
        {
            let mut sums = [0.0; 2];
            for i in 0..n_inputs {
                let term = x.value(format, row * n_inputs + i) * self.values[output * n_inputs + i];
                sums[0] += term;
                sums[1] += term.abs();
            }
            products.push(sums);
        }
        products
    }
}
