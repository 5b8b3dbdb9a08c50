//! Weights and activations in the order in which a product of many rows takes them.
//!
//! A panel holds a stretch of inputs of 16 outputs, two or four inputs of each output side by side, and a stripe the same
//! stretch of six rows of activations: twelve sums of registers, and what they are made from, are all that a machine has.

use crate::layout::{Activations, GROUP, Packing, STEPPED};
use crate::operand::Operand;

/// Outputs of a panel.
pub(crate) const PANEL: usize = 16;

/// Rows of a stripe.
pub(crate) const STRIPE: usize = 6;

/// Most inputs of a panel: it and a stripe stay in the nearest cache.
pub(crate) fn depth(packing: Packing) -> usize {
    match packing {
        Packing::Pairs => 512,
        Packing::Fours { .. } => 1024,
    }
}

/// What is added to activations that are multiplied as bytes, as one of the factors must be unsigned.
pub(crate) const BIAS: i16 = 128;

/// One number, or several, of each output; half of it lies within one line of the cache.
#[derive(Debug, Clone, Copy, Default)]
#[repr(align(64))]
pub(crate) struct Line<T>(pub(crate) [T; PANEL]);

#[derive(Debug, Default)]
pub(crate) struct Panel {
    /// Inputs that share a scale.
    pub(crate) unit: usize,
    pub(crate) packing: Packing,
    /// `[inputs / 2]` of [`Packing::Pairs`].
    pub(crate) pairs: Vec<Line<[i16; 2]>>,
    /// `[inputs / 4]` of [`Packing::Fours`].
    pub(crate) fours: Vec<Line<[i8; 4]>>,
    /// `[inputs / sum_len]`: what takes [`BIAS`] out of the sums of products, whose even and odd pairs stand apart.
    pub(crate) starts: Vec<Line<[i16; 2]>>,
    /// `[inputs / sum_len]`: what those sums are multiplied with, twice; nothing where that is one.
    pub(crate) steps: Vec<Line<[i16; 2]>>,
    /// `[inputs / unit]`
    pub(crate) scales: Vec<Line<f32>>,
    /// `[inputs / 64]` of units of 256 with minima: those of two groups.
    pub(crate) minima: Vec<Line<[i16; 2]>>,
    /// `[inputs / unit]`, or nothing.
    pub(crate) minimum_scales: Vec<Line<f32>>,
}

/// Activations in stripes, stretch by stretch; the last stripe is filled up with zeros.
#[derive(Debug, Default)]
pub(crate) struct Stripes {
    n_stripes: usize,
    unit: usize,
    /// `[stretches][stripes][inputs / 2]` for [`Packing::Pairs`].
    pairs: Vec<[[i16; 2]; STRIPE]>,
    /// `[stretches][stripes][inputs / 4]` for [`Packing::Fours`], with [`BIAS`] added.
    fours: Vec<[[u8; 4]; STRIPE]>,
    /// `[stretches][stripes][inputs / unit]`: the scale of a unit.
    scales: Vec<[f32; STRIPE]>,
    /// `[stretches][stripes][inputs / unit]`: its sum in real numbers.
    sums: Vec<[f32; STRIPE]>,
    /// `[stretches][stripes][inputs / 64]`: sums of the integers of two groups.
    group_sums: Vec<[[i16; 2]; STRIPE]>,
}

/// A stretch of inputs of some rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stripe<'a> {
    pub(crate) pairs: &'a [[[i16; 2]; STRIPE]],
    pub(crate) fours: &'a [[[u8; 4]; STRIPE]],
    pub(crate) scales: &'a [[f32; STRIPE]],
    pub(crate) sums: &'a [[f32; STRIPE]],
    pub(crate) group_sums: &'a [[[i16; 2]; STRIPE]],
}

impl Stripes {
    pub(crate) fn fill(&mut self, activations: Activations, packing: Packing, x: &Operand) {
        let (n, unit) = (x.n_inputs, activations.unit());
        let n_stripes = x.n_rows.div_ceil(STRIPE);
        (self.n_stripes, self.unit) = (n_stripes, unit);
        let n_of = |is_there: bool, len: usize| if is_there { n_stripes * n / len } else { 0 };
        let in_pairs = packing == Packing::Pairs;
        cleared(&mut self.pairs, n_of(in_pairs, 2), [[0; 2]; STRIPE]);
        cleared(&mut self.fours, n_of(!in_pairs, 4), [[0; 4]; STRIPE]);
        cleared(&mut self.scales, n_of(true, unit), [0.0; STRIPE]);
        cleared(&mut self.sums, n_of(true, unit), [0.0; STRIPE]);
        let has_group_sums = activations == Activations::Bytes256;
        cleared(&mut self.group_sums, n_of(has_group_sums, 2 * GROUP), [[0; 2]; STRIPE]);
        let most = depth(packing);
        for start in (0..n).step_by(most) {
            let depth = most.min(n - start);
            for row in 0..x.n_rows {
                let (stripe, i) = (row / STRIPE, row % STRIPE);
                let first = start * n_stripes + stripe * depth;
                let integers = &x.integers[row * n + start..][..depth];
                if in_pairs {
                    let pairs = integers.as_chunks().0;
                    for (out, [a, b]) in self.pairs[first / 2..].iter_mut().zip(pairs) {
                        out[i] = [(*a).into(), (*b).into()];
                    }
                } else {
                    let fours = integers.as_chunks::<4>().0;
                    for (out, four) in self.fours[first / 4..].iter_mut().zip(fours) {
                        out[i] = four.map(|q| q.cast_unsigned() ^ 0x80);
                    }
                }
                let factors = &x.factors[(row * n + start) / unit..][..depth / unit];
                let own =
                    self.scales[first / unit..].iter_mut().zip(&mut self.sums[first / unit..]);
                for ((scales, sums), [scale, sum]) in own.zip(factors) {
                    (scales[i], sums[i]) = (*scale, *sum);
                }
                if has_group_sums {
                    let sums = x.sums[(row * n + start) / STEPPED..][..depth / STEPPED].as_chunks();
                    let group_sums = self.group_sums[first / (2 * GROUP)..].iter_mut();
                    for (out, [a, b, c, d]) in group_sums.zip(sums.0) {
                        out[i] = [a + b, c + d];
                    }
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
        Stripe {
            pairs: part(&self.pairs, first, depth, 2),
            fours: part(&self.fours, first, depth, 4),
            scales: part(&self.scales, first, depth, self.unit),
            sums: part(&self.sums, first, depth, self.unit),
            group_sums: part(&self.group_sums, first, depth, 2 * GROUP),
        }
    }
}

fn cleared<T: Clone>(list: &mut Vec<T>, len: usize, value: T) {
    list.clear();
    list.resize(len, value);
}

/// What a list with an element for `per_element` inputs says of some; nothing if it is not there.
fn part<T>(list: &[T], first: usize, depth: usize, per_element: usize) -> &[T] {
    if list.is_empty() {
        return &[];
    }
    &list[first / per_element..(first + depth) / per_element]
}
