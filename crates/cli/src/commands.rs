//! One file a verb.

pub(crate) mod act;
pub(crate) mod bench;
pub(crate) mod complete;
pub(crate) mod cut;
#[cfg(unix)]
pub(crate) mod daemon;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod generate;
pub(crate) mod list;
pub(crate) mod lsp;
pub(crate) mod model;
pub(crate) mod pull;
pub(crate) mod quantize;
pub(crate) mod tokens;
