//! The header of a GGUF file: its metadata, and what tensors lie where. No tensor is read here.
//!
//! The format is that of <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian.

mod error;

mod source;

mod value;

mod header;

pub use crate::error::Error;
pub use crate::header::{Header, TensorInfo};
pub use crate::value::Value;
