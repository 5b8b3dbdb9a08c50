//! What can go wrong with holes, manifests and directories.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("line {line} of {} is no hole", path.display())]
    Hole { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("{} holds no holes", path.display())]
    NoHoles { path: PathBuf },
    #[error("{} is no manifest of packages", path.display())]
    Manifest { path: PathBuf, source: toml::de::Error },
    #[error(
        "{} belongs to no package that {} marks {split:?}: a directory is named NAME or NAME-VERSION",
        directory.display(),
        manifest.display()
    )]
    NotInSplit { directory: PathBuf, manifest: PathBuf, split: String },
}
