//! A matrix of weights that is computed with as it lies in its file.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::Error;
use crate::bytes::Bytes;
use crate::layout::{Layout, View};

/// Weights [outputs, inputs]; a clone shares them.
#[derive(Clone)]
pub(crate) struct Matrix {
    layout: Layout,
    n_outputs: usize,
    n_inputs: usize,
    bytes: Arc<Bytes>,
    range: Range<usize>,
    scales: Arc<[f32]>,
    paired: Option<usize>,
}

impl std::fmt::Debug for Matrix {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Matrix")
            .field("layout", &self.layout)
            .field("n_outputs", &self.n_outputs)
            .field("n_inputs", &self.n_inputs)
            .finish()
    }
}

impl Matrix {
    /// `range` of `bytes` holds the rows of a matrix [outputs, inputs], `scales` those that lie elsewhere; the caller has
    /// checked both lengths.
    pub(crate) fn new(
        layout: Layout,
        (n_outputs, n_inputs): (usize, usize),
        (bytes, range): (Arc<Bytes>, Range<usize>),
        scales: Arc<[f32]>,
    ) -> Self {
        Self { layout, n_outputs, n_inputs, bytes, range, scales, paired: None }
    }

    /// The same with rows that are stored in pairs within heads of this width.
    pub(crate) fn with_pairs(self, paired: Option<usize>) -> Self {
        Self { paired, ..self }
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    pub(crate) fn n_outputs(&self) -> usize {
        self.n_outputs
    }

    pub(crate) fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    pub(crate) fn view(&self) -> View<'_> {
        View {
            layout: self.layout,
            n_outputs: self.n_outputs,
            n_inputs: self.n_inputs,
            bytes: &self.bytes.as_slice()[self.range.clone()],
            scales: &self.scales,
            paired: self.paired,
        }
    }

    /// All weights as they are meant, in single precision.
    pub(crate) fn tensor(&self) -> Result<Tensor, Error> {
        let mut weights = vec![0.0; self.n_outputs * self.n_inputs];
        let view = self.view();
        for (output, row) in weights.chunks_exact_mut(self.n_inputs.max(1)).enumerate() {
            view.row(output).dequantise(row);
        }
        Ok(Tensor::from_vec(weights, (self.n_outputs, self.n_inputs), &Device::Cpu)?)
    }
}
