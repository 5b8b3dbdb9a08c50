//! The calls of the driver that are used, each with what makes it sound.
#![expect(unsafe_code, reason = "calls into the CUDA driver")]

use std::ffi::{CStr, c_int, c_void};

use cudarc::driver::{DriverError, result, sys};

use crate::available::DeviceInfo;
use crate::error::Error;
use crate::plain::Plain;

/// The driver's name for a machine without a device.
pub(crate) const NO_DEVICE: &str = "CUDA_ERROR_NO_DEVICE";

/// Whether the driver's library is there; no other call may come before this was true, as they panic without it.
pub(crate) fn is_present() -> bool {
    // SAFETY: loads the driver's library, whose initialisers do nothing to this program.
    unsafe { sys::is_culib_present() }
}

/// The newest CUDA that the driver supports, as 12080 for 12.8.
pub(crate) fn version() -> Result<i32, String> {
    let mut version: c_int = 0;
    // SAFETY: the place is valid and the call needs no initialisation.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().map_err(code)?;
    Ok(version)
}

pub(crate) fn devices(driver: (u32, u32)) -> Result<Vec<DeviceInfo>, String> {
    result::init().map_err(code)?;
    let n_devices = result::device::get_count().map_err(code)?;
    (0..n_devices).map(|index| info(index, driver).map_err(code)).collect()
}

fn info(index: c_int, driver: (u32, u32)) -> Result<DeviceInfo, DriverError> {
    use sys::CUdevice_attribute_enum as Attribute;
    let device = result::device::get(index)?;
    let attribute = |attribute| -> Result<u32, DriverError> {
        // SAFETY: the device is one that the driver has just named.
        Ok(unsafe { result::device::get_attribute(device, attribute) }?.unsigned_abs())
    };
    let capability = (
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    );
    let n_multiprocessors = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?;
    let shared = attribute(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
    // SAFETY: as above.
    let memory = unsafe { result::device::total_mem(device) }?;
    Ok(DeviceInfo {
        index: usize::try_from(index).unwrap_or_default(),
        name: result::device::get_name(device)?,
        capability,
        n_multiprocessors: n_multiprocessors as usize,
        memory,
        shared_memory: shared as usize,
        driver,
    })
}

/// The driver's name for an error, as CUDA_ERROR_OUT_OF_MEMORY.
pub(crate) fn code(error: DriverError) -> String {
    error
        .error_name()
        .map(CStr::to_string_lossy)
        .map_or_else(|_| format!("CUDA error {}", error.0 as u32), std::borrow::Cow::into_owned)
}

/// Names the call in its error.
pub(crate) fn calling(call: &'static str) -> impl Fn(DriverError) -> Error {
    move |error| Error::Driver { call, code: code(error) }
}

/// Device memory; the context is current on this thread.
pub(crate) fn allocate(n_bytes: usize) -> Result<u64, Error> {
    let n_free = || result::mem_get_info().map_or(0, |(free, _)| free);
    if isize::try_from(n_bytes).is_err() {
        return Err(Error::OutOfMemory { n_bytes, n_free: n_free() });
    }
    // SAFETY: what it returns is read by nobody before it is written, as `Plain` has no invalid bytes.
    unsafe { result::malloc_sync(n_bytes) }.map_err(|error| match error.0 {
        sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY => Error::OutOfMemory { n_bytes, n_free: n_free() },
        _ => calling("cuMemAlloc")(error),
    })
}

/// # Safety
/// The address is of [`allocate`], is freed once, and no work that reads or writes it is still to come.
// SAFETY: the caller promises it.
pub(crate) unsafe fn free(address: u64) -> Result<(), DriverError> {
    // SAFETY: as promised.
    unsafe { result::free_sync(address) }
}

/// # Safety
/// As for [`free`], of page-locked memory.
// SAFETY: the caller promises it.
pub(crate) unsafe fn free_page(address: u64) -> Result<(), DriverError> {
    // SAFETY: as promised.
    unsafe { result::free_host(address as *mut c_void) }
}

/// Sets bytes, in the order of the stream.
///
/// # Safety
/// The range is of device memory that lives until the stream has come past this.
// SAFETY: the caller promises it.
pub(crate) unsafe fn fill(
    address: u64,
    byte: u8,
    n_bytes: usize,
    stream: sys::CUstream,
) -> Result<(), DriverError> {
    // SAFETY: as promised.
    unsafe { result::memset_d8_async(address, byte, n_bytes, stream) }
}

/// Copies to the device, in the order of the stream. `from` may change as soon as this returns.
///
/// # Safety
/// `to` has room for all of it and lives until the stream has come past this; `from` is no page-locked memory, which
/// the driver would read later; and nothing is being captured.
// SAFETY: the caller promises it.
pub(crate) unsafe fn write<T: Plain>(
    to: u64,
    from: &[T],
    stream: sys::CUstream,
) -> Result<(), DriverError> {
    // SAFETY: as promised; pageable memory has been read or staged when the call returns.
    unsafe { result::memcpy_htod_async(to, from, stream) }
}

/// Copies from the device and waits for it.
///
/// # Safety
/// `from` has as many values, and nothing is being captured.
// SAFETY: the caller promises it.
pub(crate) unsafe fn read<T: Plain>(
    to: &mut [T],
    from: u64,
    stream: sys::CUstream,
) -> Result<(), DriverError> {
    // SAFETY: as promised; any bytes are a value, and `to` is borrowed until the copy is done.
    let copied = unsafe { result::memcpy_dtoh_async(to, from, stream) };
    // Waits even if the copy could not be asked for: nothing may write to `to` later.
    // SAFETY: the stream lives, as the caller holds the device.
    let waited = unsafe { result::stream::synchronize(stream) };
    copied.and(waited)
}

/// Copies within the device, in the order of the stream.
///
/// # Safety
/// Both ranges are of device memory that lives until the stream has come past this, and they do not overlap.
// SAFETY: the caller promises it.
pub(crate) unsafe fn copy(
    to: u64,
    from: u64,
    n_bytes: usize,
    stream: sys::CUstream,
) -> Result<(), DriverError> {
    // SAFETY: as promised.
    unsafe { result::memcpy_dtod_async(to, from, n_bytes, stream) }
}
