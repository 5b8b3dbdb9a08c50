//! Products of a few rows of activations with the rows of a matrix, each weight read once for all of them.
//!
//! The instructions are chosen at run time: AVX2, with dot products of bytes (VNNI) where the machine has them, or what
//! every machine has. Sums of integers are exact, so these differ in the last bits of a sum of floats at most. A row's
//! bits depend neither on the rows beside it nor, as scales are applied in the same order, on whether weights are read
//! where they lie or from panels ([`crate::product`]).

mod portable;

#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;
use std::sync::LazyLock;

use crate::layout::{GROUP, Row, Unit, View};
use crate::operand::Operand;
use crate::panel::{Line, PANEL, Panel, STRIPE, Stripe};
use crate::pool::Columns;

/// Outputs whose weights stay in the nearest cache while the rows go by.
const TILE: usize = 8;

/// Floats of activations that stay in the second cache while the weights go by.
const NEAR: usize = 1 << 16;

/// Rows in blocks of this many leave none over, as it is a multiple of every number of rows that is multiplied at once.
const ROW_BLOCK: usize = 12;

/// What a machine can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Instructions {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx2Vnni,
}

/// What weights are multiplied with on this processor, as `doctor` shows it.
pub fn processor_kernels() -> &'static str {
    match Instructions::best() {
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2Vnni => "AVX2 and AVX-512 VNNI",
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => "AVX2",
        Instructions::Portable => "portable",
    }
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
    let is_plain = weights.layout.packing().is_none();
    let n_near = (NEAR / weights.n_inputs.max(1)).max(ROW_BLOCK).next_multiple_of(ROW_BLOCK);
    for first_row in (0..x.n_rows).step_by(n_near) {
        let end_row = x.n_rows.min(first_row + n_near);
        for start in outputs.clone().step_by(TILE) {
            let tile = start..outputs.end.min(start + TILE);
            let columns = skipped + start - outputs.start..skipped + tile.end - outputs.start;
            let mut row = first_row;
            while row < end_row {
                let (tile, columns) = (tile.clone(), columns.clone());
                // As many as there are registers for their sums.
                row += match (end_row - row, is_plain) {
                    (1, _) => run::<1>(instructions, weights, tile, x, row, out.rows(row, columns)),
                    (2, _) | (3, false) | (4, true) => {
                        run::<2>(instructions, weights, tile, x, row, out.rows(row, columns))
                    }
                    (_, true) => {
                        run::<3>(instructions, weights, tile, x, row, out.rows(row, columns))
                    }
                    (_, false) => {
                        run::<4>(instructions, weights, tile, x, row, out.rows(row, columns))
                    }
                };
            }
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

/// As [`Row::unit`], for each output of a panel.
pub(crate) fn units(
    instructions: Instructions,
    rows: &[Row<'_>; PANEL],
    idx: usize,
    units: &mut [Unit; PANEL],
) {
    match instructions {
        Instructions::Portable => {
            rows.iter().zip(units).for_each(|(row, unit)| row.unit(idx, unit));
        }
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::Avx2Vnni => x86::units(rows, idx, units),
    }
}

/// Brings 32 integers of each output into the lines of a panel, two of each in a line.
pub(crate) fn turn_pairs(
    instructions: Instructions,
    rows: &[&[i8; GROUP]; PANEL],
    lines: &mut [Line<[i16; 2]>],
) {
    match instructions {
        Instructions::Portable => portable::turn_pairs(rows, lines),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::Avx2Vnni => x86::turn::pairs(rows, lines),
    }
}

/// The same with four of each in a line.
pub(crate) fn turn_fours(
    instructions: Instructions,
    rows: &[&[i8; GROUP]; PANEL],
    lines: &mut [Line<[i8; 4]>],
) {
    match instructions {
        Instructions::Portable => portable::turn_fours(rows, lines),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::Avx2Vnni => x86::turn::fours(rows, lines),
    }
}

/// What takes [`crate::panel::BIAS`] out of the sums over `lines`.
pub(crate) fn start(instructions: Instructions, lines: &[Line<[i8; 4]>]) -> Line<[i16; 2]> {
    match instructions {
        Instructions::Portable => portable::start(lines),
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 | Instructions::Avx2Vnni => x86::turn::start(lines),
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
