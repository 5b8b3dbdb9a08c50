//! How the weights of a matrix lie in a file, and what each block of them says.
//!
//! The blocks of ggml are those of its `ggml-common.h`; `Int8` and `Int4` are this project's own, with scales beside them.

use half::{bf16, f16};

/// Values that share a minimum, and most often a scale.
pub(crate) const GROUP: usize = 32;

/// Values that share a scale in this project's own 4 bits.
pub(crate) const LONG_GROUP: usize = 2 * GROUP;

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
    /// The same with a scale for each 64, as many as weights of 4 bits have.
    Bytes64,
    /// The same with scales rounded to half precision, as ggml's Q8_0 and Q8_1 have them.
    BytesHalf,
    /// Signed bytes with a scale for each 256, as ggml's Q8_K.
    Bytes256,
}

/// How integers are laid out for a product of many rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Packing {
    /// Two of 16 bits, whose products are added up in 32 bits.
    #[default]
    Pairs,
    /// Four bytes, whose products are added up in 16 bits over `sum_len` inputs.
    Fours { sum_len: usize },
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
            Self::Int4 { group_size: LONG_GROUP } => Activations::Bytes64,
            Self::Int8 { .. } | Self::Int4 { .. } => Activations::Bytes,
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => {
                Activations::BytesHalf
            }
            Self::Q4K | Self::Q5K | Self::Q6K => Activations::Bytes256,
        }
    }

    /// Of weights that are no floats.
    pub(crate) fn packing(self) -> Option<Packing> {
        match self {
            Self::F32 | Self::F16 | Self::Bf16 => None,
            Self::Q8_0 | Self::Int8 { .. } => Some(Packing::Pairs),
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q4K | Self::Int4 { .. } => {
                Some(Packing::Fours { sum_len: GROUP })
            }
            // Larger integers, or a step for each 16 of them.
            Self::Q5_1 | Self::Q5K | Self::Q6K => Some(Packing::Fours { sum_len: STEPPED }),
        }
    }

    /// Integers have steps within their unit.
    pub(crate) fn has_steps(self) -> bool {
        self.activations() == Activations::Bytes256
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
            Self::Bytes64 => LONG_GROUP,
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

/// Integers that share a step of their own besides the scale of their unit.
pub(crate) const STEPPED: usize = 16;

/// 32, 64 or 256 weights that share a scale, taken apart.
///
/// Weight i is `scale * (steps[i / 16] * integers[i]) + minimum_scale * minima[i / 32]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) integers: [i8; LONGEST_UNIT],
    pub(crate) steps: [i16; LONGEST_UNIT / STEPPED],
    pub(crate) scale: f32,
    pub(crate) minima: [i16; LONGEST_UNIT / GROUP],
    pub(crate) minimum_scale: f32,
}

impl Default for Unit {
    fn default() -> Self {
        Self {
            integers: [0; LONGEST_UNIT],
            steps: [1; LONGEST_UNIT / STEPPED],
            scale: f32::NAN,
            minima: [1; LONGEST_UNIT / GROUP],
            minimum_scale: 0.0,
        }
    }
}

impl Row<'_> {
    /// Takes unit `idx` of a row of integers apart; `unit` is one of the same layout, or a new one.
    #[inline(always)]
    pub(crate) fn unit(self, idx: usize, unit: &mut Unit) {
        let (_, n_bytes) = self.layout.block();
        let block = || &self.bytes[idx * n_bytes..(idx + 1) * n_bytes];
        let integers = &mut unit.integers;
        match self.layout {
            Layout::F32 | Layout::F16 | Layout::Bf16 => {}
            Layout::Q8_0 => {
                let block = block();
                signed(&block[2..], integers);
                unit.scale = half_at(block, 0);
            }
            Layout::Q4_0 => {
                let block = block();
                halves(&block[2..], 8, integers);
                unit.scale = half_at(block, 0);
            }
            Layout::Q4_1 => {
                let block = block();
                halves(&block[4..], 0, integers);
                (unit.scale, unit.minimum_scale) = (half_at(block, 0), half_at(block, 2));
            }
            Layout::Q5_0 => {
                let block = block();
                halves(&block[6..], 16, integers);
                fifth_bits(&block[2..6], integers);
                unit.scale = half_at(block, 0);
            }
            Layout::Q5_1 => {
                let block = block();
                halves(&block[8..], 0, integers);
                fifth_bits(&block[4..8], integers);
                (unit.scale, unit.minimum_scale) = (half_at(block, 0), half_at(block, 2));
            }
            Layout::Q4K => {
                let block = block();
                for (group, integers) in integers.chunks_exact_mut(GROUP).enumerate() {
                    let (bytes, shift) = (&block[16 + group / 2 * GROUP..], group % 2 * 4);
                    for (q, byte) in integers.iter_mut().zip(bytes) {
                        *q = ((byte >> shift) & 15).cast_signed();
                    }
                }
                unit.with_minima(block);
            }
            Layout::Q5K => {
                let block = block();
                for (group, integers) in integers.chunks_exact_mut(GROUP).enumerate() {
                    let (bytes, shift) = (&block[48 + group / 2 * GROUP..], group % 2 * 4);
                    for ((q, byte), high) in integers.iter_mut().zip(bytes).zip(&block[16..48]) {
                        *q = ((byte >> shift) & 15 | ((high >> group) & 1) << 4).cast_signed();
                    }
                }
                unit.with_minima(block);
            }
            Layout::Q6K => {
                let block = block();
                for (sixteen, integers) in integers.chunks_exact_mut(STEPPED).enumerate() {
                    let (side, quarter, lane) = (sixteen / 8, sixteen % 8 / 2, sixteen % 2 * 16);
                    let low = &block[side * 64 + quarter % 2 * 32 + lane..];
                    let high = &block[128 + side * 32 + lane..];
                    for ((q, low), high) in integers.iter_mut().zip(low).zip(high) {
                        let low = (low >> (quarter / 2 * 4)) & 15;
                        let high = (high >> (quarter * 2)) & 3;
                        *q = (low | high << 4).cast_signed() - 32;
                    }
                }
                for (step, byte) in unit.steps.iter_mut().zip(&block[192..208]) {
                    *step = byte.cast_signed().into();
                }
                unit.scale = half_at(block, 208);
            }
            Layout::Int8 { group_size } => {
                signed(&self.bytes[idx * GROUP..(idx + 1) * GROUP], integers);
                unit.scale = self.scales[idx * GROUP / group_size];
            }
            Layout::Int4 { group_size: GROUP } => {
                halves(&self.bytes[idx * GROUP / 2..(idx + 1) * GROUP / 2], 8, integers);
                unit.scale = self.scales[idx];
            }
            Layout::Int4 { group_size: LONG_GROUP } => {
                let bytes = &self.bytes[idx * GROUP..(idx + 1) * GROUP];
                let (low, high) = integers[..LONG_GROUP].split_at_mut(GROUP);
                for ((low, high), byte) in low.iter_mut().zip(high).zip(bytes) {
                    *low = (byte & 15).cast_signed() - 8;
                    *high = (byte >> 4).cast_signed() - 8;
                }
                unit.scale = self.scales[idx];
            }
            // No file has other groups.
            Layout::Int4 { .. } => {}
        }
    }

    /// The weights as they are meant.
    pub(crate) fn dequantise(self, weights: &mut [f32]) {
        match self.layout {
            Layout::F32 => each(self.bytes, weights, f32::from_le_bytes),
            Layout::F16 => each(self.bytes, weights, |bytes| f16::from_le_bytes(bytes).to_f32()),
            Layout::Bf16 => each(self.bytes, weights, |bytes| bf16::from_le_bytes(bytes).to_f32()),
            _ => {
                let len = self.layout.activations().unit();
                let mut unit = Unit::default();
                for (idx, weights) in weights.chunks_exact_mut(len).enumerate() {
                    self.unit(idx, &mut unit);
                    for (i, (weight, q)) in weights.iter_mut().zip(&unit.integers).enumerate() {
                        let stepped = unit.steps[i / STEPPED] * i16::from(*q);
                        let minimum = unit.minimum_scale * f32::from(unit.minima[i / GROUP]);
                        *weight = f32::from(stepped) * unit.scale + minimum;
                    }
                }
            }
        }
    }
}

impl Unit {
    /// What the first 16 bytes of a block of Q4_K or Q5_K say.
    #[inline(always)]
    fn with_minima(&mut self, block: &[u8]) {
        let (scales, minima) = scales_and_minima(&block[4..16]);
        for (steps, scale) in self.steps.chunks_exact_mut(GROUP / STEPPED).zip(scales) {
            steps.fill(scale.into());
        }
        self.minima = minima.map(i16::from);
        self.scale = half_at(block, 0);
        self.minimum_scale = -half_at(block, 2);
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
fn signed(bytes: &[u8], integers: &mut [i8]) {
    for (q, byte) in integers.iter_mut().zip(bytes) {
        *q = byte.cast_signed();
    }
}

/// Low halves, then high halves of sixteen bytes, less `offset`.
#[inline(always)]
fn halves(bytes: &[u8], offset: i8, integers: &mut [i8]) {
    let (low, high) = integers[..GROUP].split_at_mut(GROUP / 2);
    for ((low, high), byte) in low.iter_mut().zip(high).zip(&bytes[..GROUP / 2]) {
        *low = (byte & 15).cast_signed() - offset;
        *high = (byte >> 4).cast_signed() - offset;
    }
}

#[inline(always)]
fn fifth_bits(bytes: &[u8], integers: &mut [i8]) {
    for (i, q) in integers[..GROUP].iter_mut().enumerate() {
        *q += ((bytes[i / 8] >> (i % 8)) & 1).cast_signed() << 4;
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
