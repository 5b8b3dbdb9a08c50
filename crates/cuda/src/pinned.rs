//! Memory of this machine that kernels reach.
#![expect(unsafe_code, reason = "memory that a kernel may write at any time")]

use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{Ordering, fence};

use cudarc::driver::{result, sys};

use crate::device::{Device, Freed, Inner};
use crate::driver::calling;
use crate::error::{Error, Result};
use crate::plain::Plain;

/// `len` values in page-locked memory, at the same address for host and device.
///
/// No reference to a value is ever given, since a kernel may write it at any time.
pub struct Pinned<T> {
    memory: Arc<Page>,
    values: NonNull<T>,
    len: usize,
}

/// Freed when its owner and all graphs that use it are dropped.
pub(crate) struct Page {
    start: NonNull<c_void>,
    device: Arc<Inner>,
}

// SAFETY: a page is an address, which any thread may use and free.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}
// SAFETY: values are plain, and reads and writes of them are volatile single accesses without references.
unsafe impl<T: Plain> Send for Pinned<T> {}
// SAFETY: as above; writing from the host takes it for itself alone.
unsafe impl<T: Plain> Sync for Pinned<T> {}

impl<T: Plain> Pinned<T> {
    /// The device's context is current on this thread.
    pub(crate) fn new(device: &Device, len: usize) -> Result<Self> {
        let n_bytes = len.saturating_mul(size_of::<T>()).max(1);
        if isize::try_from(n_bytes).is_err() {
            return Err(Error::OutOfMemory { n_bytes, n_free: 0 });
        }
        let flags = sys::CU_MEMHOSTALLOC_DEVICEMAP | sys::CU_MEMHOSTALLOC_PORTABLE;
        // SAFETY: it is zeroed below before anyone reads it.
        let start = unsafe { result::malloc_host(n_bytes, flags) };
        let start = NonNull::new(start.map_err(calling("cuMemHostAlloc"))?)
            .ok_or(Error::OutOfMemory { n_bytes, n_free: 0 })?;
        // SAFETY: the driver gave that many bytes to us alone.
        unsafe { start.as_ptr().cast::<u8>().write_bytes(0, n_bytes) };
        let memory = Arc::new(Page { start, device: Arc::clone(&device.inner) });
        Ok(Self { memory, values: start.cast(), len })
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What a kernel calls it.
    #[must_use]
    pub fn address(&self) -> u64 {
        self.values.as_ptr() as u64
    }

    /// The value as it is now. What a kernel wrote before a value that it published by a fence is seen after that value.
    #[must_use]
    pub fn get(&self, idx: usize) -> Option<T> {
        if self.len <= idx {
            return None;
        }
        // SAFETY: the index is within, page-locked memory is aligned to pages, and any bytes are a value.
        let value = unsafe { self.values.add(idx).read_volatile() };
        fence(Ordering::Acquire);
        Some(value)
    }

    /// Writes a value if there is one at `idx`; no kernel that uses it may be at work.
    ///
    /// # Errors
    /// There is no such value.
    pub fn set(&mut self, idx: usize, value: T) -> Result<()> {
        if self.len <= idx {
            let expected = format!("less than {}", self.len);
            return Err(Error::Shape { place: "set", what: "the index", found: idx, expected });
        }
        // SAFETY: as in `get`.
        unsafe { self.values.add(idx).write_volatile(value) };
        fence(Ordering::Release);
        Ok(())
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

    pub(crate) fn page(&self) -> &Arc<Page> {
        &self.memory
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.device.release(Freed::Page(self.start.as_ptr() as u64), 0);
    }
}

impl<T> fmt::Debug for Pinned<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
        write!(formatter, "Pinned({} x {name})", self.len)
    }
}

#[cfg(test)]
mod tests;
