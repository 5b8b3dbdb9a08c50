//! Projections y = x W^T and embedding tables, dense or quantised.

use candle_core::{DType, Device, Tensor};

use crate::Error;
use crate::quantised::Matrix;

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
                let values: Vec<f32> =
                    tokens.iter().flat_map(|id| matrix.dequantised_row(*id as usize)).collect();
                let shape = (tokens.len(), matrix.n_inputs);
                Ok(Tensor::from_vec(values, shape, &Device::Cpu)?.to_dtype(self.dtype)?)
            }
        }
    }
}
