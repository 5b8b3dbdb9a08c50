//! Who runs when: requests in token ids, one worker thread that owns the model, priorities, cancellation,
//! sampling, guesses, n-grams, prefix reuse.
//!
//! Knows neither text nor editors.

mod error;

mod request;

mod options;

mod sampler;

mod pace;

mod ngrams;

mod drafter;

mod sequence;

mod running;

mod worker;

mod handle;

pub use crate::error::Error;
pub use crate::handle::{Generation, Handle};
pub use crate::ngrams::Ngrams;
pub use crate::options::Options;
pub use crate::request::{
    CancelFlag, Finish, ModelInfo, Outcome, Priority, Request, Sampling, Status,
};
pub use model::Choice;
