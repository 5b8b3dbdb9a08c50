//! Products of many rows of activations with a matrix of integers: a panel of weights serves all rows.

use std::cell::RefCell;
use std::ops::Range;

use crate::kernels::{self, Instructions};
use crate::layout::{Activations, GROUP, Packing, Row, STEPPED, Unit, View};
use crate::panel::{Line, PANEL, Panel, STRIPE, Stripes, depth};
use crate::pool::Columns;

/// Writes x W^T for outputs `outputs` of `weights` into columns `out`, from the `skipped`th on.
///
/// `x` holds what [`crate::layout::Layout::activations`] and [`crate::layout::Layout::packing`] of the weights say, of
/// `n_rows` rows. The bits are those of [`kernels::multiply`].
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
    let depth = depth(weights.layout.packing().unwrap_or_default());
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
        let layout = weights.layout;
        let unit = layout.activations().unit();
        self.unit = unit;
        self.packing = layout.packing().unwrap_or_default();
        let (in_pairs, sum_len) = match self.packing {
            Packing::Pairs => (true, unit),
            Packing::Fours { sum_len } => (false, sum_len),
        };
        let n_of = |is_there: bool, len: usize| if is_there { inputs.len() / len } else { 0 };
        let has_group_minima = layout.has_minima() && layout.activations() == Activations::Bytes256;
        self.pairs.resize(n_of(in_pairs, 2), Line::default());
        self.fours.resize(n_of(!in_pairs, 4), Line::default());
        self.starts.resize(n_of(!in_pairs, sum_len), Line::default());
        self.steps.resize(n_of(layout.has_steps(), sum_len), Line::default());
        self.scales.resize(n_of(true, unit), Line::default());
        self.minima.resize(n_of(has_group_minima, 2 * GROUP), Line::default());
        self.minimum_scales.resize(n_of(layout.has_minima(), unit), Line::default());

        // Columns without an output repeat the last one.
        let rows: [Row<'_>; PANEL] =
            std::array::from_fn(|i| weights.row((outputs.start + i).min(outputs.end - 1)));
        let mut units = [Unit::default(); PANEL];
        for idx in 0..inputs.len() / unit {
            kernels::units(instructions, &rows, inputs.start / unit + idx, &mut units);
            self.take_over(instructions, idx, &units);
        }
    }

    /// Unit `idx` of each output.
    fn take_over(&mut self, instructions: Instructions, idx: usize, units: &[Unit; PANEL]) {
        let unit = self.unit;
        self.scales[idx] = Line(units.each_ref().map(|unit| unit.scale));
        if let Some(line) = self.minimum_scales.get_mut(idx) {
            *line = Line(units.each_ref().map(|unit| unit.minimum_scale));
        }
        let n_pairs = unit / (2 * GROUP);
        for (i, line) in self.minima.iter_mut().skip(idx * n_pairs).take(n_pairs).enumerate() {
            *line = Line(units.each_ref().map(|unit| [unit.minima[2 * i], unit.minima[2 * i + 1]]));
        }
        for group in 0..unit / GROUP {
            let start = group * GROUP;
            let integers = units
                .each_ref()
                .map(|unit| unit.integers[start..].first_chunk::<GROUP>().unwrap_or(&[0; GROUP]));
            let first = idx * unit + start;
            match self.packing {
                Packing::Pairs => {
                    let lines = &mut self.pairs[first / 2..(first + GROUP) / 2];
                    kernels::turn_pairs(instructions, &integers, lines);
                }
                Packing::Fours { sum_len } => {
                    let lines = &mut self.fours[first / 4..(first + GROUP) / 4];
                    kernels::turn_fours(instructions, &integers, lines);
                    let sums = lines.chunks_exact(sum_len / 4).zip(first / sum_len..);
                    for (i, (lines, sum)) in sums.enumerate() {
                        self.starts[sum] = kernels::start(instructions, lines);
                        if let Some(line) = self.steps.get_mut(sum) {
                            let step = (start + i * sum_len) / STEPPED;
                            *line = Line(units.each_ref().map(|unit| [unit.steps[step]; 2]));
                        }
                    }
                }
            }
        }
    }
}
