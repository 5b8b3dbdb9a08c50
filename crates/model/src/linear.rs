//! Projections y = x W^T and embedding tables, dense or quantised.

use candle_core::{DType, Device, Tensor};

use crate::Error;
use crate::quantised::Matrix;

/// Most rows that the kernels on integers serve; beyond, dequantising costs less than it saves.
const KERNEL_ROWS: usize = 16;

/// Weights that are dequantised at a time for a product of many rows.
const BLOCK_WEIGHTS: usize = 1 << 21;

/// A matrix [out, in] as it was stored.
#[derive(Debug, Clone)]
pub(crate) enum Stored {
    Dense(Tensor),
    Quantised(Matrix),
}

/// y = x W^T, with W stored [out, in] in one part or several, one below the other.
#[derive(Debug)]
pub(crate) struct Linear {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    /// [in, out]
    Dense(Tensor),
    Quantised(Matrix),
}

impl Linear {
    pub(crate) fn new(weight: Stored) -> Result<Self, Error> {
        Self::stacked(vec![weight])
    }

    /// Several projections of the same input, whose outputs stand side by side in this order.
    pub(crate) fn stacked(weights: Vec<Stored>) -> Result<Self, Error> {
        let mut parts: Vec<Part> = Vec::new();
        for weight in weights {
            let part = match (weight, parts.last_mut()) {
                // Dense neighbours become one product.
                (Stored::Dense(weight), Some(Part::Dense(above))) => {
                    *above = Tensor::cat(&[above.t()?, weight], 0)?.t()?;
                    continue;
                }
                (Stored::Dense(weight), _) => Part::Dense(weight.t()?),
                (Stored::Quantised(weight), _) => Part::Quantised(weight),
            };
            parts.push(part);
        }
        Ok(Self { parts })
    }

    /// [rows, in] to [rows, out].
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        match self.parts.as_slice() {
            [part] => part.forward(x),
            parts => {
                let outputs =
                    parts.iter().map(|part| part.forward(x)).collect::<Result<Vec<_>, _>>()?;
                Ok(Tensor::cat(&outputs, 1)?)
            }
        }
    }
}

impl Part {
    fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        match self {
            Self::Dense(transposed) => Ok(x.matmul(transposed)?),
            Self::Quantised(matrix) if KERNEL_ROWS < x.dim(0)? => {
                let block = (BLOCK_WEIGHTS / matrix.n_inputs).max(1);
                let mut outputs = Vec::new();
                for start in (0..matrix.n_outputs).step_by(block) {
                    let range = start..matrix.n_outputs.min(start + block);
                    let shape = (range.len(), matrix.n_inputs);
                    let weights = Tensor::from_vec(matrix.dequantised(range), shape, &Device::Cpu)?;
                    outputs.push(x.matmul(&weights.to_dtype(x.dtype())?.t()?)?);
                }
                Ok(Tensor::cat(&outputs, 1)?)
            }
            Self::Quantised(matrix) => {
                let rows = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
                let shape = (x.dim(0)?, matrix.n_outputs);
                let product = Tensor::from_vec(matrix.multiply(&rows), shape, &Device::Cpu)?;
                Ok(product.to_dtype(x.dtype())?)
            }
        }
    }
}

/// A vector per token, [vocab, hidden].
#[derive(Debug)]
pub(crate) struct Table {
    rows: Stored,
    dtype: DType,
}

impl Table {
    pub(crate) fn new(rows: Stored, dtype: DType) -> Self {
        Self { rows, dtype }
    }

    /// [tokens, hidden]; every token lies within the table.
    pub(crate) fn look_up(&self, tokens: &[u32]) -> Result<Tensor, Error> {
        match &self.rows {
            Stored::Dense(rows) => Ok(rows.index_select(&Tensor::new(tokens, rows.device())?, 0)?),
            Stored::Quantised(matrix) => {
                let row = |id: &u32| matrix.dequantised(*id as usize..*id as usize + 1);
                let values: Vec<f32> = tokens.iter().flat_map(row).collect();
                let shape = (tokens.len(), matrix.n_inputs);
                Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?)
            }
        }
    }
}
