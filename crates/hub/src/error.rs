//! Everything that can go wrong between a repository's name and its files on disk.

use std::path::{Path, PathBuf};

/// No variant holds the token, so no message can show it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("HF_HUB_OFFLINE is set, so nothing is fetched; unset it to pull a model")]
    Offline,
    #[error(
        "{name:?} is not a repository: expected OWNER/NAME of letters, digits, '.', '_' and '-'"
    )]
    RepositoryName { name: String },
    #[error("{revision:?} is not a revision: expected a branch, a tag or a commit")]
    Revision { revision: String },
    #[error(
        "{endpoint:?} is not an endpoint: expected http:// or https:// and a host (HF_ENDPOINT)"
    )]
    Endpoint { endpoint: String },
    #[error("the token of {origin} holds characters that no token has")]
    Token { origin: String },
    #[error("there is no home directory to keep models in; set DACAPO_MODELS to a directory")]
    NoHome,
    #[error("{}: {source}", path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error("cannot fetch {url}: {reason}")]
    Request { url: String, reason: String },
    #[error("gave up on {url} after {n_attempts} attempts: {reason}")]
    GaveUp { url: String, n_attempts: u32, reason: String },
    #[error("{url} answers with status {status}")]
    Status { url: String, status: u16 },
    #[error(
        "the hub refuses {repository} (status {status}): it is gated, private or does not exist; {}",
        advice(page, *has_token)
    )]
    Denied { repository: String, page: String, status: u16, has_token: bool },
    #[error(
        "the hub has no {what}; check the name and the revision, and set HF_TOKEN if it is private"
    )]
    NotFound { what: String },
    #[error("cannot read the hub's answer about {repository}: {reason}")]
    Listing { repository: String, reason: String },
    #[error(
        "the hub names a file {name:?}, which would leave the model's directory; nothing was fetched"
    )]
    UnsafeName { name: String },
    #[error("{repository} holds no {missing}, so it is no model that can be run")]
    NotAModel { repository: String, missing: &'static str },
    #[error(
        "not enough room in {}: {needed} bytes are needed ({missing} to fetch and {} to spare), {free} are free",
        directory.display(), needed - missing
    )]
    NoSpace { directory: PathBuf, missing: u64, needed: u64, free: u64 },
    #[error("{file} should have {expected} bytes, but the server announces or sends {found}")]
    Length { file: String, expected: u64, found: u64 },
    #[error(
        "{file} is damaged: its hash is {found}, and the hub says {expected}; what was fetched of it is removed"
    )]
    Digest { file: String, expected: String, found: String },
}

impl Error {
    /// For `map_err`: what happened to `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_owned(), source }
    }
}

fn advice(page: &str, has_token: bool) -> String {
    if has_token {
        format!("accept its conditions at {page}, and check that your token may read it")
    } else {
        format!("accept its conditions at {page}, and set HF_TOKEN to a token that may read it")
    }
}
