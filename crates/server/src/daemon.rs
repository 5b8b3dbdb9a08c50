//! One process per user that serves every editor: where it is found, how it is greeted, how it ends.
//!
//! An editor starts `dacapo lsp`, which is a pipe to the daemon's socket ([`pipe::run`]); what passes through it is the
//! Language Server Protocol after one line of greeting either way.

pub mod connect;
pub mod greeting;
pub mod pipe;
pub mod place;
mod report;
mod service;

pub use report::Report;
pub use service::{Service, run};

/// Why there is no daemon to speak to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{path}: {source}")]
    Io { path: std::path::PathBuf, source: std::io::Error },
    #[error("{path} is not a folder that only you may use; remove it, or set XDG_RUNTIME_DIR")]
    NotPrivate { path: std::path::PathBuf },
    #[error("{path} is too long for a socket; set XDG_RUNTIME_DIR to a shorter folder")]
    PathTooLong { path: std::path::PathBuf },
    #[error("the socket {path} belongs to another user")]
    OtherUser { path: std::path::PathBuf },
    #[error("the system does not tell which user this is: {0}")]
    NoUser(std::io::Error),
    #[error("no daemon runs")]
    NotRunning,
    #[error("the daemon could not be started: {0}")]
    NotStarted(std::io::Error),
    #[error("the daemon did not answer within {0} s; its log is {1}")]
    NoAnswer(u64, std::path::PathBuf),
    #[error("the daemon refused: {0}")]
    Refused(String),
    #[error("the daemon does not speak the language of this program")]
    NotADaemon,
}
