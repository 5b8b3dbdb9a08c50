//! What can be wrong with a GGUF file.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("{}: {reason}", path.display())]
    Header { path: PathBuf, reason: String },
    #[error("{}: the metadata has no {key}", path.display())]
    MissingKey { path: PathBuf, key: String },
    #[error("{}: {key} is {found}; expected {expected}", path.display())]
    WrongType { path: PathBuf, key: String, found: &'static str, expected: &'static str },
}
