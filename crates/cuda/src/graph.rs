//! Work that is captured once and launched as often as wanted.
#![expect(unsafe_code, reason = "sends a handle of the driver between threads")]

use std::fmt;

use cudarc::driver::{CudaGraph, sys};

use crate::device::{Captured, Device, Kept};
use crate::driver::calling;
use crate::error::{Error, Result};

/// Captured work. It owns the memory that its kernels were given, though not what that memory names by address.
pub struct Graph {
    // Dropped before the memory that it uses.
    graph: Handle,
    _kept: Vec<Kept>,
    n_kernels: usize,
    device: Device,
}

struct Handle(CudaGraph);

// SAFETY: a graph may be used by any thread, one at a time; each use holds the lock of the device's work.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

/// Ends a capture even where the work panics, so that the stream is of use again.
struct Ending<'a> {
    device: &'a Device,
    is_over: bool,
}

impl Device {
    /// Captures the kernels and copies that `work` asks for, none of which runs now.
    ///
    /// Neither allocations nor reads nor writes of the host are possible within it.
    ///
    /// # Errors
    /// That of `work`, or the work cannot be captured.
    pub fn capture(&self, work: impl FnOnce(&Self) -> Result<()>) -> Result<Graph> {
        {
            let mut guard = self.idle("a capture")?;
            let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
            self.inner.stream.begin_capture(mode).map_err(calling("cuStreamBeginCapture"))?;
            guard.begin();
        }
        let mut ending = Ending { device: self, is_over: false };
        let outcome = work(self);
        let ended = ending.end();
        outcome?;
        let (graph, Captured { kept, n_kernels }) = ended?;
        Ok(Graph { graph: Handle(graph), _kept: kept, n_kernels, device: self.clone() })
    }
}

impl Ending<'_> {
    fn end(&mut self) -> Result<(CudaGraph, Captured)> {
        self.is_over = true;
        let inner = &self.device.inner;
        let mut work = inner.lock();
        let graph = inner.stream.end_capture(sys::CUgraphInstantiate_flags(0));
        let captured = work.end(inner);
        // What was kept may be dropped below, which takes the lock.
        drop(work);
        let graph = graph.map_err(calling("cuStreamEndCapture"))?;
        let nothing = || Error::Driver { call: "cuStreamEndCapture", code: "no graph".to_owned() };
        graph.zip(captured).ok_or_else(nothing)
    }
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            drop(self.end());
        }
    }
}

impl Graph {
    /// Lets the work run once more, in the order of the stream.
    ///
    /// # Errors
    /// The driver refuses, or work is being captured.
    pub fn launch(&self) -> Result<()> {
        let _work = self.device.idle("a graph")?;
        self.graph.0.launch().map_err(calling("cuGraphLaunch"))?;
        self.device.count_launch();
        Ok(())
    }

    /// Kernels that a launch runs.
    #[must_use]
    pub fn n_kernels(&self) -> usize {
        self.n_kernels
    }
}

impl fmt::Debug for Graph {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Graph({} kernels)", self.n_kernels)
    }
}

#[cfg(test)]
mod tests;
