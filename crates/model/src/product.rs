//! Products of many rows of activations with a matrix: weights are brought into panels, each of which serves all rows.

use std::cell::RefCell;
use std::ops::Range;

use crate::kernels::{self, Instructions};
use crate::layout::View;
use crate::operand::Operand;
use crate::panel::{DEPTH, PANEL, Panel};
use crate::pool::Columns;

/// Rows that one pass over a panel serves.
const ROWS: usize = 4;

/// Writes x W^T as [`kernels::multiply`] does; `x` is widened.
pub(crate) fn multiply(
    instructions: Instructions,
    weights: &View<'_>,
    outputs: Range<usize>,
    x: &Operand,
    out: &mut Columns<'_>,
    skipped: usize,
) {
    thread_local! {
        static ROOM: RefCell<Panel> = RefCell::default();
    }
    ROOM.with_borrow_mut(|panel| {
        for first in outputs.clone().step_by(PANEL) {
            let tile = first..outputs.end.min(first + PANEL);
            let columns = skipped + first - outputs.start..skipped + tile.end - outputs.start;
            for start in (0..x.n_inputs).step_by(DEPTH) {
                panel.fill(weights, tile.clone(), start..x.n_inputs.min(start + DEPTH));
                let mut row = 0;
                while row < x.n_rows {
                    let columns = columns.clone();
                    row += match x.n_rows - row {
                        1..ROWS => pass::<1>(instructions, panel, x, row, start, out, columns),
                        _ => pass::<ROWS>(instructions, panel, x, row, start, out, columns),
                    };
                }
            }
        }
    });
}

/// Adds the products of a panel and some rows to `out`, or begins with them; returns how many rows these were.
fn pass<const ROWS: usize>(
    instructions: Instructions,
    panel: &Panel,
    x: &Operand,
    row: usize,
    start: usize,
    out: &mut Columns<'_>,
    columns: Range<usize>,
) -> usize {
    let out = out.rows::<ROWS>(row, columns);
    let mut sums = [[0.0; PANEL]; ROWS];
    if start != 0 {
        for (sums, out) in sums.iter_mut().zip(&out) {
            sums[..out.len()].copy_from_slice(out);
        }
    }
    let stretches = std::array::from_fn(|i| x.stretch(row + i, start, panel.depth, panel.unit));
    kernels::tile(instructions, panel, &stretches, &mut sums);
    for (sums, out) in sums.iter().zip(out) {
        out.copy_from_slice(&sums[..out.len()]);
    }
    ROWS
}
