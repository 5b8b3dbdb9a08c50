//! A device that is open: its stream, its kernels, and memory that comes and goes.
#![expect(unsafe_code, reason = "asks the driver for memory and copies")]

use std::any::Any;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};

use cudarc::driver::{CudaContext, CudaStream};

use crate::available::{DeviceInfo, available};
use crate::buffer::{Buffer, Memory};
use crate::driver::{self, calling};
use crate::error::{Error, Result};
use crate::image::Kernels;
use crate::pinned::Pinned;
use crate::plain::Plain;

/// A GPU with kernels loaded and one stream of its own. A clone is the same device.
#[derive(Clone)]
pub struct Device {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    info: DeviceInfo,
    kernels: Kernels,
    // Dropped before the context, as fields are in their order.
    pub(crate) stream: Arc<CudaStream>,
    pub(crate) context: Arc<CudaContext>,
    work: Mutex<Work>,
    n_launches: AtomicU64,
    n_bytes: AtomicU64,
}

/// What goes on in the stream. Held locked over each call, so that none slips into a capture of another thread.
#[derive(Default)]
pub(crate) struct Work {
    capture: Option<Capture>,
    /// Memory whose last owner went away during a capture, when nothing may be freed.
    freed: Vec<Freed>,
}

/// Memory without an owner.
#[derive(Clone, Copy)]
pub(crate) enum Freed {
    Device(u64),
    Page(u64),
}

/// Memory that a graph uses, and so owns.
pub(crate) type Kept = Arc<dyn Any + Send + Sync>;

struct Capture {
    thread: ThreadId,
    /// What the graph will read and write.
    kept: Vec<Kept>,
    n_kernels: usize,
}

/// What a capture has come to.
pub(crate) struct Captured {
    pub(crate) kept: Vec<Kept>,
    pub(crate) n_kernels: usize,
}

impl Device {
    /// Opens the device of this index in the driver's order, as [`DeviceInfo::index`] says it.
    ///
    /// # Errors
    /// There is no driver or no such device, or no kernels run on it.
    pub fn open(index: usize) -> Result<Self> {
        let devices = available()?;
        let n_devices = devices.len();
        let info = devices
            .into_iter()
            .find(|info| info.index == index)
            .ok_or(Error::NoSuchDevice { index, n_devices })?;
        let context = CudaContext::new(index).map_err(calling("cuDevicePrimaryCtxRetain"))?;
        // Events between streams would be captured with the work, and there is one stream.
        // SAFETY: everything here goes to the one stream below, which keeps its order.
        unsafe { context.disable_event_tracking() };
        let stream = context.new_stream().map_err(calling("cuStreamCreate"))?;
        let kernels = Kernels::load(&context, &info)?;
        Ok(Self {
            inner: Arc::new(Inner {
                info,
                kernels,
                stream,
                context,
                work: Mutex::default(),
                n_launches: AtomicU64::new(0),
                n_bytes: AtomicU64::new(0),
            }),
        })
    }

    #[must_use]
    pub fn info(&self) -> &DeviceInfo {
        &self.inner.info
    }

    /// Bytes that nobody has, other programs included.
    ///
    /// # Errors
    /// The driver does not answer.
    pub fn free_memory(&self) -> Result<usize> {
        let (free, _) = self.inner.context.mem_get_info().map_err(calling("cuMemGetInfo"))?;
        Ok(free)
    }

    /// Bytes in buffers of this device.
    #[must_use]
    pub fn allocated(&self) -> u64 {
        self.inner.n_bytes.load(Ordering::Relaxed)
    }

    /// How often work was handed to the driver: a kernel or a whole graph counts once.
    #[must_use]
    pub fn n_launches(&self) -> u64 {
        self.inner.n_launches.load(Ordering::Relaxed)
    }

    /// `n` values whose bytes are all 0.
    ///
    /// # Errors
    /// Out of memory, or work is being captured.
    pub fn zeroed<T: Plain>(&self, n: usize) -> Result<Buffer<T>> {
        self.filled(n, Some(0))
    }

    /// `n` values that are to be written before they are read.
    ///
    /// With debug assertions all their bits are set, which is not a number in every float type: what is read too early shows.
    ///
    /// # Errors
    /// Out of memory, or work is being captured.
    pub fn poisoned<T: Plain>(&self, n: usize) -> Result<Buffer<T>> {
        self.filled(n, cfg!(debug_assertions).then_some(0xFF))
    }

    fn filled<T: Plain>(&self, n: usize, byte: Option<u8>) -> Result<Buffer<T>> {
        let work = self.idle("an allocation")?;
        let memory = Memory::new(self, n.saturating_mul(size_of::<T>()))?;
        let filled = match byte.filter(|_| 0 < memory.n_bytes()) {
            // SAFETY: the memory is all of it there, and is freed after the stream has come past.
            Some(byte) => unsafe {
                driver::fill(memory.address(), byte, memory.n_bytes(), self.raw_stream())
            },
            None => Ok(()),
        };
        // Memory that is dropped takes the lock.
        drop(work);
        filled.map_err(calling("cuMemsetD8Async"))?;
        Ok(Buffer::new(Arc::new(memory), n))
    }

    /// A buffer with these values.
    ///
    /// # Errors
    /// Out of memory, or work is being captured.
    pub fn upload<T: Plain>(&self, values: &[T]) -> Result<Buffer<T>> {
        let mut buffer = self.filled(values.len(), None)?;
        self.write(&mut buffer, 0, values)?;
        Ok(buffer)
    }

    /// Writes `values` to the buffer from `offset` on, in the order of the stream.
    ///
    /// # Errors
    /// They do not fit, or work is being captured.
    pub fn write<T: Plain>(
        &self,
        buffer: &mut Buffer<T>,
        offset: usize,
        values: &[T],
    ) -> Result<()> {
        let address = buffer.range("write", self, offset..offset.saturating_add(values.len()))?;
        let _work = self.idle("a write")?;
        if !values.is_empty() {
            // SAFETY: the range lies within the buffer; slices of page-locked memory are given to nobody.
            unsafe { driver::write(address, values, self.raw_stream()) }
                .map_err(calling("cuMemcpyHtoDAsync"))?;
        }
        Ok(())
    }

    /// Waits for all work, then reads.
    ///
    /// # Errors
    /// The range is not within the buffer, work failed, or work is being captured.
    pub fn read<T: Plain>(&self, buffer: &Buffer<T>, range: Range<usize>) -> Result<Vec<T>> {
        // Any bytes are a value: those of the first serve until they are overwritten.
        let n = range.len();
        let mut values = vec![zero::<T>(); n];
        self.read_into(buffer, range.start, &mut values)?;
        Ok(values)
    }

    /// Waits for all work, then reads as many values as `values` has, from `offset` on.
    ///
    /// # Errors
    /// They are not within the buffer, work failed, or work is being captured.
    pub fn read_into<T: Plain>(
        &self,
        buffer: &Buffer<T>,
        offset: usize,
        values: &mut [T],
    ) -> Result<()> {
        let address = buffer.range("read", self, offset..offset.saturating_add(values.len()))?;
        let _work = self.idle("a read")?;
        if !values.is_empty() {
            // SAFETY: the range lies within the buffer.
            unsafe { driver::read(values, address, self.raw_stream()) }
                .map_err(calling("cuMemcpyDtoHAsync"))?;
        }
        Ok(())
    }

    /// Copies `n` values between buffers, in the order of the stream; may be captured.
    ///
    /// # Errors
    /// They are not within both buffers.
    pub fn copy<T: Plain>(
        &self,
        from: &Buffer<T>,
        from_offset: usize,
        to: &mut Buffer<T>,
        to_offset: usize,
        n: usize,
    ) -> Result<()> {
        let source = from.range("copy", self, from_offset..from_offset.saturating_add(n))?;
        let target = to.range("copy", self, to_offset..to_offset.saturating_add(n))?;
        let mut work = self.enter()?;
        if 0 < n {
            work.keep([from.memory().clone() as Kept, to.memory().clone()]);
            // SAFETY: both ranges lie within buffers, which are two, as one of them is borrowed alone.
            unsafe { driver::copy(target, source, n * size_of::<T>(), self.raw_stream()) }
                .map_err(calling("cuMemcpyDtoDAsync"))?;
        }
        Ok(())
    }

    /// Moves `n` values from `first` on to the front, in the order of the stream.
    ///
    /// # Errors
    /// They are not within the buffer, or work is being captured.
    pub fn move_to_front<T: Plain>(
        &self,
        buffer: &mut Buffer<T>,
        first: usize,
        n: usize,
    ) -> Result<()> {
        buffer.range("move_to_front", self, first..first.saturating_add(n))?;
        let _work = self.idle("a move")?;
        if first == 0 {
            return Ok(());
        }
        // A piece no longer than the way it moves does not reach into itself.
        for start in (0..n).step_by(first) {
            let n_bytes = first.min(n - start) * size_of::<T>();
            let target = buffer.address() + (start * size_of::<T>()) as u64;
            let source = target + (first * size_of::<T>()) as u64;
            // SAFETY: both pieces lie within the buffer, and they do not meet.
            unsafe { driver::copy(target, source, n_bytes, self.raw_stream()) }
                .map_err(calling("cuMemcpyDtoDAsync"))?;
        }
        Ok(())
    }

    /// Waits for all work.
    ///
    /// # Errors
    /// Some of it failed, or work is being captured.
    pub fn synchronize(&self) -> Result<()> {
        let _work = self.idle("waiting")?;
        self.inner.stream.synchronize().map_err(calling("cuStreamSynchronize"))
    }

    /// Page-locked memory of this machine that kernels write and the host reads, `n` values whose bytes are all 0.
    ///
    /// # Errors
    /// Out of memory, or work is being captured.
    pub fn pinned<T: Plain>(&self, n: usize) -> Result<Pinned<T>> {
        let _work = self.idle("an allocation")?;
        Pinned::new(self, n)
    }

    pub(crate) fn kernels(&self) -> &Kernels {
        &self.inner.kernels
    }

    pub(crate) fn is(&self, other: &Inner) -> bool {
        std::ptr::eq(&raw const *self.inner, other)
    }

    pub(crate) fn count_launch(&self) {
        self.inner.n_launches.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn raw_stream(&self) -> cudarc::driver::sys::CUstream {
        self.inner.stream.cu_stream()
    }

    /// Before a call that may be captured, unless another thread captures.
    pub(crate) fn enter(&self) -> Result<MutexGuard<'_, Work>> {
        let work = self.inner.lock();
        if work.capture.as_ref().is_some_and(|capture| capture.thread != thread::current().id()) {
            return Err(Error::Capturing { call: "work of another thread" });
        }
        self.inner.context.bind_to_thread().map_err(calling("cuCtxSetCurrent"))?;
        Ok(work)
    }

    /// Before a call that cannot be captured.
    pub(crate) fn idle(&self, call: &'static str) -> Result<MutexGuard<'_, Work>> {
        let work = self.enter()?;
        if work.capture.is_some() { Err(Error::Capturing { call }) } else { Ok(work) }
    }
}

fn zero<T: Plain>() -> T {
    // SAFETY: any bytes are a value of a plain type.
    unsafe { std::mem::zeroed() }
}

impl Inner {
    pub(crate) fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn count_bytes(&self, n_bytes: usize) {
        self.n_bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
    }

    /// Frees what nobody has any more, once the stream has come past all that may use it.
    pub(crate) fn release(&self, freed: Freed, n_bytes: usize) {
        self.n_bytes.fetch_sub(n_bytes as u64, Ordering::Relaxed);
        let mut work = self.lock();
        if work.capture.is_some() {
            work.freed.push(freed);
        } else {
            self.free(&[freed]);
        }
    }

    /// Errors have nobody to go to here, and the context keeps what made them for the next call.
    fn free(&self, freed: &[Freed]) {
        if freed.is_empty() || self.context.bind_to_thread().is_err() {
            return;
        }
        let _ = self.stream.synchronize();
        for memory in freed {
            // SAFETY: each comes from the one owner of its memory, and the stream has come past its uses.
            let _ = unsafe {
                match *memory {
                    Freed::Device(address) => driver::free(address),
                    Freed::Page(address) => driver::free_page(address),
                }
            };
        }
    }
}

impl Work {
    pub(crate) fn begin(&mut self) {
        self.capture =
            Some(Capture { thread: thread::current().id(), kept: Vec::new(), n_kernels: 0 });
    }

    /// Ends a capture, and frees what could not be freed during it.
    pub(crate) fn end(&mut self, inner: &Inner) -> Option<Captured> {
        let Capture { kept, n_kernels, .. } = self.capture.take()?;
        inner.free(&std::mem::take(&mut self.freed));
        Some(Captured { kept, n_kernels })
    }

    /// Lets a graph that is being captured own the memory that it will use.
    pub(crate) fn keep(&mut self, memory: impl IntoIterator<Item = Kept>) {
        if let Some(capture) = &mut self.capture {
            capture.kept.extend(memory);
        }
    }

    pub(crate) fn count_kernel(&mut self) {
        if let Some(capture) = &mut self.capture {
            capture.n_kernels += 1;
        }
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Device({})", self.inner.info)
    }
}

#[cfg(test)]
mod tests;
