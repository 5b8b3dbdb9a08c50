//! The Parallel Loop Transformer: configuration, weights, cache and forward pass, on the CPU or a GPU.
//!
//! Knows no text, no random numbers and no scheduler: token ids go in, logits come out, or tokens chosen by a rule.
//! The mathematics is that of LoopCoder-v2 (arXiv 2606.18023) and the Parallel Loop Transformer (arXiv 2510.24824).

mod error;

mod config;

mod bytes;

mod pool;

mod layout;

mod operand;

mod panel;

mod kernels;

mod product;

mod matrix;

mod packed;

mod quantised;

mod linear;

#[doc(hidden)]
pub mod bench;

mod broken_shard;

mod weights;

mod gguf;

mod quantize;

mod real;

mod rope;

mod pass;

mod cache;

mod attention;

mod layer;

mod vector;

mod single;

mod stack;

mod verify;

mod schedule;

mod host;

mod device;

mod placement;

mod plt;

mod choose;

mod gpus;

mod decode;

mod ahead;

mod forward;

pub use crate::cache::{Cache, CacheFormat, CacheOptions, LaterLoops};
pub use crate::choose::{Choice, Draws, Rule, likeliest};
pub use crate::config::Config;
pub use crate::error::Error;
pub use crate::forward::Logits;
pub use crate::gpus::gpus;
pub use crate::kernels::processor_kernels;
pub use crate::placement::{DeviceChoice, Placement};
pub use crate::plt::{DType, LoadOptions, Plt};
pub use crate::pool::set_n_threads;
pub use crate::quantised::Format;
pub use crate::quantize::{Rounded, quantize};
pub use crate::verify::{Defect, Verification, verify};
pub use crate::weights::{TensorSummary, Weights};
