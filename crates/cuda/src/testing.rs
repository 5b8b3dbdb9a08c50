//! Devices for tests: a test that wants one and finds none says so and is skipped, or fails where a device is required.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::available::available;
use crate::device::Device;

/// The variable that makes a missing device a failure.
pub const REQUIRED: &str = "DACAPO_REQUIRE_DEVICE";

static N_SKIPPED: AtomicUsize = AtomicUsize::new(0);

/// The first device, or none after a line that says that the test `name` is skipped and why.
///
/// Tests use [`device_for_test!`](crate::device_for_test), which knows their name.
///
/// # Panics
/// A device is required and there is none, or one is there and cannot be opened: neither is a reason to skip.
#[must_use]
pub fn device(name: &str) -> Option<Device> {
    let reason = match available() {
        Ok(devices) => {
            let index = devices.first().map_or(0, |device| device.index);
            return match Device::open(index) {
                Ok(device) => Some(device),
                Err(error) => panic!("{name}: the device cannot be opened: {error}"),
            };
        }
        Err(reason) => reason,
    };
    let is_required =
        std::env::var(REQUIRED).is_ok_and(|value| !matches!(value.as_str(), "" | "0"));
    assert!(!is_required, "{name}: {REQUIRED} is set, and there is no device: {reason}");
    skip(name, &reason.to_string());
    None
}

/// Says that the test `name` is skipped and why, and how many have been so far.
pub fn skip(name: &str, reason: &str) {
    let n_skipped = N_SKIPPED.fetch_add(1, Ordering::Relaxed) + 1;
    // Not by a macro, whose lines the harness keeps to itself when a test passes.
    let line = format!("skipped: {name} ({reason}); {n_skipped} skipped so far here\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A device for the test that calls it, or none if that is to be skipped:
/// `let Some(device) = cuda::device_for_test!() else { return };`
#[macro_export]
macro_rules! device_for_test {
    () => {{
        fn here() {}
        $crate::testing::device(std::any::type_name_of_val(&here).trim_end_matches("::here"))
    }};
}
