//! The GPU: devices, memory, captured graphs, and one checked method for each kernel of `kernels/`.
//!
//! This is the one room that names the CUDA driver. It is found at run time: nothing of CUDA is needed to build,
//! and where there is no driver [`available()`] says so in a sentence.
//!
//! Work goes to one stream of the device and runs in the order in which it was asked for.
//! A kernel gets addresses, so what a [`shapes::Sequence`] in device memory names must live as long as work that reads it:
//! that much the types here cannot see.

mod error;

pub mod shapes;

mod plain;

mod available;

mod driver;

mod image;

mod buffer;

mod pinned;

mod device;

mod graph;

mod matrix;

pub mod launch;

pub mod testing;

pub use crate::available::{DeviceInfo, Unavailable, available};
pub use crate::buffer::Buffer;
pub use crate::device::Device;
pub use crate::error::{Error, Result};
pub use crate::graph::Graph;
pub use crate::matrix::{Format, Matrix, MatrixShape, OperandBuffer, ScaleType};
pub use crate::pinned::Pinned;
pub use crate::plain::Plain;
