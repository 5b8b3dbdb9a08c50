//! What can go wrong on a device.

use crate::available::Unavailable;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    #[error("there is no GPU {index}: {n_devices} in all, counted from 0")]
    NoSuchDevice { index: usize, n_devices: usize },
    #[error("no kernels for this GPU: {reason}")]
    NoKernels { reason: String },
    #[error("the kernels have no {name}")]
    MissingKernel { name: &'static str },
    #[error("out of GPU memory: {n_bytes} bytes asked for, {n_free} free")]
    OutOfMemory { n_bytes: usize, n_free: usize },
    #[error("{call}: {code}")]
    Driver { call: &'static str, code: String },
    #[error("{place}: {what} is {found}; expected {expected}")]
    Shape { place: &'static str, what: &'static str, found: usize, expected: String },
    #[error("{place}: {what} belongs to another device")]
    OtherDevice { place: &'static str, what: &'static str },
    #[error("{call} is not possible while work is captured")]
    Capturing { call: &'static str },
}

impl Error {
    /// The card's memory does not suffice, for a buffer or for what the driver itself needs, as for a graph.
    #[must_use]
    pub fn is_out_of_memory(&self) -> bool {
        match self {
            Self::OutOfMemory { .. } => true,
            Self::Driver { code, .. } => code == "CUDA_ERROR_OUT_OF_MEMORY",
            _ => false,
        }
    }
}
