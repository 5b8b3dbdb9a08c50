//! How good completions are: holes cut in real files, filled by an assistant, and compared with what stood there.

mod error;

mod hole;

mod interval;

mod manifest;

mod repository;

mod cut;

mod score;

mod run;

mod report;

pub use cut::{CutConfig, cut};
pub use error::Error;
pub use hole::{Hole, Kind, read};
pub use interval::Estimate;
pub use manifest::Manifest;
pub use report::{Difference, Percentiles, Report, Summary, Threshold, difference, report};
pub use run::{Answer, Given, run, scored};
pub use score::Score;
