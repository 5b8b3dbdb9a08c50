//! Models from a hub of models: fetched when a person asks for it, checked, kept in one directory.
//!
//! The only room with network code. It knows files by name, length and hash, and nothing of what is in them.

mod error;

mod repository;

mod digest;

mod settings;

mod transport;

mod retry;

mod listing;

mod manifest;

mod partial;

mod download;

mod pull;

mod local;

pub use error::Error;
pub use local::{LocalModel, find_local, list_local};
pub use pull::{Event, Pulled, pull};
pub use repository::Repository;
pub use settings::{Retry, Settings, Token, models_directory};
