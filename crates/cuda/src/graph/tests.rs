//! Tests of capture and replay.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;
use crate::buffer::Buffer;
use crate::device_for_test;

/// A graph that copies the first number of `from` to `to`.
fn copying(device: &Device, from: &Buffer<u32>, to: &mut Buffer<u32>) -> Graph {
    device.capture(|device| device.copy(from, 0, to, 0, 1)).unwrap()
}

#[track_caller]
fn check_refused<T>(result: Result<T>) {
    match result {
        Err(Error::Capturing { .. }) => {}
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was captured"),
    }
}

/// The stream is not captured any more.
#[track_caller]
fn check_usable(device: &Device) {
    let mut buffer = device.zeroed(1).unwrap();
    device.write(&mut buffer, 0, &[3_u32]).unwrap();
    assert_eq!(device.read(&buffer, 0..1).unwrap(), [3]);
}

#[test]
fn captured_work_runs_when_its_graph_is_launched() {
    let Some(device) = device_for_test!() else { return };
    let mut from = device.upload(&[1_u32]).unwrap();
    let mut to = device.zeroed(1).unwrap();
    let graph = copying(&device, &from, &mut to);
    assert_eq!(device.read(&to, 0..1).unwrap(), [0]);
    let n_launches = device.n_launches();
    for value in [5, 6, 7] {
        device.write(&mut from, 0, &[value]).unwrap();
        graph.launch().unwrap();
        assert_eq!(device.read(&to, 0..1).unwrap(), [value]);
    }
    assert_eq!(device.n_launches() - n_launches, 3);
    assert_eq!(graph.n_kernels(), 0);
}

#[test]
fn a_graph_owns_what_it_uses() {
    let Some(device) = device_for_test!() else { return };
    let from = device.upload(&[8_u32]).unwrap();
    let mut to = device.zeroed(1).unwrap();
    let graph = copying(&device, &from, &mut to);
    drop(from);
    assert_eq!(device.allocated(), 8);
    graph.launch().unwrap();
    assert_eq!(device.read(&to, 0..1).unwrap(), [8]);
    drop(graph);
    assert_eq!(device.allocated(), 4);
    check_usable(&device);
}

#[test]
fn what_cannot_be_captured_is_refused_and_spoils_nothing() {
    let Some(device) = device_for_test!() else { return };
    let from = device.upload(&[1_u32, 2]).unwrap();
    let mut to = device.zeroed(2).unwrap();
    let other = copying(&device, &from, &mut to);
    let graph = device.capture(|device| {
        check_refused(device.zeroed::<u32>(1));
        check_refused(device.upload(&[1_u32]));
        check_refused(device.pinned::<u32>(1));
        check_refused(device.write(&mut to, 0, &[1]));
        check_refused(device.read(&to, 0..1));
        check_refused(device.synchronize());
        check_refused(device.capture(|_| Ok(())));
        check_refused(other.launch());
        device.copy(&from, 1, &mut to, 1, 1)
    });
    graph.unwrap().launch().unwrap();
    assert_eq!(device.read(&to, 0..2).unwrap(), [0, 2]);
}

#[test]
fn other_threads_stay_out_of_a_capture() {
    let Some(device) = device_for_test!() else { return };
    let graph = device.capture(|device| {
        std::thread::scope(|scope| {
            let other = scope.spawn(|| {
                check_refused(device.zeroed::<u32>(1));
                check_refused(device.synchronize());
                check_refused(device.capture(|_| Ok(())));
            });
            assert!(other.join().is_ok());
        });
        Ok(())
    });
    graph.unwrap().launch().unwrap();
    check_usable(&device);
}

#[test]
fn what_is_dropped_in_a_capture_is_freed_after_it() {
    let Some(device) = device_for_test!() else { return };
    let from = device.upload(&[4_u32]).unwrap();
    let unused = device.zeroed::<u32>(100).unwrap();
    let pinned = device.pinned::<u32>(1).unwrap();
    let mut to = device.zeroed(1).unwrap();
    let graph = device
        .capture(|device| {
            drop((unused, pinned));
            device.copy(&from, 0, &mut to, 0, 1)?;
            drop(from);
            Ok(())
        })
        .unwrap();
    assert_eq!(device.allocated(), 8);
    graph.launch().unwrap();
    assert_eq!(device.read(&to, 0..1).unwrap(), [4]);
}

#[test]
fn an_error_ends_the_capture() {
    let Some(device) = device_for_test!() else { return };
    let from = device.upload(&[4_u32]).unwrap();
    let mut to = device.zeroed(1).unwrap();
    let error = device.capture(|device| {
        device.copy(&from, 0, &mut to, 0, 1)?;
        device.copy(&from, 1, &mut to, 0, 1)
    });
    assert!(matches!(error, Err(Error::Shape { .. })), "{error:?}");
    assert_eq!(device.read(&to, 0..1).unwrap(), [0]);
    check_usable(&device);
}

#[test]
fn a_panic_ends_the_capture() {
    let Some(device) = device_for_test!() else { return };
    let outcome =
        catch_unwind(AssertUnwindSafe(|| device.capture(|_| panic!("a mistake in the work"))));
    assert!(outcome.is_err());
    check_usable(&device);
}

#[test]
fn a_graph_goes_to_another_thread() {
    let Some(device) = device_for_test!() else { return };
    let from = device.upload(&[9_u32]).unwrap();
    let mut to = device.zeroed(1).unwrap();
    let graph = copying(&device, &from, &mut to);
    let launched = std::thread::spawn(move || graph.launch().map_err(|error| error.to_string()));
    assert_eq!(launched.join().unwrap(), Ok(()));
    assert_eq!(device.read(&to, 0..1).unwrap(), [9]);
}
