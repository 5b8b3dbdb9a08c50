//! What is sent to a device says what the file says.

use std::slice::from_ref;
use std::sync::Arc;

use super::*;
use crate::bytes::Bytes;

const N_INPUTS: usize = 256;
const N_OUTPUTS: usize = 8;

/// Bytes that look random and are small numbers wherever a block has floats.
fn matrix(layout: Layout, scale: f32, paired: Option<usize>) -> Matrix {
    let mut state = 7u32;
    let mut byte = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let n_bytes = layout.n_bytes(N_INPUTS).unwrap() * N_OUTPUTS;
    let mut bytes: Vec<u8> = (0..n_bytes).map(|_| byte()).collect();
    let (len, block) = layout.block();
    let float = f16::from_f32(0.01).to_le_bytes();
    for (i, block) in bytes.chunks_exact_mut(block).enumerate() {
        let at: &[usize] = match layout {
            Layout::F32 | Layout::F16 | Layout::Bf16 => {
                let value = (i as f32 * 0.37).sin();
                match layout {
                    Layout::F32 => block.copy_from_slice(&value.to_le_bytes()),
                    Layout::F16 => block.copy_from_slice(&f16::from_f32(value).to_le_bytes()),
                    _ => block.copy_from_slice(&bf16::from_f32(value).to_le_bytes()),
                }
                &[]
            }
            Layout::Q4_0 | Layout::Q5_0 | Layout::Q8_0 => &[0],
            Layout::Q4_1 | Layout::Q5_1 | Layout::Q4K | Layout::Q5K => &[0, 2],
            Layout::Q6K => &[208],
            Layout::Int8 { .. } | Layout::Int4 { .. } => &[],
        };
        for at in at {
            block[*at..at + 2].copy_from_slice(&float);
        }
    }
    assert!(N_INPUTS.is_multiple_of(len));
    let scales: Vec<f32> =
        (0..layout.n_scales(N_INPUTS) * N_OUTPUTS).map(|i| scale * (1 << (i % 5)) as f32).collect();
    let range = 0..bytes.len();
    let place = (Arc::new(Bytes::Converted(bytes)), range);
    Matrix::new(layout, (N_OUTPUTS, N_INPUTS), place, scales.into()).with_pairs(paired)
}

/// A row as kernels read it.
fn read(target: Target, numbers: &[u8], scales: &[u16]) -> Vec<f32> {
    let scale = |i: usize| match target.scale_type {
        ScaleType::Bf16 => bf16::from_bits(scales[i / target.group]).to_f32(),
        ScaleType::F16 => f16::from_bits(scales[i / target.group]).to_f32(),
    };
    let weight = |i: usize| match target.format {
        cuda::Format::Bf16 => bf16::from_le_bytes([numbers[2 * i], numbers[2 * i + 1]]).to_f32(),
        cuda::Format::Int8 => f32::from(numbers[i].cast_signed()) * scale(i),
        cuda::Format::Int4 => {
            let (group, half) = (i / target.group, target.group / 2);
            let (side, j) = (i % target.group / half, i % half);
            let byte = numbers[group * half + j];
            (f32::from((byte >> (4 * side)) & 15) - 8.0) * scale(i)
        }
    };
    (0..N_INPUTS).map(weight).collect()
}

#[track_caller]
fn check(layout: Layout, scale: f32, paired: Option<usize>, expected: Target) {
    let matrix = matrix(layout, scale, paired);
    let target = Target::of(from_ref(&matrix));
    assert_eq!(target, expected, "{layout:?}");
    let (mut floats, mut meant) = (vec![0.0; N_INPUTS], vec![0.0; N_INPUTS]);
    for output in 0..N_OUTPUTS {
        let (mut numbers, mut scales) = (Vec::new(), Vec::new());
        target.convert(matrix.view().row(output), &mut floats, &mut numbers, &mut scales);
        let shape = target.shape(1, N_INPUTS);
        assert_eq!((numbers.len(), scales.len()), (shape.n_bytes(), shape.n_scales()));
        matrix.view().row(output).dequantise(&mut meant);
        if target == Target::BF16 {
            meant.iter_mut().for_each(|weight| *weight = bf16::from_f32(*weight).to_f32());
        }
        assert_eq!(read(target, &numbers, &scales), meant, "{layout:?}, row {output}");
    }
}

const fn integers(format: cuda::Format, group: usize, scale_type: ScaleType) -> Target {
    Target { format, group, scale_type }
}

#[test]
fn integers_stay_as_they_are_where_kernels_know_them() {
    use cuda::Format::{Int4, Int8};
    for group_size in [32, 64, 128] {
        let target = integers(Int8, group_size, ScaleType::Bf16);
        check(Layout::Int8 { group_size }, 0.25, None, target);
    }
    for group_size in [32, 64] {
        let target = integers(Int4, group_size, ScaleType::Bf16);
        check(Layout::Int4 { group_size }, -0.25, None, target);
    }
    // A number of 11 bits is one in half precision and none in bf16.
    let target = integers(Int8, 64, ScaleType::F16);
    check(Layout::Int8 { group_size: 64 }, 1025.0 / 8192.0, None, target);
    check(Layout::Q8_0, 0.0, None, integers(Int8, 32, ScaleType::F16));
    check(Layout::Q4_0, 0.0, None, integers(Int4, 32, ScaleType::F16));
}

#[test]
fn all_else_becomes_bf16() {
    for layout in [
        Layout::F32,
        Layout::F16,
        Layout::Bf16,
        Layout::Q4_1,
        Layout::Q5_0,
        Layout::Q5_1,
        Layout::Q4K,
        Layout::Q5K,
        Layout::Q6K,
    ] {
        check(layout, 0.0, None, Target::BF16);
    }
    // Neither of the types of 16 bits has this scale.
    check(Layout::Int8 { group_size: 64 }, 1.0 / 3.0, None, Target::BF16);
}

#[test]
fn rows_in_pairs_come_out_in_halves() {
    check(Layout::Bf16, 0.0, Some(8), Target::BF16);
    check(Layout::Q8_0, 0.0, Some(4), integers(cuda::Format::Int8, 32, ScaleType::F16));
}

#[test]
fn matrices_that_are_read_together_are_of_one_kind() {
    let (eight, four) = (matrix(Layout::Q8_0, 0.0, None), matrix(Layout::Q4_0, 0.0, None));
    assert_eq!(Target::of(&[eight.clone(), eight.clone()]), Target::of(from_ref(&eight)));
    assert_eq!(Target::of(&[eight, four]), Target::BF16);
}
