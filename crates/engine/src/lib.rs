//! Who runs when: requests in token ids, one worker thread that owns the model, cancellation, sampling, prefix reuse.
//!
//! Knows neither text nor editors.

mod error;

mod request;

mod sampler;

mod sequence;

mod worker;

mod handle;

pub use crate::error::Error;
pub use crate::handle::{Generation, Handle};
pub use crate::request::{
    CancelFlag, Choice, Finish, ModelInfo, Outcome, Request, Sampling, Status,
};
