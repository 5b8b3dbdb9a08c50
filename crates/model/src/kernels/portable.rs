//! The same for any machine, and the plain twin that the others are tested against.

use std::ops::Range;

use crate::layout::{Activations, GROUP, Packing, Row, STEPPED, Unit, View};
use crate::operand::Operand;
use crate::panel::{BIAS, Line, PANEL, Panel, STRIPE, Stripe};

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
    let len = weights.layout.activations().unit();
    let n_units = x.n_inputs / len;
    let integers = &x.integers[row * x.n_inputs..(row + 1) * x.n_inputs];
    let factors = &x.factors[row * n_units..(row + 1) * n_units];
    let mut unit = Unit::default();
    let mut total = 0.0;
    for (idx, (x, [scale, sum])) in integers.chunks_exact(len).zip(factors).enumerate() {
        weights.unit(idx, &mut unit);
        let mut products = 0;
        for (i, (w, x)) in unit.integers.iter().zip(x).enumerate() {
            products += i32::from(unit.steps[i / STEPPED]) * i32::from(*w) * i32::from(*x);
        }
        total += products as f32 * (unit.scale * scale);
        match (weights.layout.has_minima(), len) {
            (false, _) => {}
            (true, GROUP) => total += unit.minimum_scale * sum,
            (true, _) => {
                let mut products = 0;
                for (x, minimum) in x.chunks_exact(GROUP).zip(unit.minima) {
                    products += i32::from(minimum) * x.iter().map(|x| i32::from(*x)).sum::<i32>();
                }
                total += products as f32 * (unit.minimum_scale * scale);
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
        for (idx, scales) in panel.scales.iter().enumerate() {
            let products = products(panel, x, row, idx);
            let x_scale = x.scales[idx][row];
            for ((sum, product), scale) in sums.iter_mut().zip(products).zip(&scales.0) {
                *sum += product as f32 * (scale * x_scale);
            }
            let Some(minimum_scales) = panel.minimum_scales.get(idx) else { continue };
            let own = sums.iter_mut().zip(&minimum_scales.0);
            if panel.unit == GROUP {
                own.for_each(|(sum, minimum)| *sum += minimum * x.sums[idx][row]);
                continue;
            }
            let n_pairs = panel.unit / (2 * GROUP);
            let mut products = [0; PANEL];
            for pair in idx * n_pairs..(idx + 1) * n_pairs {
                let factors = x.group_sums[pair][row];
                add_pairs(&mut products, &panel.minima[pair].0, factors);
            }
            for ((sum, scale), product) in own.zip(products) {
                *sum += product as f32 * (scale * x_scale);
            }
        }
    }
}

/// Of one row with unit `idx` of each output.
fn products(panel: &Panel, x: &Stripe<'_>, row: usize, idx: usize) -> [i32; PANEL] {
    let mut products = [0; PANEL];
    match panel.packing {
        Packing::Pairs => {
            let pairs = idx * panel.unit / 2..(idx + 1) * panel.unit / 2;
            for (weights, x) in panel.pairs[pairs.clone()].iter().zip(&x.pairs[pairs]) {
                add_pairs(&mut products, &weights.0, x[row]);
            }
        }
        Packing::Fours { sum_len } => {
            for sum in idx * panel.unit / sum_len..(idx + 1) * panel.unit / sum_len {
                let fours = sum * sum_len / 4..(sum + 1) * sum_len / 4;
                let mut of_sum = panel.starts[sum].0.map(|start| start.map(i32::from));
                for (weights, x) in panel.fours[fours.clone()].iter().zip(&x.fours[fours]) {
                    for (sums, weights) in of_sum.iter_mut().zip(&weights.0) {
                        for (i, (weight, x)) in weights.iter().zip(&x[row]).enumerate() {
                            sums[i / 2] += i32::from(*weight) * i32::from(*x);
                        }
                    }
                }
                for (column, (product, sums)) in products.iter_mut().zip(of_sum).enumerate() {
                    let steps = panel.steps.get(sum).map_or([1; 2], |steps| steps.0[column]);
                    // The start may have gone round in 16 bits, and the sums then do so too.
                    let [a, b] = sums.map(|sum| i32::from(sum as i16));
                    *product += a * i32::from(steps[0]) + b * i32::from(steps[1]);
                }
            }
        }
    }
    products
}

fn add_pairs(products: &mut [i32; PANEL], weights: &[[i16; 2]; PANEL], [a, b]: [i16; 2]) {
    for (product, [v, w]) in products.iter_mut().zip(weights) {
        *product += i32::from(*v) * i32::from(a) + i32::from(*w) * i32::from(b);
    }
}

pub(super) fn turn_pairs(rows: &[&[i8; GROUP]; PANEL], lines: &mut [Line<[i16; 2]>]) {
    for (column, row) in rows.iter().enumerate() {
        for (line, [a, b]) in lines.iter_mut().zip(row.as_chunks().0) {
            line.0[column] = [(*a).into(), (*b).into()];
        }
    }
}

pub(super) fn turn_fours(rows: &[&[i8; GROUP]; PANEL], lines: &mut [Line<[i8; 4]>]) {
    for (column, row) in rows.iter().enumerate() {
        for (line, four) in lines.iter_mut().zip(row.as_chunks().0) {
            line.0[column] = *four;
        }
    }
}

pub(super) fn start(lines: &[Line<[i8; 4]>]) -> Line<[i16; 2]> {
    let mut start = Line([[0i16; 2]; PANEL]);
    for line in lines {
        for (start, four) in start.0.iter_mut().zip(&line.0) {
            for (i, weight) in four.iter().enumerate() {
                start[i / 2] = start[i / 2].wrapping_sub(BIAS * i16::from(*weight));
            }
        }
    }
    start
}
