//! Tests of memory of this machine that kernels reach.

use crate::device_for_test;
use crate::shapes::Choice;

#[test]
fn values_stand_where_they_were_put() {
    let Some(device) = device_for_test!() else { return };
    let mut ring = device.pinned::<Choice>(3).unwrap();
    assert_eq!(ring.len(), 3);
    assert_ne!(ring.address(), 0);
    assert_eq!(ring.get(2), Some(Choice::default()));
    let choice = Choice { token: 5, log_probability: -0.5, is_finite: 1, position: 9 };
    ring.set(2, choice).unwrap();
    assert_eq!(ring.get(2), Some(choice));
    assert_eq!(ring.get(1), Some(Choice::default()));
}

#[test]
fn there_is_nothing_beyond_the_end() {
    let Some(device) = device_for_test!() else { return };
    let mut ring = device.pinned::<u32>(2).unwrap();
    assert_eq!(ring.get(2), None);
    let error = ring.set(2, 1).unwrap_err();
    assert_eq!(error.to_string(), "set: the index is 2; expected less than 2");
    let empty = device.pinned::<u32>(0).unwrap();
    assert!(empty.is_empty());
    assert_eq!(empty.get(0), None);
}

#[test]
fn it_outlives_the_name_of_its_device() {
    let Some(device) = device_for_test!() else { return };
    let ring = device.pinned::<u32>(2).unwrap();
    drop(device);
    let other = std::thread::spawn(move || ring.get(1));
    assert_eq!(other.join().unwrap(), Some(0));
}

#[test]
fn more_than_there_is_is_refused() {
    let Some(device) = device_for_test!() else { return };
    assert!(device.pinned::<u64>(usize::MAX).is_err());
    assert!(device.pinned::<u8>(2).is_ok());
}
