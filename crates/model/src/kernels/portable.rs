//! The same for any machine, and the plain twin that the others are tested against.

use std::ops::Range;

use crate::layout::{Activations, GROUP, LONGEST_UNIT, Row, View};
use crate::operand::Operand;
use crate::panel::{Line, PANEL, Panel, STRIPE, Stripe};

pub(super) fn run<const ROWS: usize>(
    weights: &View<'_>,
    outputs: Range<usize>,
    x: &Operand,
    first_row: usize,
    out: [&mut [f32]; ROWS],
) {
    for (row, out) in (first_row..).zip(out) {
        for (out, output) in out.iter_mut().zip(outputs.clone()) {
            *out = match weights.layout.activations() {
                Activations::Plain => plain(weights.row(output), x, row),
                _ => integers(weights.row(output), x, row),
            };
        }
    }
}

fn integers(weights: Row<'_>, x: &Operand, row: usize) -> f32 {
    let unit = weights.layout.activations().unit();
    let n_units = x.n_inputs / unit;
    let activations = &x.integers[row * x.n_inputs..(row + 1) * x.n_inputs];
    let factors = &x.factors[row * n_units..(row + 1) * n_units];
    let has_minima = weights.layout.has_minima();
    let mut integers = [0; LONGEST_UNIT];
    let mut total = 0.0;
    for (idx, (x, [scale, sum])) in activations.chunks_exact(unit).zip(factors).enumerate() {
        let mut minima = [0.0; LONGEST_UNIT / GROUP];
        let weight_scale = weights.unit(idx, &mut integers[..unit], &mut minima);
        let products = integers.iter().zip(x).map(|(w, x)| i32::from(*w) * i32::from(*x));
        total += products.sum::<i32>() as f32 * (weight_scale * scale);
        match (has_minima, unit) {
            (false, _) => {}
            (true, GROUP) => total += minima[0] * sum,
            (true, _) => {
                for (x, minimum) in x.chunks_exact(GROUP).zip(minima) {
                    let sum: i32 = x.iter().map(|x| i32::from(*x)).sum();
                    total += minimum * (scale * sum as f32);
                }
            }
        }
    }
    total
}

fn plain(weights: Row<'_>, x: &Operand, row: usize) -> f32 {
    const STEP: usize = 64;
    let (_, n_bytes) = weights.layout.block();
    let x = &x.values[row * x.n_inputs..(row + 1) * x.n_inputs];
    let mut values = [0.0; STEP];
    let mut total = 0.0;
    for (bytes, x) in weights.bytes.chunks(STEP * n_bytes).zip(x.chunks(STEP)) {
        Row { bytes, ..weights }.dequantise(&mut values[..x.len()]);
        total += values.iter().zip(x).map(|(w, x)| w * x).sum::<f32>();
    }
    total
}

pub(super) fn tile(panel: &Panel, x: &Stripe<'_>, sums: &mut [[f32; PANEL]; STRIPE]) {
    for (row, sums) in sums.iter_mut().enumerate() {
        if panel.unit == 1 {
            for (weights, x) in panel.floats.iter().zip(x.floats) {
                for (sum, weight) in sums.iter_mut().zip(&weights.0) {
                    *sum += weight * x[row];
                }
            }
            continue;
        }
        let units = panel.integers.chunks_exact(panel.unit / 2).zip(&panel.scales);
        let units = units.zip(x.integers.chunks_exact(panel.unit / 2).zip(x.scales));
        for ((weights, scales), (x, scale)) in units {
            let mut products = [0; PANEL];
            for (weights, x) in weights.iter().zip(x) {
                let [a, b] = x[row];
                for (product, [v, w]) in products.iter_mut().zip(&weights.0) {
                    *product += i32::from(*v) * i32::from(a) + i32::from(*w) * i32::from(b);
                }
            }
            for ((sum, product), weight_scale) in sums.iter_mut().zip(products).zip(&scales.0) {
                *sum += product as f32 * (weight_scale * scale[row]);
            }
        }
        for (minima, x) in panel.minima.iter().zip(x.sums) {
            for (sum, minimum) in sums.iter_mut().zip(&minima.0) {
                *sum += minimum * x[row];
            }
        }
    }
}

pub(super) fn turn(rows: &[&[i16; GROUP]; PANEL], lines: &mut [Line<[i16; 2]>; GROUP / 2]) {
    for (column, row) in rows.iter().enumerate() {
        for (line, pair) in lines.iter_mut().zip(row.as_chunks().0) {
            line.0[column] = *pair;
        }
    }
}
