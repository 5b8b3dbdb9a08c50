//! Products of every layout for the benchmarks in `benches/`, and for nobody else.

use std::sync::Arc;

use crate::bytes::Bytes;
use crate::layout::Layout;
use crate::linear::{Linear, Operands, Stored};
use crate::matrix::Matrix;

/// What is measured, by its usual name.
const LAYOUTS: [(&str, Layout); 13] = [
    ("F32", Layout::F32),
    ("F16", Layout::F16),
    ("BF16", Layout::Bf16),
    ("Q4_0", Layout::Q4_0),
    ("Q4_1", Layout::Q4_1),
    ("Q5_0", Layout::Q5_0),
    ("Q5_1", Layout::Q5_1),
    ("Q8_0", Layout::Q8_0),
    ("Q4_K", Layout::Q4K),
    ("Q5_K", Layout::Q5K),
    ("Q6_K", Layout::Q6K),
    ("int8", Layout::Int8 { group_size: 128 }),
    ("int4", Layout::Int4 { group_size: 64 }),
];

/// Names that [`Product::new`] knows.
pub fn layouts() -> impl Iterator<Item = &'static str> {
    LAYOUTS.iter().map(|(name, _)| *name)
}

/// A matrix and some rows of activations.
#[derive(Debug)]
pub struct Product {
    linear: Linear,
    n_bytes: usize,
    x: Vec<f32>,
    operands: Operands,
    out: Vec<f32>,
}

impl Product {
    /// `None` where there is no such layout, or where a row of `n_inputs` is no whole number of blocks.
    pub fn new(name: &str, n_outputs: usize, n_inputs: usize, n_rows: usize) -> Option<Self> {
        let (_, layout) = LAYOUTS.iter().find(|(other, _)| *other == name)?;
        // As floats these bytes are small normal numbers in every format.
        let bytes = vec![0x11; layout.n_bytes(n_inputs)? * n_outputs];
        let scales: Arc<[f32]> = vec![0.01; layout.n_scales(n_inputs) * n_outputs].into();
        let n_bytes = bytes.len() + size_of_val(scales.as_ref());
        let place = (Arc::new(Bytes::Converted(bytes)), 0..n_bytes - size_of_val(scales.as_ref()));
        let matrix = Matrix::new(*layout, (n_outputs, n_inputs), place, scales);
        Some(Self {
            linear: Linear::new(Stored::Matrix(matrix)).ok()?,
            n_bytes,
            x: (0..n_rows * n_inputs).map(|i| (i as f32 * 0.37).sin()).collect(),
            operands: Operands::default(),
            out: Vec::new(),
        })
    }

    /// Of the weights and their scales.
    pub fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Rounds the activations and multiplies, on all threads.
    pub fn run(&mut self) {
        self.linear.apply(&self.x, &mut self.operands, &mut self.out);
    }
}
