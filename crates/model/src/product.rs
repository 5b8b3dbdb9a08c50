//! Products of many rows of activations with a matrix: a panel of weights serves all rows.

use std::cell::RefCell;
use std::ops::Range;

use crate::kernels::{self, Instructions};
use crate::layout::View;
use crate::panel::{PANEL, Panel, STRIPE, Stripes, depth};
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
                panel.fill(weights, tile.clone(), inputs.clone());
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
