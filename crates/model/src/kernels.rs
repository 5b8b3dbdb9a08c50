//! Products of a few rows of activations with the rows of a matrix, each weight read once for all of them.
//!
//! The instructions are chosen at run time: AVX2, with dot products of bytes (VNNI) where the machine has them, or what
//! every machine has. Sums of integers are exact, so these differ in the last bits of a sum of floats at most, and a
//! row's bits do not depend on the rows beside it.

mod portable;

#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::LazyLock;

use crate::layout::{GROUP, LONGEST_UNIT, Row, View};
use crate::operand::Operand;
use crate::panel::{Line, PANEL, Panel, STRIPE, Stripe};
use crate::pool::Columns;

/// Outputs whose weights stay in the nearest cache while the rows go by.
const TILE: usize = 8;

/// What a machine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx2Vnni,
}

impl Instructions {
    /// The best that this machine has.
    pub(crate) fn best() -> Self {
        static BEST: LazyLock<Instructions> = LazyLock::new(|| {
            #[cfg(target_arch = "x86_64")]
            {
                use std::is_x86_feature_detected as has;
                if has!("avx2") && has!("fma") && has!("f16c") {
                    return match has!("avx512vnni") && has!("avx512vl") {
                        true => Instructions::Avx2Vnni,
                        false => Instructions::Avx2,
                    };
                }
            }
            Instructions::Portable
        });
        *BEST
    }
}

/// Writes x W^T for outputs `outputs` of `weights` into columns `out`, from the `skipped`th on.
///
/// `x` holds what [`crate::layout::Layout::activations`] of the weights says, a row for each of `out`.
pub(crate) fn multiply(
    instructions: Instructions,
    weights: &View<'_>,
    outputs: Range<usize>,
    x: &Operand,
    out: &mut Columns<'_>,
    skipped: usize,
) {
    for start in outputs.clone().step_by(TILE) {
        let tile = start..outputs.end.min(start + TILE);
        let columns = skipped + start - outputs.start..skipped + tile.end - outputs.start;
        let mut row = 0;
        while row < x.n_rows {
            let (tile, columns) = (tile.clone(), columns.clone());
            row += match x.n_rows - row {
                1 => run::<1>(instructions, weights, tile, x, row, out.rows(row, columns)),
                2 | 3 => run::<2>(instructions, weights, tile, x, row, out.rows(row, columns)),
                _ => run::<4>(instructions, weights, tile, x, row, out.rows(row, columns)),
            };
        }
    }
}

/// Returns the number of rows, which are those of `x` from `first_row` on.
fn run<const ROWS: usize>(
    instructions: Instructions,
    weights: &View<'_>,
    outputs: Range<usize>,
    x: &Operand,
    first_row: usize,
    out: [&mut [f32]; ROWS],
) -> usize {
    match instructions {
        Instructions::Portable => portable::run(weights, outputs, x, first_row, out),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => x86::run::<false, ROWS>(weights, outputs, x, first_row, out),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2Vnni => x86::run::<true, ROWS>(weights, outputs, x, first_row, out),
    }
    ROWS
}

/// As [`Row::unit`].
#[inline]
pub(crate) fn unit(
    instructions: Instructions,
    row: Row<'_>,
    idx: usize,
    integers: &mut [i16],
    minima: &mut [f32],
) -> f32 {
    match instructions {
        Instructions::Portable => row.unit(idx, integers, minima),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::Avx2Vnni => x86::tile::unit(row, idx, integers, minima),
    }
}

/// Brings integers `start..start + 32` of each output into the lines of a panel.
pub(crate) fn turn(
    instructions: Instructions,
    rows: &[[i16; LONGEST_UNIT]; PANEL],
    start: usize,
    lines: &mut [Line<[i16; 2]>; GROUP / 2],
) {
    let rows = rows.each_ref().map(|row| row[start..].first_chunk::<GROUP>());
    let rows = rows.map(|row| row.unwrap_or(&[0; GROUP]));
    match instructions {
        Instructions::Portable => portable::turn(&rows, lines),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::Avx2Vnni => x86::tile::turn(&rows, lines),
    }
}

/// Adds the products of a panel with a stripe of as many inputs to `sums`.
pub(crate) fn tile(
    instructions: Instructions,
    panel: &Panel,
    x: &Stripe<'_>,
    sums: &mut [[f32; PANEL]; STRIPE],
) {
    match instructions {
        Instructions::Portable => portable::tile(panel, x, sums),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => x86::tile::run::<false>(panel, x, sums),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2Vnni => x86::tile::run::<true>(panel, x, sums),
    }
}

#[cfg(test)]
mod tests;
