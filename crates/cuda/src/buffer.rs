//! Memory of a device.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use crate::device::{Device, Freed, Inner};
use crate::driver;
use crate::error::{Error, Result};
use crate::plain::Plain;

/// `len` values in the memory of a device, freed when it and all graphs that use it are dropped.
pub struct Buffer<T> {
    memory: Arc<Memory>,
    len: usize,
    values: PhantomData<T>,
}

/// Device memory with one owner, or several where graphs use it.
pub(crate) struct Memory {
    address: u64,
    n_bytes: usize,
    device: Arc<Inner>,
}

impl Memory {
    /// The device's context is current on this thread.
    pub(crate) fn new(device: &Device, n_bytes: usize) -> Result<Self> {
        let address = if n_bytes == 0 { 0 } else { driver::allocate(n_bytes)? };
        device.inner.count_bytes(n_bytes);
        Ok(Self { address, n_bytes, device: Arc::clone(&device.inner) })
    }

    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.address != 0 {
            self.device.release(Freed::Device(self.address), self.n_bytes);
        }
    }
}

impl<T: Plain> Buffer<T> {
    pub(crate) fn new(memory: Arc<Memory>, len: usize) -> Self {
        Self { memory, len, values: PhantomData }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Where it lies on the device; 0 if it is empty.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.memory.address()
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    pub(crate) fn belongs(
        &self,
        place: &'static str,
        what: &'static str,
        device: &Device,
    ) -> Result<()> {
        if device.is(&self.memory.device) {
            Ok(())
        } else {
            Err(Error::OtherDevice { place, what })
        }
    }

    /// The address of values of it.
    pub(crate) fn range(
        &self,
        place: &'static str,
        device: &Device,
        range: Range<usize>,
    ) -> Result<u64> {
        self.belongs(place, "the buffer", device)?;
        if range.end < range.start || self.len < range.end {
            let expected = format!("at most {}", self.len);
            let found = range.end;
            return Err(Error::Shape { place, what: "the end of the range", found, expected });
        }
        Ok(self.address() + (range.start * size_of::<T>()) as u64)
    }
}

impl<T> fmt::Debug for Buffer<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
        write!(formatter, "Buffer({} x {name})", self.len)
    }
}
