//! Every layout against double precision with the same rounding, in every set of instructions that the machine has.

use proptest::prelude::*;

use super::*;
use crate::layout::{Activations, Layout};
use crate::panel::Stripes;
use crate::{pool, product};

const LAYOUTS: [Layout; 16] = [
    Layout::F32,
    Layout::F16,
    Layout::Bf16,
    Layout::Q4_0,
    Layout::Q4_1,
    Layout::Q5_0,
    Layout::Q5_1,
    Layout::Q8_0,
    Layout::Q4K,
    Layout::Q5K,
    Layout::Q6K,
    Layout::Int8 { group_size: 128 },
    Layout::Int8 { group_size: 64 },
    Layout::Int8 { group_size: 32 },
    Layout::Int4 { group_size: 64 },
    Layout::Int4 { group_size: 32 },
];

/// The sets of instructions that can run here.
fn instructions() -> Vec<Instructions> {
    let mut all = vec![Instructions::Portable, Instructions::best()];
    #[cfg(target_arch = "x86_64")]
    if Instructions::best() == Instructions::Avx2Vnni {
        all.push(Instructions::Avx2);
    }
    all.dedup();
    all
}

struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) as u32
    }

    /// In -1..1.
    fn real(&mut self) -> f32 {
        self.next() as f32 / (1u32 << 30) as f32 - 1.0
    }
}

struct Case {
    layout: Layout,
    n_outputs: usize,
    n_inputs: usize,
    bytes: Vec<u8>,
    scales: Vec<f32>,
    paired: Option<usize>,
    x: Vec<f32>,
}

impl Case {
    /// Any bytes are integers; floats, and the scales among them, are kept small.
    fn new(layout: Layout, n_outputs: usize, n_inputs: usize, n_rows: usize, seed: u64) -> Self {
        let mut numbers = Numbers(seed);
        let (_, block_bytes) = layout.block();
        let n_bytes = n_outputs * layout.n_bytes(n_inputs).unwrap();
        let mut bytes: Vec<u8> = (0..n_bytes).map(|_| (numbers.next() >> 3) as u8).collect();
        for block in bytes.chunks_exact_mut(block_bytes) {
            let mut half = || half::f16::from_f32(numbers.real()).to_le_bytes();
            match layout {
                Layout::F32 => block.copy_from_slice(&numbers.real().to_le_bytes()),
                Layout::F16 => block.copy_from_slice(&half()),
                Layout::Bf16 => {
                    block.copy_from_slice(&half::bf16::from_f32(numbers.real()).to_le_bytes());
                }
                Layout::Int8 { .. } | Layout::Int4 { .. } => {}
                Layout::Q6K => block[208..].copy_from_slice(&half()),
                Layout::Q4_0 | Layout::Q5_0 | Layout::Q8_0 => block[..2].copy_from_slice(&half()),
                Layout::Q4_1 | Layout::Q5_1 | Layout::Q4K | Layout::Q5K => {
                    block[..2].copy_from_slice(&half());
                    block[2..4].copy_from_slice(&half());
                }
            }
        }
        let scales = (0..n_outputs * layout.n_scales(n_inputs)).map(|_| numbers.real()).collect();
        let x = (0..n_rows * n_inputs).map(|_| numbers.real()).collect();
        Self { layout, n_outputs, n_inputs, bytes, scales, paired: None, x }
    }

    fn view(&self) -> View<'_> {
        View {
            layout: self.layout,
            n_outputs: self.n_outputs,
            n_inputs: self.n_inputs,
            bytes: &self.bytes,
            scales: &self.scales,
            paired: self.paired,
        }
    }

    fn operand(&self) -> Operand {
        let mut operand = Operand::default();
        operand.fill(self.layout.activations(), &self.x, self.n_inputs);
        operand
    }

    fn n_rows(&self) -> usize {
        self.x.len() / self.n_inputs
    }

    /// Through the kernels for a few rows or through panels.
    fn product(&self, instructions: Instructions, in_panels: bool) -> Vec<f32> {
        let (view, operand) = (self.view(), self.operand());
        let mut stripes = Stripes::default();
        let packing = self.layout.packing();
        if let Some(packing) = packing {
            stripes.fill(self.layout.activations(), packing, &operand);
        }
        let x = (&stripes, operand.n_rows);
        let mut out = vec![f32::NAN; self.n_rows() * self.n_outputs];
        pool::for_each_columns(&mut out, self.n_outputs, 24, |mut columns| {
            let outputs = columns.range();
            match in_panels && packing.is_some() {
                false => multiply(instructions, &view, outputs, &operand, &mut columns, 0),
                true => product::multiply(instructions, &view, outputs, x, &mut columns, 0),
            }
        });
        out
    }

    /// The same in double precision, and the sum of magnitudes that an error is measured by.
    fn oracle(&self) -> Vec<(f64, f64)> {
        let operand = self.operand();
        let unit = self.layout.activations().unit();
        let mut weights = vec![0.0; self.n_inputs];
        let mut out = vec![(0.0, 0.0); self.n_rows() * self.n_outputs];
        for output in 0..self.n_outputs {
            self.view().row(output).dequantise(&mut weights);
            for row in 0..self.n_rows() {
                let out = &mut out[row * self.n_outputs + output];
                for (i, weight) in weights.iter().enumerate() {
                    let at = row * self.n_inputs + i;
                    let x = match self.layout.activations() {
                        Activations::Plain => f64::from(self.x[at]),
                        _ => {
                            f64::from(operand.integers[at])
                                * f64::from(operand.factors[at / unit][0])
                        }
                    };
                    let product = f64::from(*weight) * x;
                    *out = (out.0 + product, out.1 + product.abs());
                }
            }
        }
        out
    }

    fn check(&self) {
        // ggml keeps the sums of Q8_1 in half precision, of which the oracle knows nothing.
        let tolerance = match (self.layout.activations(), self.layout.has_minima()) {
            (Activations::BytesHalf, true) => 1e-3,
            _ => 1e-6,
        };
        let expected = self.oracle();
        for instructions in instructions() {
            for in_panels in [false, true] {
                let found = self.product(instructions, in_panels);
                for (i, (found, (expected, magnitude))) in found.iter().zip(&expected).enumerate() {
                    let error = (f64::from(*found) - expected).abs() / magnitude.max(1e-30);
                    assert!(
                        error < tolerance,
                        "{:?} {instructions:?} panels {in_panels} at {i}: {found} is not {expected}",
                        self.layout
                    );
                }
            }
        }
    }
}

/// A layout and a number of inputs that it allows, more than a panel is deep or fewer.
fn shapes() -> impl Strategy<Value = (Layout, usize)> {
    (proptest::sample::select(LAYOUTS.to_vec()), 1..24usize).prop_map(|(layout, n)| {
        let (len, _) = layout.block();
        match len {
            1 => (layout, n * 29),
            256 => (layout, n.div_ceil(4) * 256),
            _ => (layout, (n * 32).next_multiple_of(len)),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn products_are_those_of_double_precision(
        (layout, n_inputs) in shapes(),
        n_outputs in 1..70usize,
        n_rows in 1..20usize,
        seed in any::<u64>(),
    ) {
        Case::new(layout, n_outputs, n_inputs, n_rows, seed).check();
    }

    #[test]
    fn a_row_gives_the_same_bits_alone_beside_others_and_in_panels(
        (layout, n_inputs) in shapes(),
        n_outputs in 1..40usize,
        n_rows in 2..17usize,
        seed in any::<u64>(),
    ) {
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let together = Case::new(layout, n_outputs, n_inputs, n_rows, seed);
        for instructions in instructions() {
            let found = together.product(instructions, false);
            let in_panels = together.product(instructions, true);
            prop_assert_eq!(bits(&in_panels), bits(&found), "{:?} {:?}", layout, instructions);
            for row in 0..n_rows {
                let mut alone = Case::new(layout, n_outputs, n_inputs, n_rows, seed);
                alone.x = together.x[row * n_inputs..(row + 1) * n_inputs].to_vec();
                let alone = alone.product(instructions, false);
                prop_assert_eq!(bits(&alone), bits(&found[row * n_outputs..(row + 1) * n_outputs]));
            }
        }
    }
}

#[test]
fn integers_at_their_limits_do_not_overflow() {
    for layout in LAYOUTS {
        for (byte, sign) in [(0x00, 1.0), (0x7f, 1.0), (0x80, -1.0), (0xff, 1.0), (0x81, 1.0)] {
            let mut case = Case::new(layout, 3, 512, 2, 1);
            let (_, block_bytes) = layout.block();
            let one = half::f16::from_f32(1.0).to_le_bytes();
            for block in case.bytes.chunks_exact_mut(block_bytes) {
                match layout {
                    Layout::F32 | Layout::F16 | Layout::Bf16 => continue,
                    Layout::Int8 { .. } | Layout::Int4 { .. } => block.fill(byte),
                    Layout::Q6K => {
                        block.fill(byte);
                        block[208..].copy_from_slice(&one);
                    }
                    Layout::Q4_0 | Layout::Q5_0 | Layout::Q8_0 => {
                        block.fill(byte);
                        block[..2].copy_from_slice(&one);
                    }
                    Layout::Q4_1 | Layout::Q5_1 | Layout::Q4K | Layout::Q5K => {
                        block.fill(byte);
                        block[..2].copy_from_slice(&one);
                        block[2..4].copy_from_slice(&one);
                    }
                }
            }
            case.x.fill(sign);
            case.check();
        }
    }
}

#[test]
fn rows_stored_in_pairs_come_in_halves() {
    for in_panels in [false, true] {
        let mut case = Case::new(Layout::Q8_0, 16, 64, 2, 7);
        let stored = case.product(Instructions::best(), in_panels);
        case.paired = Some(8);
        let found = case.product(Instructions::best(), in_panels);
        let order = [0, 2, 4, 6, 1, 3, 5, 7, 8, 10, 12, 14, 9, 11, 13, 15];
        for (i, found) in found.iter().enumerate() {
            assert_eq!(*found, stored[i / 16 * 16 + order[i % 16]]);
        }
    }
}
