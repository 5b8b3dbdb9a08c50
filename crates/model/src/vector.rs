//! What happens to rows of numbers between two products: norms, rotation, SwiGLU and sums, in single precision.

use crate::real::Real;
use crate::{Error, Weights};

/// Numbers that are worth a thread of their own.
const PER_PART: usize = 1 << 15;

/// x / rms(x) * weight of each row.
#[derive(Debug)]
pub(crate) struct RmsNorm {
    weight: Vec<f32>,
    eps: f64,
}

impl RmsNorm {
    pub(crate) fn load(
        weights: &Weights,
        name: &str,
        width: usize,
        eps: f64,
    ) -> Result<Self, Error> {
        Ok(Self { weight: vector(weights, name, width)?, eps })
    }

    /// [rows, width] to as many rows in `out`.
    pub(crate) fn apply(&self, x: &[f32], out: &mut Vec<f32>) {
        let width = self.weight.len();
        out.resize(x.len(), 0.0);
        for (x, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
            let mean = sum_of_squares(x) / width as f64;
            let factor = (1.0 / (mean + self.eps).sqrt()) as f32;
            for ((out, x), weight) in out.iter_mut().zip(x).zip(&self.weight) {
                *out = x * factor * weight;
            }
        }
    }
}

/// A vector of the checkpoint.
pub(crate) fn vector(weights: &Weights, name: &str, width: usize) -> Result<Vec<f32>, Error> {
    Ok(weights.tensor(name, &[width], candle_core::DType::F32)?.to_vec1()?)
}

fn sum_of_squares(x: &[f32]) -> f64 {
    const LANES: usize = 8;
    let (lanes, rest) = x.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for lanes in lanes {
        for (sum, x) in sums.iter_mut().zip(lanes) {
            let x = f64::from(*x);
            *sum += x * x;
        }
    }
    sums.iter().sum::<f64>() + rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>()
}

/// Cosines and sines of some positions, [positions, head_dim / 2] each.
#[derive(Debug)]
pub(crate) struct Angles {
    /// Of position 1.
    frequencies: Vec<f64>,
    cos: Vec<f32>,
    sin: Vec<f32>,
}

impl Angles {
    pub(crate) fn new(head_dim: usize, theta: f64) -> Self {
        let exponent = |pair: usize| -2.0 * pair as f64 / head_dim as f64;
        let frequencies = (0..head_dim / 2).map(|pair| theta.powf(exponent(pair))).collect();
        Self { frequencies, cos: Vec::new(), sin: Vec::new() }
    }

    /// Angles are computed in double precision and rounded once.
    pub(crate) fn set(&mut self, positions: impl Iterator<Item = usize>) {
        self.cos.clear();
        self.sin.clear();
        for position in positions {
            for frequency in &self.frequencies {
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                self.cos.push(cos as f32);
                self.sin.push(sin as f32);
            }
        }
    }

    /// Forgets the first `n` of the positions.
    pub(crate) fn drop_first(&mut self, n: usize) {
        let n_angles = n * self.frequencies.len();
        self.cos.drain(..n_angles);
        self.sin.drain(..n_angles);
    }

    /// Rotates one head of the row at the `row`th of the positions.
    pub(crate) fn rotate(&self, row: usize, head: &mut [f32]) {
        let half = self.frequencies.len();
        let (cos, sin) = (&self.cos[row * half..], &self.sin[row * half..]);
        let (first, second) = head.split_at_mut(half);
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            (*a, *b) = (*a * cos - *b * sin, *a * sin + *b * cos);
        }
    }
}

/// SwiGLU: silu of the first half of each row times the second half, [rows, 2 * width] to [rows, width].
pub(crate) fn swiglu(gate_up: &[f32], width: usize, out: &mut Vec<f32>) {
    out.resize(gate_up.len() / 2, 0.0);
    let len = out.len();
    crate::pool::for_each_columns(out, len, PER_PART, |mut columns| {
        let range = columns.range();
        let [mut out] = columns.rows(0, 0..range.len());
        let mut at = range.start;
        // Up to the end of the row at a time.
        while !out.is_empty() {
            let (row, column) = (at / width, at % width);
            let n = out.len().min(width - column);
            let gate = &gate_up[2 * row * width + column..][..n];
            let up = &gate_up[(2 * row + 1) * width + column..][..n];
            let (now, later) = out.split_at_mut(n);
            for ((out, gate), up) in now.iter_mut().zip(gate).zip(up) {
                *out = silu(*gate) * up;
            }
            (out, at) = (later, at + n);
        }
    });
}

/// x * sigmoid(x).
fn silu(x: f32) -> f32 {
    x * sigmoid(x)
}

pub(crate) fn sigmoid(x: f32) -> f32 {
    // The exponential of a number above zero may be infinite.
    let small = (-x.abs()).exp_of_negative();
    (if x < 0.0 { small } else { 1.0 }) / (1.0 + small)
}

/// Adds `y` to `x`.
pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_logistic_function_is_right_at_its_ends_and_between() {
        for i in -200..=200 {
            let x = i as f32 / 2.0;
            let expected = 1.0 / (1.0 + f64::from(-x).exp());
            let error = (f64::from(sigmoid(x)) - expected).abs();
            assert!(error < 1e-6, "{x}: {error:e}");
        }
        assert!(sigmoid(f32::NAN).is_nan());
    }

    #[test]
    fn halves_of_a_row_are_multiplied() {
        let width = 40_000;
        let gate_up: Vec<f32> = (0..4 * width).map(|i| (i as f32 * 0.37).sin()).collect();
        let mut out = Vec::new();
        swiglu(&gate_up, width, &mut out);
        assert_eq!(out.len(), 2 * width);
        for (i, out) in out.iter().enumerate() {
            let at = i / width * 2 * width + i % width;
            let expected = silu(gate_up[at]) * gate_up[at + width];
            assert_eq!(*out, expected, "{i}");
        }
    }

    #[test]
    fn a_norm_divides_by_the_root_of_the_mean_square() {
        let norm = RmsNorm { weight: vec![1.0, 2.0, 0.5], eps: 0.0 };
        let mut out = Vec::new();
        norm.apply(&[3.0, 0.0, 0.0, 1.0, 1.0, -1.0], &mut out);
        let expected = [3f32.sqrt(), 0.0, 0.0, 1.0, 2.0, -0.5];
        for (found, expected) in out.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{out:?}");
        }
    }
}
