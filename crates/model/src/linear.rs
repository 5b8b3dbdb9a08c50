//! Projections: y = x W^T.

use candle_core::Tensor;

use crate::Error;

/// y = x W^T, with W stored [out, in].
#[derive(Debug)]
pub(crate) struct Linear {
    transposed: Tensor,
}

impl Linear {
    pub(crate) fn new(weight: &Tensor) -> Result<Self, Error> {
        Ok(Self { transposed: weight.t()? })
    }

    /// Several projections of the same input, one below the other.
    pub(crate) fn stacked(weights: &[Tensor]) -> Result<Self, Error> {
        Self::new(&Tensor::cat(weights, 0)?)
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        Ok(x.matmul(&self.transposed)?)
    }
}
