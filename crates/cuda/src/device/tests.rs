//! Tests of memory: what goes in comes out, and what does not fit is refused.

use super::*;
use crate::device_for_test;
use crate::shapes::Row;

/// More than any device has.
const TOO_MANY_BYTES: usize = 1 << 50;

#[test]
fn values_come_back() {
    let Some(device) = device_for_test!() else { return };
    let rows = [Row { token: 7, position: 3, r#loop: 1, reserved: 0 }; 3];
    let buffer = device.upload(&rows).unwrap();
    assert_eq!(buffer.len(), 3);
    assert_ne!(buffer.address(), 0);
    assert_eq!(device.read(&buffer, 0..3).unwrap(), rows);

    let mut numbers = device.zeroed::<u32>(10).unwrap();
    assert_eq!(device.read(&numbers, 0..10).unwrap(), [0; 10]);
    device.write(&mut numbers, 4, &[1, 2, 3]).unwrap();
    assert_eq!(device.read(&numbers, 3..8).unwrap(), [0, 1, 2, 3, 0]);
    let mut values = [9; 2];
    device.read_into(&numbers, 5, &mut values).unwrap();
    assert_eq!(values, [2, 3]);

    let copied = &mut device.zeroed(4).unwrap();
    device.copy(&numbers, 4, copied, 1, 3).unwrap();
    assert_eq!(device.read(copied, 0..4).unwrap(), [0, 1, 2, 3]);
}

#[test]
fn nothing_is_a_buffer_too() {
    let Some(device) = device_for_test!() else { return };
    let mut empty = device.upload::<f32>(&[]).unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.address(), 0);
    device.write(&mut empty, 0, &[]).unwrap();
    assert_eq!(device.read(&empty, 0..0).unwrap(), [0.0; 0]);
    device.copy(&device.zeroed(1).unwrap(), 1, &mut empty, 0, 0).unwrap();
    drop(empty);
}

#[test]
fn what_is_not_written_is_no_number() {
    let Some(device) = device_for_test!() else { return };
    let buffer = device.poisoned::<f32>(100).unwrap();
    if cfg!(debug_assertions) {
        assert!(device.read(&buffer, 0..100).unwrap().iter().all(|value| value.is_nan()));
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let Some(device) = device_for_test!() else { return };
    let mut buffer = device.upload(&[1_u32, 2, 3]).unwrap();
    let other = device.upload(&[4_u32]).unwrap();
    #[track_caller]
    fn check(result: Result<()>, expected: &str) {
        assert_eq!(result.unwrap_err().to_string(), expected);
    }
    let end = |place: &str, found: usize, most: usize| {
        format!("{place}: the end of the range is {found}; expected at most {most}")
    };
    check(device.read(&buffer, 2..4).map(drop), &end("read", 4, 3));
    check(device.write(&mut buffer, 1, &[0; 3]), &end("write", 4, 3));
    check(device.write(&mut buffer, usize::MAX, &[0; 3]), &end("write", usize::MAX, 3));
    check(device.read_into(&buffer, 3, &mut [0]), &end("read", 4, 3));
    check(device.copy(&other, 0, &mut buffer, 3, 1), &end("copy", 4, 3));
    check(device.copy(&other, 1, &mut buffer, 0, 1), &end("copy", 2, 1));
    assert_eq!(device.read(&buffer, 0..3).unwrap(), [1, 2, 3]);
}

#[test]
#[expect(clippy::reversed_empty_ranges, reason = "a caller's mistake")]
fn a_reversed_range_is_refused_or_empty() {
    let Some(device) = device_for_test!() else { return };
    let buffer = device.upload(&[1_u32, 2, 3]).unwrap();
    assert_eq!(device.read(&buffer, 2..1).unwrap(), [0; 0]);
    assert!(device.read(&buffer, 9..1).is_err());
}

#[test]
fn memory_that_there_is_not_is_an_error_and_no_end() {
    let Some(device) = device_for_test!() else { return };
    let error = device.zeroed::<u8>(TOO_MANY_BYTES).unwrap_err();
    assert!(
        matches!(error, Error::OutOfMemory { n_bytes: TOO_MANY_BYTES, n_free } if 0 < n_free),
        "{error}"
    );
    assert!(device.zeroed::<u64>(usize::MAX).is_err());
    assert_eq!(device.allocated(), 0);
    let buffer = device.upload(&[5_u32]).unwrap();
    assert_eq!(device.read(&buffer, 0..1).unwrap(), [5]);
}

#[test]
fn memory_goes_back() {
    let Some(device) = device_for_test!() else { return };
    let first = device.zeroed::<u32>(1000).unwrap();
    let second = device.zeroed::<u8>(10).unwrap();
    assert_eq!(device.allocated(), 4010);
    drop(first);
    assert_eq!(device.allocated(), 10);
    assert!(10 < device.free_memory().unwrap());
    let other = device.clone();
    drop(device);
    drop(second);
    assert_eq!(other.allocated(), 0);
}

#[test]
fn a_buffer_outlives_the_name_of_its_device() {
    let Some(device) = device_for_test!() else { return };
    let buffer = device.zeroed::<u32>(10).unwrap();
    drop(device);
    drop(buffer);
}

#[test]
fn devices_do_not_share_buffers() {
    let Some(device) = device_for_test!() else { return };
    let other = Device::open(device.info().index).unwrap();
    let mut foreign = other.upload(&[1_u32]).unwrap();
    let own = device.upload(&[1_u32]).unwrap();
    let expected = "belongs to another device";
    for result in [
        device.read(&foreign, 0..1).map(drop),
        device.write(&mut foreign, 0, &[2]),
        device.copy(&own, 0, &mut foreign, 0, 1),
    ] {
        let error = result.unwrap_err().to_string();
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn threads_share_a_device() {
    let Some(device) = device_for_test!() else { return };
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let device = device.clone();
            scope.spawn(move || {
                for round in 0..50 {
                    let buffer = device.upload(&[thread, round]).unwrap();
                    assert_eq!(device.read(&buffer, 0..2).unwrap(), [thread, round]);
                }
            });
        }
    });
    assert_eq!(device.allocated(), 0);
}

#[test]
fn a_device_that_is_not_there_is_named() {
    let Some(device) = device_for_test!() else { return };
    let error = Device::open(99).unwrap_err().to_string();
    assert!(error.starts_with("there is no GPU 99: "), "{error}");
    assert!(format!("{device:?}").starts_with("Device("), "{device:?}");
}
