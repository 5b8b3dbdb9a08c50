//! Every type of blocks against its definition in ggml, spelled out value by value.

use std::path::Path;
use std::sync::Arc;

use candle_core::DType;
use gguf::TensorInfo;

use super::super::Packed;
use crate::bytes::Bytes;

/// Values of the one block in `bytes`, stored as type number `kind`.
fn values(kind: u32, bytes: &[u8], n_values: usize) -> Vec<f32> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    let mapped = Arc::new(Bytes::map(Path::new(file.path())).unwrap());
    let info = TensorInfo { shape: vec![1, n_values], kind, start: 0 };
    let packed = Packed::new(&mapped, &info).unwrap();
    packed.tensor(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn half(value: f32) -> Vec<u8> {
    half::f16::from_f32(value).to_le_bytes().to_vec()
}

/// Bytes without a pattern.
fn noise(n_bytes: usize) -> Vec<u8> {
    (0..n_bytes as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

#[track_caller]
fn check(kind: u32, bytes: &[u8], n_values: usize, expected: impl Fn(usize) -> f32) {
    let found = values(kind, bytes, n_values);
    for (i, found) in found.iter().enumerate() {
        let expected = expected(i);
        assert!((found - expected).abs() <= 1e-6, "value {i}: {found} is not {expected}");
    }
}

/// Half bytes of blocks of 32: the low halves come first.
fn nibble(bytes: &[u8], i: usize) -> u8 {
    if i < 16 { bytes[i] & 15 } else { bytes[i - 16] >> 4 }
}

fn bit(bytes: &[u8], i: usize) -> u8 {
    (bytes[i / 8] >> (i % 8)) & 1
}

#[test]
fn blocks_of_32() {
    let quants = noise(32);
    let signed = |i: usize| f32::from(quants[i] as i8);
    check(8, &[half(0.25), quants.clone()].concat(), 32, |i| 0.25 * signed(i));
    let (low, high) = (noise(16), vec![0x5a, 0xc3, 0x0f, 0x81]);
    let (d, m) = (half(0.5), half(-1.5));
    let four = |i: usize| f32::from(nibble(&low, i));
    let five = |i: usize| f32::from(nibble(&low, i) | bit(&high, i) << 4);
    check(2, &[d.clone(), low.clone()].concat(), 32, |i| 0.5 * (four(i) - 8.0));
    check(3, &[d.clone(), m.clone(), low.clone()].concat(), 32, |i| 0.5 * four(i) - 1.5);
    check(6, &[d.clone(), high.clone(), low.clone()].concat(), 32, |i| 0.5 * (five(i) - 16.0));
    check(7, &[d, m, high.clone(), low.clone()].concat(), 32, |i| 0.5 * five(i) - 1.5);
}

/// Scale and minimum number `j` of eight, six bits each in twelve bytes.
fn scale_and_minimum(packed: &[u8], j: usize) -> (f32, f32) {
    let (scale, minimum) = match j {
        0..4 => (packed[j] & 63, packed[j + 4] & 63),
        _ => (
            packed[j + 4] & 15 | (packed[j - 4] >> 6) << 4,
            packed[j + 4] >> 4 | (packed[j] >> 6) << 4,
        ),
    };
    (f32::from(scale), f32::from(minimum))
}

#[test]
fn blocks_of_256_with_scales_and_minima() {
    let (scales, high, low) = (noise(12), noise(32), noise(128));
    let four = |i: usize| (low[i / 64 * 32 + i % 32] >> (i / 32 % 2 * 4)) & 15;
    let five = |i: usize| four(i) | ((high[i % 32] >> (i / 32)) & 1) << 4;
    let value = |i: usize, quant: u8| {
        let (scale, minimum) = scale_and_minimum(&scales, i / 32);
        0.125 * scale * f32::from(quant) - 0.25 * minimum
    };
    let head = [half(0.125), half(0.25), scales.clone()].concat();
    check(12, &[head.clone(), low.clone()].concat(), 256, |i| value(i, four(i)));
    check(13, &[head, high.clone(), low.clone()].concat(), 256, |i| value(i, five(i)));
}

#[test]
fn blocks_of_256_with_six_bits() {
    let (low, high, scales) = (noise(128), noise(64), noise(16));
    let bytes = [low.clone(), high.clone(), scales.clone(), half(0.5)].concat();
    check(14, &bytes, 256, |i| {
        let (side, quarter, lane) = (i / 128, i % 128 / 32, i % 32);
        let four = (low[side * 64 + quarter % 2 * 32 + lane] >> (quarter / 2 * 4)) & 15;
        let two = (high[side * 32 + lane] >> (quarter * 2)) & 3;
        0.5 * f32::from(scales[i / 16] as i8) * (f32::from(four | two << 4) - 32.0)
    });
}
