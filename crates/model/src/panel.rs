//! A stretch of inputs of 16 outputs, the outputs of an input (or of a pair of them) side by side.
//!
//! Integers are widened to 16 bits and, where a layout has sub-scales, multiplied with them, so that one sum of products
//! runs over all that shares a scale: it is the same integer that [`crate::kernels`] adds up.

use std::ops::Range;

use crate::layout::{Activations, GROUP, LONGEST_UNIT, View};

/// Outputs of a panel.
pub(crate) const PANEL: usize = 16;

/// Most inputs of a panel: it and those of a few rows stay in the nearest cache.
pub(crate) const DEPTH: usize = 512;

#[derive(Debug, Default)]
pub(crate) struct Panel {
    /// Inputs of the stretch.
    pub(crate) depth: usize,
    /// Inputs that share a scale; 1 of plain floats.
    pub(crate) unit: usize,
    /// [inputs][outputs]
    pub(crate) floats: Vec<[f32; PANEL]>,
    /// [inputs / 2][outputs][2]
    pub(crate) integers: Vec<[[i16; 2]; PANEL]>,
    /// [inputs / unit][outputs]
    pub(crate) scales: Vec<[f32; PANEL]>,
    /// [inputs / 32][outputs], or nothing.
    pub(crate) minima: Vec<[f32; PANEL]>,
}

impl Panel {
    /// Takes over `outputs`, at most [`PANEL`], with `inputs`, which are whole units and at most [`DEPTH`].
    pub(crate) fn fill(&mut self, weights: &View<'_>, outputs: Range<usize>, inputs: Range<usize>) {
        self.depth = inputs.len();
        self.unit = weights.layout.activations().unit();
        self.minima.clear();
        match weights.layout.activations() {
            Activations::Plain => self.fill_with_floats(weights, outputs, inputs),
            _ => self.fill_with_integers(weights, outputs, inputs),
        }
    }

    fn fill_with_floats(
        &mut self,
        weights: &View<'_>,
        outputs: Range<usize>,
        inputs: Range<usize>,
    ) {
        let mut row = [0.0; DEPTH];
        self.floats.clear();
        self.floats.resize(inputs.len(), [0.0; PANEL]);
        for (column, output) in outputs.enumerate() {
            let row = &mut row[..inputs.len()];
            weights.row(output).part(inputs.clone()).dequantise(row);
            for (values, weight) in self.floats.iter_mut().zip(row) {
                values[column] = *weight;
            }
        }
    }

    fn fill_with_integers(
        &mut self,
        weights: &View<'_>,
        outputs: Range<usize>,
        inputs: Range<usize>,
    ) {
        let unit = self.unit;
        let n_units = inputs.len() / unit;
        self.integers.clear();
        self.integers.resize(inputs.len() / 2, [[0; 2]; PANEL]);
        self.scales.clear();
        self.scales.resize(n_units, [0.0; PANEL]);
        if weights.layout.has_minima() {
            self.minima.resize(inputs.len() / GROUP, [0.0; PANEL]);
        }
        let mut integers = [0; LONGEST_UNIT];
        let mut minima = [0.0; LONGEST_UNIT / GROUP];
        for (column, output) in outputs.enumerate() {
            let row = weights.row(output);
            for idx in 0..n_units {
                let integers = &mut integers[..unit];
                let scale = row.unit(inputs.start / unit + idx, integers, &mut minima);
                self.scales[idx][column] = scale;
                let own = &mut self.integers[idx * unit / 2..(idx + 1) * unit / 2];
                for (values, pair) in own.iter_mut().zip(integers.as_chunks().0) {
                    values[column] = *pair;
                }
                if weights.layout.has_minima() {
                    let groups = idx * unit / GROUP..(idx + 1) * unit / GROUP;
                    for (values, minimum) in self.minima[groups].iter_mut().zip(minima) {
                        values[column] = minimum;
                    }
                }
            }
        }
    }
}
