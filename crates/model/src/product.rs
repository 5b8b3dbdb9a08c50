//! Products of many rows of activations with a matrix: a panel of weights serves all rows.

use std::cell::RefCell;
use std::ops::Range;

use crate::kernels::{self, Instructions};
use crate::layout::{Activations, GROUP, LONGEST_UNIT, Row, View};
use crate::panel::{DEPTH_OF_FLOATS, Line, PANEL, Panel, STRIPE, Stripes, depth};
use crate::pool::Columns;

/// Writes x W^T for outputs `outputs` of `weights` into columns `out`, from the `skipped`th on.
///
/// `x` holds what [`crate::layout::Layout::activations`] of the weights says, of `n_rows` rows.
pub(crate) fn multiply(
    instructions: Instructions,
    weights: &View<'_>,
    outputs: Range<usize>,
    (x, n_rows): (&Stripes, usize),
    out: &mut Columns<'_>,
    skipped: usize,
) {
    thread_local! {
        static ROOM: RefCell<Panel> = RefCell::default();
    }
    let depth = depth(weights.layout.activations());
    ROOM.with_borrow_mut(|panel| {
        for first in outputs.clone().step_by(PANEL) {
            let tile = first..outputs.end.min(first + PANEL);
            let columns = skipped + first - outputs.start..skipped + tile.end - outputs.start;
            for start in (0..weights.n_inputs).step_by(depth) {
                let inputs = start..weights.n_inputs.min(start + depth);
                panel.fill(instructions, weights, tile.clone(), inputs.clone());
                for stripe in 0..x.n_stripes() {
                    let mut sums = [[0.0; PANEL]; STRIPE];
                    let rows = stripe * STRIPE..n_rows.min((stripe + 1) * STRIPE);
                    if start != 0 {
                        for (sums, row) in sums.iter_mut().zip(rows.clone()) {
                            let [out] = out.rows(row, columns.clone());
                            sums[..out.len()].copy_from_slice(out);
                        }
                    }
                    let x = x.stripe(stripe, start, inputs.len());
                    kernels::tile(instructions, panel, &x, &mut sums);
                    for (sums, row) in sums.iter().zip(rows) {
                        let [out] = out.rows(row, columns.clone());
                        out.copy_from_slice(&sums[..out.len()]);
                    }
                }
            }
        }
    });
}

impl Panel {
    /// Takes over `outputs`, at most [`PANEL`], with `inputs`, which are whole units and at most [`depth`].
    fn fill(
        &mut self,
        instructions: Instructions,
        weights: &View<'_>,
        outputs: Range<usize>,
        inputs: Range<usize>,
    ) {
        self.unit = weights.layout.activations().unit();
        match weights.layout.activations() {
            Activations::Plain => self.fill_with_floats(weights, outputs, inputs),
            _ => self.fill_with_integers(instructions, weights, outputs, inputs),
        }
    }

    fn fill_with_floats(
        &mut self,
        weights: &View<'_>,
        outputs: Range<usize>,
        inputs: Range<usize>,
    ) {
        let mut row = [0.0; DEPTH_OF_FLOATS];
        let row = &mut row[..inputs.len()];
        self.floats.resize(inputs.len(), Line::default());
        for (column, output) in outputs.enumerate() {
            weights.row(output).part(inputs.clone()).dequantise(row);
            for (line, weight) in self.floats.iter_mut().zip(row.iter()) {
                line.0[column] = *weight;
            }
        }
    }

    fn fill_with_integers(
        &mut self,
        instructions: Instructions,
        weights: &View<'_>,
        outputs: Range<usize>,
        inputs: Range<usize>,
    ) {
        let unit = self.unit;
        let has_minima = weights.layout.has_minima();
        let n_groups = if has_minima { inputs.len() / GROUP } else { 0 };
        self.integers.resize(inputs.len() / 2, Line::default());
        self.scales.resize(inputs.len() / unit, Line::default());
        self.minima.resize(n_groups, Line::default());
        // Columns without an output repeat the last one.
        let rows: [Row<'_>; PANEL] =
            std::array::from_fn(|i| weights.row((outputs.start + i).min(outputs.end - 1)));
        let mut integers = [[0; LONGEST_UNIT]; PANEL];
        let mut minima = [0.0; LONGEST_UNIT / GROUP];
        let lines = self.integers.chunks_exact_mut(unit / 2).zip(&mut self.scales);
        for (idx, (lines, scales)) in lines.enumerate() {
            let own = rows.iter().zip(&mut integers).zip(&mut scales.0).enumerate();
            for (column, ((row, integers), scale)) in own {
                let of_row = inputs.start / unit + idx;
                let integers = &mut integers[..unit];
                *scale = kernels::unit(instructions, *row, of_row, integers, &mut minima);
                if has_minima {
                    let lines = self.minima[idx * unit / GROUP..].iter_mut();
                    for (line, minimum) in lines.zip(minima).take(unit / GROUP) {
                        line.0[column] = minimum;
                    }
                }
            }
            for (group, lines) in lines.as_chunks_mut::<{ GROUP / 2 }>().0.iter_mut().enumerate() {
                kernels::turn(instructions, &integers, group * GROUP, lines);
            }
        }
    }
}
