//! Products of every layout, and attention, for the benchmarks in `benches/`, and for nobody else.

use std::ops::Range;
use std::sync::Arc;

use crate::attention::{Heads, Scratch, attend};
use crate::bytes::Bytes;
use crate::cache::{CacheFormat, KeyValue};
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

/// One decoded token's attention in one layer: rows at the same position over all keys before it.
#[derive(Debug)]
pub struct Attention {
    heads: Heads,
    store: KeyValue,
    n_keys: usize,
    queries: Vec<f32>,
    visible: Vec<Range<usize>>,
    scratch: Scratch<f32>,
    out: Vec<f32>,
}

impl Attention {
    /// Keys and values in half precision.
    pub fn new(
        (n_heads, n_kv_heads, head_dim): (usize, usize, usize),
        n_keys: usize,
        n_rows: usize,
    ) -> Self {
        let mut store =
            KeyValue::new(CacheFormat::F16, candle_core::DType::F32, n_kv_heads, head_dim);
        store.rebase(0, 0..0, n_keys);
        let wave =
            |n: usize, step: f32| (0..n).map(|i| (i as f32 * step).sin()).collect::<Vec<_>>();
        for position in 0..n_keys {
            let vectors = wave(n_kv_heads * head_dim, 0.1 + position as f32 * 1e-4);
            store.write(position, &vectors, &vectors);
        }
        let len = n_rows * n_heads * head_dim;
        Self {
            heads: Heads { n_heads, n_kv_heads, head_dim },
            store,
            n_keys,
            queries: wave(len, 0.37),
            visible: vec![0..n_keys; n_rows],
            scratch: Scratch::default(),
            out: vec![0.0; len],
        }
    }

    /// Of the keys and values.
    pub fn n_bytes(&self) -> usize {
        2 * self.n_keys * self.heads.n_kv_heads * self.heads.head_dim * 2
    }

    /// On all threads.
    pub fn run(&mut self) {
        let Self { heads, store, queries, visible, scratch, out, .. } = self;
        attend(*heads, queries, visible, store, scratch, out);
    }
}
