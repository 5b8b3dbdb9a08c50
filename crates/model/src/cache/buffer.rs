//! Vectors in plain memory, [heads, slots, width], as they were computed or rounded.

use std::ops::Range;

use half::f16;

use crate::real::Real;

/// How keys and values are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheFormat {
    /// In the type that is computed in.
    Exact,
    /// In half precision, two bytes a number.
    F16,
    /// One byte a number, and a scale of four bytes for each head and position.
    Int8,
}

impl CacheFormat {
    /// Bytes of a vector of `width` numbers that are computed in `number_size` bytes each.
    pub(crate) fn n_bytes(self, width: usize, number_size: usize) -> usize {
        match self {
            Self::Exact => width * number_size,
            Self::F16 => width * 2,
            Self::Int8 => width + 4,
        }
    }
}

/// Slots that were never written read as NaN in builds with debug assertions, and as zeros that cost no memory before
/// they are touched in others.
#[derive(Debug)]
pub(crate) struct Buffer {
    n_heads: usize,
    width: usize,
    /// Slots per head.
    capacity: usize,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    F64(Vec<f64>),
    F32(Vec<f32>),
    /// Bits of half precision.
    F16(Vec<u16>),
    /// `scales` is [heads, slots].
    Int8 {
        integers: Vec<i8>,
        scales: Vec<f32>,
    },
}

impl Buffer {
    /// No slots yet; `dtype` is what is computed in.
    pub(crate) fn new(
        format: CacheFormat,
        dtype: candle_core::DType,
        n_heads: usize,
        width: usize,
    ) -> Self {
        let numbers = match (format, dtype) {
            (CacheFormat::Exact, candle_core::DType::F64) => Numbers::F64(Vec::new()),
            (CacheFormat::Exact, _) => Numbers::F32(Vec::new()),
            (CacheFormat::F16, _) => Numbers::F16(Vec::new()),
            (CacheFormat::Int8, _) => Numbers::Int8 { integers: Vec::new(), scales: Vec::new() },
        };
        Self { n_heads, width, capacity: 0, numbers }
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn n_bytes(&self) -> usize {
        match &self.numbers {
            Numbers::F64(numbers) => size_of_val(numbers.as_slice()),
            Numbers::F32(numbers) => size_of_val(numbers.as_slice()),
            Numbers::F16(numbers) => size_of_val(numbers.as_slice()),
            Numbers::Int8 { integers, scales } => integers.len() + size_of_val(scales.as_slice()),
        }
    }

    /// Changes the number of slots and moves what the slots `kept` hold to the beginning.
    pub(crate) fn rearrange(&mut self, capacity: usize, kept: Range<usize>) {
        let change = Change { n_heads: self.n_heads, old: self.capacity, new: capacity, kept };
        match &mut self.numbers {
            Numbers::F64(numbers) => change.apply(numbers, self.width, f64::NAN),
            Numbers::F32(numbers) => change.apply(numbers, self.width, f32::NAN),
            Numbers::F16(numbers) => change.apply(numbers, self.width, f16::NAN.to_bits()),
            Numbers::Int8 { integers, scales } => {
                change.apply(integers, self.width, 0);
                change.apply(scales, 1, f32::NAN);
            }
        }
        self.capacity = capacity;
    }

    /// Writes one vector.
    pub(crate) fn write<T: Real>(&mut self, head: usize, slot: usize, vector: &[T]) {
        let row = head * self.capacity + slot;
        let range = row * self.width..(row + 1) * self.width;
        match &mut self.numbers {
            Numbers::F64(numbers) => {
                for (number, value) in numbers[range].iter_mut().zip(vector) {
                    *number = value.to_f64();
                }
            }
            Numbers::F32(numbers) => {
                for (number, value) in numbers[range].iter_mut().zip(vector) {
                    *number = value.to_f32();
                }
            }
            Numbers::F16(numbers) => {
                for (number, value) in numbers[range].iter_mut().zip(vector) {
                    *number = f16::from_f32(value.to_f32()).to_bits();
                }
            }
            Numbers::Int8 { integers, scales } => {
                scales[row] = round_to_bytes(vector, &mut integers[range]);
            }
        }
    }

    /// Vectors of some slots, [slots, width]: where they lie, or converted into `scratch`, which has that size at least;
    /// from half precision by `widen`.
    pub(crate) fn read<'a, T: Real>(
        &'a self,
        head: usize,
        slots: Range<usize>,
        scratch: &'a mut [T],
        widen: fn(&[u16], &mut [T]),
    ) -> &'a [T] {
        let first = head * self.capacity + slots.start;
        let rows = first..first + slots.len();
        let range = rows.start * self.width..rows.end * self.width;
        let scratch = &mut scratch[..range.len()];
        match &self.numbers {
            Numbers::F64(numbers) => {
                if let Some(exact) = T::of_f64(&numbers[range.clone()]) {
                    return exact;
                }
                convert(&numbers[range], scratch, |value| T::from_f64(*value));
            }
            Numbers::F32(numbers) => {
                if let Some(exact) = T::of_f32(&numbers[range.clone()]) {
                    return exact;
                }
                convert(&numbers[range], scratch, |value| T::from_f32(*value));
            }
            Numbers::F16(numbers) => widen(&numbers[range], scratch),
            Numbers::Int8 { integers, scales } => {
                let vectors = integers[range].chunks_exact(self.width);
                let out = scratch.chunks_exact_mut(self.width);
                for ((integers, scale), out) in vectors.zip(&scales[rows]).zip(out) {
                    convert(integers, out, |integer| T::from_f32(f32::from(*integer) * scale));
                }
            }
        }
        scratch
    }

    /// Bits of the vectors of some slots, where they are in half precision.
    pub(crate) fn halves(&self, head: usize, slots: Range<usize>) -> Option<&[u16]> {
        let Numbers::F16(numbers) = &self.numbers else { return None };
        let first = head * self.capacity;
        Some(&numbers[(first + slots.start) * self.width..(first + slots.end) * self.width])
    }
}

/// Scale of a vector whose largest number becomes 127; a vector with a NaN has the scale NaN.
fn round_to_bytes<T: Real>(vector: &[T], integers: &mut [i8]) -> f32 {
    let mut largest = 0f32;
    for value in vector {
        let size = value.to_f32().abs();
        if size.is_nan() {
            return f32::NAN;
        }
        largest = largest.max(size);
    }
    let inverse = if largest == 0.0 { 0.0 } else { 127.0 / largest };
    for (integer, value) in integers.iter_mut().zip(vector) {
        *integer = (value.to_f32() * inverse).round() as i8;
    }
    largest / 127.0
}

/// Numbers in half precision, given as bits, on any machine.
pub(crate) fn widen<T: Real>(halves: &[u16], numbers: &mut [T]) {
    convert(halves, numbers, |bits| T::from_f32(f16::from_bits(*bits).to_f32()));
}

fn convert<S, T>(from: &[S], to: &mut [T], convert: impl Fn(&S) -> T) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = convert(from);
    }
}

/// A new number of slots per head.
struct Change {
    n_heads: usize,
    old: usize,
    new: usize,
    kept: Range<usize>,
}

impl Change {
    /// Each slot is `width` numbers.
    fn apply<N: Copy + Default>(&self, numbers: &mut Vec<N>, width: usize, nan: N) {
        let unwritten = if cfg!(debug_assertions) { nan } else { N::default() };
        let n_kept = self.kept.len() * width;
        let source = |head: usize| {
            let start = (head * self.old + self.kept.start) * width;
            start..start + n_kept
        };
        if self.old != self.new {
            let mut changed = vec![unwritten; self.n_heads * self.new * width];
            for head in 0..self.n_heads {
                let start = head * self.new * width;
                changed[start..start + n_kept].copy_from_slice(&numbers[source(head)]);
            }
            *numbers = changed;
            return;
        }
        for head in 0..self.n_heads {
            let start = head * self.new * width;
            numbers.copy_within(source(head), start);
            if cfg!(debug_assertions) {
                numbers[start + n_kept..start + self.new * width].fill(unwritten);
            }
        }
    }
}
