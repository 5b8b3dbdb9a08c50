//! Tests of what every launch checks, whatever its kernel.

use super::*;
use crate::device_for_test;

#[track_caller]
fn check(result: Result<()>, expected: &str) {
    assert_eq!(result.unwrap_err().to_string(), expected);
}

#[test]
fn numbers_and_grids_have_limits() {
    let Some(device) = device_for_test!() else { return };
    let kernel = || device.kernel("copy_slots");
    check(
        kernel().number(1 << 32).run([1, 1, 1], 32),
        "copy_slots: a number is 4294967296; expected below 2^32",
    );
    check(
        kernel().run([1, 1 << 16, 1], 32),
        "copy_slots: blocks in y is 65536; expected at most 65535",
    );
    check(
        kernel().run([1, 1, 1], 2048),
        "copy_slots: threads of a block is 2048; expected at most 1024",
    );
    let most = device.info().shared_memory;
    let expected = format!("copy_slots: shared memory is {}; expected at most {most}", most + 1);
    check(kernel().shared(most + 1).run([1, 1, 1], 32), &expected);
}

#[test]
fn a_kernel_that_is_not_there_is_named() {
    let Some(device) = device_for_test!() else { return };
    check(device.kernel("no_such").run([1, 1, 1], 32), "the kernels have no no_such");
}

#[test]
fn an_empty_grid_runs_nothing() {
    let Some(device) = device_for_test!() else { return };
    let n_launches = device.n_launches();
    device.kernel("copy_slots").run([0, 1, 1], 32).unwrap();
    assert_eq!(device.n_launches(), n_launches);
}

#[test]
fn buffers_of_another_device_are_refused() {
    let Some(device) = device_for_test!() else { return };
    let other = Device::open(device.info().index).unwrap();
    let foreign = other.zeroed::<u32>(1).unwrap();
    check(
        device.kernel("copy_slots").read(&foreign).run([1, 1, 1], 32),
        "copy_slots: a buffer belongs to another device",
    );
}

#[test]
fn matrices_have_shapes_that_kernels_know() {
    use crate::matrix::{Format, MatrixShape, ScaleType};
    let Some(device) = device_for_test!() else { return };
    let shape = |format, n_inputs, group| {
        let (n_outputs, scale_type) = (3, ScaleType::Bf16);
        MatrixShape { format, n_outputs, n_inputs, group, scale_type }
    };
    let make = |shape| Matrix::new(&device, shape).map(drop);
    check(
        make(MatrixShape::bf16(3, 33)),
        "matrix: the number of inputs is 33; expected a multiple of 32",
    );
    check(
        make(shape(Format::Int4, 128, 128)),
        "matrix: the group is 128; expected one of [32, 64] for Int4",
    );
    check(
        make(shape(Format::Int8, 96, 64)),
        "matrix: the number of inputs is 96; expected a multiple of 64",
    );

    let int4 = shape(Format::Int4, 64, 32);
    let mut matrix = Matrix::upload(&device, int4, &[1; 96], &[2; 6]).unwrap();
    check(
        Matrix::upload(&device, int4, &[1; 95], &[2; 6]).map(drop),
        "matrix: the bytes of numbers is 95; expected 96",
    );
    matrix.write_rows(&device, 1, &[5; 64], &[6; 4]).unwrap();
    assert_eq!(device.read(&matrix.scales, 0..6).unwrap(), [2, 2, 6, 6, 6, 6]);
    assert_eq!(device.read(&matrix.numbers, 31..33).unwrap(), [1, 5]);
    check(
        matrix.write_rows(&device, 1, &[5; 64], &[6; 3]),
        "matrix: the number of scales is 3; expected 4 for 2 rows",
    );
    check(
        matrix.write_rows(&device, 2, &[5; 64], &[6; 4]),
        "write: the end of the range is 128; expected at most 96",
    );
}
