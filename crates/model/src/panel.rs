//! Weights and activations in the order in which a product of many rows takes them.
//!
//! A panel holds a stretch of inputs of 16 outputs, the outputs of an input (or of a pair of them) side by side, and a
//! stripe the same stretch of four rows of activations.
//! Integers are widened to 16 bits and, where a layout has sub-scales, multiplied with them, so that one sum of products
//! runs over all that shares a scale: it is the same integer that [`crate::kernels`] adds up.

use crate::layout::{Activations, GROUP};
use crate::operand::Operand;

/// Outputs of a panel.
pub(crate) const PANEL: usize = 16;

/// Rows of a stripe.
pub(crate) const STRIPE: usize = 4;

/// Most inputs of a panel of integers: it and a stripe stay in the nearest cache.
const DEPTH: usize = 512;

/// Most inputs of a panel of floats, which are twice as long.
pub(crate) const DEPTH_OF_FLOATS: usize = 256;

/// Inputs that go together.
pub(crate) fn depth(activations: Activations) -> usize {
    if activations == Activations::Plain { DEPTH_OF_FLOATS } else { DEPTH }
}

/// One number, or pair, of each output; half of it lies within one line of the cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Line<T>(pub(crate) [T; PANEL]);

#[derive(Debug, Default)]
pub(crate) struct Panel {
    /// Inputs that share a scale; 1 of plain floats.
    pub(crate) unit: usize,
    /// `[inputs]`
    pub(crate) floats: Vec<Line<f32>>,
    /// `[inputs / 2]`
    pub(crate) integers: Vec<Line<[i16; 2]>>,
    /// `[inputs / unit]`
    pub(crate) scales: Vec<Line<f32>>,
    /// `[inputs / 32]`, or nothing.
    pub(crate) minima: Vec<Line<f32>>,
}

/// Activations in stripes, stretch by stretch; the last stripe is filled up with zeros.
#[derive(Debug, Default)]
pub(crate) struct Stripes {
    n_stripes: usize,
    unit: usize,
    /// `[stretches][stripes][inputs]`
    floats: Vec<[f32; STRIPE]>,
    /// `[stretches][stripes][inputs / 2]`
    integers: Vec<[[i16; 2]; STRIPE]>,
    /// `[stretches][stripes][inputs / unit]`
    scales: Vec<[f32; STRIPE]>,
    /// `[stretches][stripes][inputs / 32]`: sums in real numbers.
    sums: Vec<[f32; STRIPE]>,
}

/// A stretch of inputs of four rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stripe<'a> {
    pub(crate) floats: &'a [[f32; STRIPE]],
    pub(crate) integers: &'a [[[i16; 2]; STRIPE]],
    pub(crate) scales: &'a [[f32; STRIPE]],
    pub(crate) sums: &'a [[f32; STRIPE]],
}

impl Stripes {
    pub(crate) fn fill(&mut self, activations: Activations, x: &Operand) {
        let (n, unit) = (x.n_inputs, activations.unit());
        self.n_stripes = x.n_rows.div_ceil(STRIPE);
        self.unit = unit;
        self.floats.clear();
        self.integers.clear();
        self.scales.clear();
        self.sums.clear();
        let depth = depth(activations);
        for start in (0..n).step_by(depth) {
            let end = n.min(start + depth);
            for stripe in 0..self.n_stripes {
                let rows = stripe * STRIPE..x.n_rows.min((stripe + 1) * STRIPE);
                if unit == 1 {
                    let first = self.floats.len();
                    self.floats.resize(first + end - start, [0.0; STRIPE]);
                    for (i, row) in rows.enumerate() {
                        let values = &x.values[row * n + start..row * n + end];
                        for (four, value) in self.floats[first..].iter_mut().zip(values) {
                            four[i] = *value;
                        }
                    }
                    continue;
                }
                let (first, units) = (self.integers.len(), start / unit..end / unit);
                self.integers.resize(first + (end - start) / 2, [[0; 2]; STRIPE]);
                for (i, row) in rows.clone().enumerate() {
                    let pairs = x.integers[row * n + start..row * n + end].as_chunks().0;
                    for (four, [a, b]) in self.integers[first..].iter_mut().zip(pairs) {
                        four[i] = [(*a).into(), (*b).into()];
                    }
                }
                let four = |of_row: &dyn Fn(usize) -> f32| {
                    let mut four = [0.0; STRIPE];
                    for (value, row) in four.iter_mut().zip(rows.clone()) {
                        *value = of_row(row);
                    }
                    four
                };
                for idx in units {
                    self.scales.push(four(&|row| x.factors[row * (n / unit) + idx][0]));
                }
                for group in start / GROUP..end / GROUP {
                    self.sums.push(four(&|row| x.sum(row, group, unit)));
                }
            }
        }
    }

    pub(crate) fn n_stripes(&self) -> usize {
        self.n_stripes
    }

    /// Inputs `start..start + depth` of a stripe.
    pub(crate) fn stripe(&self, stripe: usize, start: usize, depth: usize) -> Stripe<'_> {
        let first = start * self.n_stripes + stripe * depth;
        let last = first + depth;
        if self.unit == 1 {
            let floats = &self.floats[first..last];
            return Stripe { floats, integers: &[], scales: &[], sums: &[] };
        }
        Stripe {
            floats: &[],
            integers: &self.integers[first / 2..last / 2],
            scales: &self.scales[first / self.unit..last / self.unit],
            sums: &self.sums[first / GROUP..last / GROUP],
        }
    }
}
