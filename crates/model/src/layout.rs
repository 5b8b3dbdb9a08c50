//! How the weights of a matrix lie in a file, and what each block of them says.
//!
//! The blocks of ggml are those of its `ggml-common.h`; `Int8` and `Int4` are this project's own, with scales beside them.

use std::ops::Range;

use half::{bf16, f16};

/// Values that share a minimum, and most often a scale.
pub(crate) const GROUP: usize = 32;

/// Values of the longest unit, see [`Row::unit`].
pub(crate) const LONGEST_UNIT: usize = 256;

/// How the weights of a row follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    F32,
    F16,
    Bf16,
    Q4_0,
    Q4_1,
    Q5_0,
    Q5_1,
    Q8_0,
    Q4K,
    Q5K,
    Q6K,
    /// A signed byte a weight, with a scale for each `group_size` of them.
    Int8 {
        group_size: usize,
    },
    /// Half a byte a weight with 8 added; byte i of a group holds weight i low and weight `group_size / 2 + i` high.
    Int4 {
        group_size: usize,
    },
}

/// What a layout is multiplied with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Activations {
    /// Values as they are.
    Plain,
    /// Signed bytes with a scale for each 32.
    Bytes,
    /// The same with scales rounded to half precision, as ggml's Q8_0 and Q8_1 have them.
    BytesHalf,
    /// Signed bytes with a scale for each 256, as ggml's Q8_K.
    Bytes256,
}

impl Layout {
    /// Values in a block, and its bytes.
    pub(crate) fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q4_0 => (32, 18),
            Self::Q4_1 => (32, 20),
            Self::Q5_0 => (32, 22),
            Self::Q5_1 => (32, 24),
            Self::Q8_0 => (32, 34),
            Self::Q4K => (256, 144),
            Self::Q5K => (256, 176),
            Self::Q6K => (256, 210),
            Self::Int8 { group_size } => (group_size, group_size),
            Self::Int4 { group_size } => (group_size, group_size / 2),
        }
    }

    /// Bytes of `n` values; `None` when they are no whole number of blocks or too many to count.
    pub(crate) fn n_bytes(self, n: usize) -> Option<usize> {
        let (len, bytes) = self.block();
        if n.is_multiple_of(len) { (n / len).checked_mul(bytes) } else { None }
    }

    /// Scales in a tensor of their own for `n` values.
    pub(crate) fn n_scales(self, n: usize) -> usize {
        match self {
            Self::Int8 { group_size } | Self::Int4 { group_size } => n / group_size,
            _ => 0,
        }
    }

    pub(crate) fn activations(self) -> Activations {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => Activations::Plain,
            Self::Int8 { .. } | Self::Int4 { .. } => Activations::Bytes,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => {
                Activations::BytesHalf
            }
            Self::Q4K | Self::Q5K | Self::Q6K => Activations::Bytes256,
        }
    }

    /// A group of [`GROUP`] weights has a minimum besides its scale.
    pub(crate) fn has_minima(self) -> bool {
        matches!(self, Self::Q4_1 | Self::Q5_1 | Self::Q4K | Self::Q5K)
    }
}

impl Activations {
    /// Values that share a scale.
    pub(crate) fn unit(self) -> usize {
        match self {
            Self::Plain => 1,
            Self::Bytes | Self::BytesHalf => GROUP,
            Self::Bytes256 => LONGEST_UNIT,
        }
    }
}

/// One row of a matrix: its bytes, and its scales where they lie elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    pub(crate) layout: Layout,
    pub(crate) bytes: &'a [u8],
    pub(crate) scales: &'a [f32],
}

impl Row<'_> {
    /// Unit `idx` of a row of integers: weight i of it is `scale * integers[i] + minima[i / 32]`; returns the scale.
    ///
    /// `integers` is as long as [`Activations::unit`] says. Minima are left alone by layouts that have none.
    #[inline(always)]
    pub(crate) fn unit(self, idx: usize, integers: &mut [i16], minima: &mut [f32]) -> f32 {
        let (_, n_bytes) = self.layout.block();
        let block = || &self.bytes[idx * n_bytes..(idx + 1) * n_bytes];
        match self.layout {
            Layout::F32 | Layout::F16 | Layout::Bf16 => f32::NAN,
            Layout::Q8_0 => {
                let block = block();
                signed(&block[2..], integers);
                half_at(block, 0)
            }
            Layout::Q4_0 => {
                let block = block();
                halves(&block[2..], 8, integers);
                half_at(block, 0)
            }
            Layout::Q4_1 => {
                let block = block();
                halves(&block[4..], 0, integers);
                minima[0] = half_at(block, 2);
                half_at(block, 0)
            }
            Layout::Q5_0 => {
                let block = block();
                halves(&block[6..], 16, integers);
                fifth_bits(&block[2..6], integers);
                half_at(block, 0)
            }
            Layout::Q5_1 => {
                let block = block();
                halves(&block[8..], 0, integers);
                fifth_bits(&block[4..8], integers);
                minima[0] = half_at(block, 2);
                half_at(block, 0)
            }
            Layout::Q4K => {
                let block = block();
                let (scales, steps) = scales_and_minima(&block[4..16]);
                for (group, integers) in integers.chunks_exact_mut(GROUP).enumerate() {
                    let (bytes, shift) = (&block[16 + group / 2 * GROUP..], group % 2 * 4);
                    let scale = i16::from(scales[group]);
                    for (q, byte) in integers.iter_mut().zip(bytes) {
                        *q = i16::from((byte >> shift) & 15) * scale;
                    }
                }
                set_minima(block, steps, minima);
                half_at(block, 0)
            }
            Layout::Q5K => {
                let block = block();
                let (scales, steps) = scales_and_minima(&block[4..16]);
                for (group, integers) in integers.chunks_exact_mut(GROUP).enumerate() {
                    let (bytes, shift) = (&block[48 + group / 2 * GROUP..], group % 2 * 4);
                    let scale = i16::from(scales[group]);
                    for ((q, byte), high) in integers.iter_mut().zip(bytes).zip(&block[16..48]) {
                        let value = (byte >> shift) & 15 | ((high >> group) & 1) << 4;
                        *q = i16::from(value) * scale;
                    }
                }
                set_minima(block, steps, minima);
                half_at(block, 0)
            }
            Layout::Q6K => {
                let block = block();
                for (sixteen, integers) in integers.chunks_exact_mut(16).enumerate() {
                    let (side, quarter, lane) = (sixteen / 8, sixteen % 8 / 2, sixteen % 2 * 16);
                    let low = &block[side * 64 + quarter % 2 * 32 + lane..];
                    let high = &block[128 + side * 32 + lane..];
                    let scale = i16::from(block[192 + sixteen].cast_signed());
                    for ((q, low), high) in integers.iter_mut().zip(low).zip(high) {
                        let low = (low >> (quarter / 2 * 4)) & 15;
                        let high = (high >> (quarter * 2)) & 3;
                        *q = (i16::from(low | high << 4) - 32) * scale;
                    }
                }
                half_at(block, 208)
            }
            Layout::Int8 { group_size } => {
                signed(&self.bytes[idx * GROUP..(idx + 1) * GROUP], integers);
                self.scales[idx * GROUP / group_size]
            }
            Layout::Int4 { group_size: GROUP } => {
                halves(&self.bytes[idx * GROUP / 2..(idx + 1) * GROUP / 2], 8, integers);
                self.scales[idx]
            }
            Layout::Int4 { .. } => {
                // Of a pair of units the first is in the low halves of the pair's bytes, the second in the high ones.
                let shift = idx % 2 * 4;
                let bytes = &self.bytes[idx / 2 * GROUP..(idx / 2 + 1) * GROUP];
                for (q, byte) in integers.iter_mut().zip(bytes) {
                    *q = i16::from((byte >> shift) & 15) - 8;
                }
                self.scales[idx / 2]
            }
        }
    }

    /// Some inputs of a row of floats.
    pub(crate) fn part(self, inputs: Range<usize>) -> Self {
        let (_, n_bytes) = self.layout.block();
        Self { bytes: &self.bytes[inputs.start * n_bytes..inputs.end * n_bytes], ..self }
    }

    /// The weights as they are meant.
    pub(crate) fn dequantise(self, weights: &mut [f32]) {
        match self.layout {
            Layout::F32 => each(self.bytes, weights, f32::from_le_bytes),
            Layout::F16 => each(self.bytes, weights, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Layout::Bf16 => each(self.bytes, weights, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            _ => {
                let unit = self.layout.activations().unit();
                let mut integers = [0; LONGEST_UNIT];
                for (idx, weights) in weights.chunks_exact_mut(unit).enumerate() {
                    let mut minima = [0.0; LONGEST_UNIT / GROUP];
                    let scale = self.unit(idx, &mut integers[..unit], &mut minima);
                    for (i, (weight, q)) in weights.iter_mut().zip(&integers).enumerate() {
                        *weight = f32::from(*q) * scale + minima[i / GROUP];
                    }
                }
            }
        }
    }
}

/// The rows of a matrix [outputs, inputs] where they lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) layout: Layout,
    pub(crate) n_outputs: usize,
    pub(crate) n_inputs: usize,
    pub(crate) bytes: &'a [u8],
    pub(crate) scales: &'a [f32],
    /// Width of heads whose rows are stored in pairs, element i of the first half before element i of the second.
    pub(crate) paired: Option<usize>,
}

impl<'a> View<'a> {
    /// Where output `output` is stored.
    #[inline]
    pub(crate) fn stored(&self, output: usize) -> usize {
        match self.paired {
            None => output,
            Some(width) => {
                let (head, i) = (output / width, output % width);
                let (side, pair) = (i / (width / 2), i % (width / 2));
                head * width + 2 * pair + side
            }
        }
    }

    /// The weights of one output.
    pub(crate) fn row(&self, output: usize) -> Row<'a> {
        let stored = self.stored(output);
        let n_bytes = self.bytes.len() / self.n_outputs;
        let n_scales = self.scales.len() / self.n_outputs;
        Row {
            layout: self.layout,
            bytes: &self.bytes[stored * n_bytes..(stored + 1) * n_bytes],
            scales: &self.scales[stored * n_scales..(stored + 1) * n_scales],
        }
    }
}

fn each<const N: usize>(bytes: &[u8], weights: &mut [f32], decode: impl Fn([u8; N]) -> f32) {
    for (weight, bytes) in weights.iter_mut().zip(bytes.as_chunks().0) {
        *weight = decode(*bytes);
    }
}

fn half_at(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

#[inline(always)]
fn signed(bytes: &[u8], integers: &mut [i16]) {
    for (q, byte) in integers.iter_mut().zip(bytes) {
        *q = i16::from(byte.cast_signed());
    }
}

/// Low halves, then high halves of sixteen bytes, less `offset`.
#[inline(always)]
fn halves(bytes: &[u8], offset: i16, integers: &mut [i16]) {
    let (low, high) = integers.split_at_mut(GROUP / 2);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
        *low = i16::from(byte & 15) - offset;
        *high = i16::from(byte >> 4) - offset;
    }
}

#[inline(always)]
fn fifth_bits(bytes: &[u8], integers: &mut [i16]) {
    for (i, q) in integers.iter_mut().enumerate() {
        *q += i16::from((bytes[i / 8] >> (i % 8)) & 1) << 4;
    }
}

/// Eight scales and eight minima of six bits each, in twelve bytes.
pub(crate) fn scales_and_minima(packed: &[u8]) -> ([u8; 8], [u8; 8]) {
    let low = |j: usize| packed[j] & 63;
    let high = |four: u8, two: u8| four | (two >> 6) << 4;
    (
        std::array::from_fn(|j| match j {
            0..4 => low(j),
            _ => high(packed[j + 4] & 15, packed[j - 4]),
        }),
        std::array::from_fn(|j| match j {
            0..4 => low(j + 4),
            _ => high(packed[j + 4] >> 4, packed[j]),
        }),
    )
}

fn set_minima(block: &[u8], steps: [u8; 8], minima: &mut [f32]) {
    let step = -half_at(block, 2);
    for (minimum, n) in minima.iter_mut().zip(steps) {
        *minimum = step * f32::from(n);
    }
}
