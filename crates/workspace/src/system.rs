//! What the index wants of the machine: files, environment and clock, behind one trait that tests own.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

pub use memory::MemorySystem;
pub use os::OsSystem;

pub(crate) use os::is_ignore_file;

mod memory;
mod os;

/// Files, environment and clock.
pub trait System: fmt::Debug + Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// Whatever the file system says; [`io::ErrorKind::FileTooLarge`] when there are more than `max_bytes`.
    fn read(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>>;

    /// # Errors
    /// Whatever the file system says; a folder is no file.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// The files below `root`, without those that are hidden or that ignore files exclude; in no order.
    fn walk(&self, root: &Path) -> Vec<PathBuf>;

    /// [`System::walk`] would find this file.
    fn is_walked(&self, root: &Path, path: &Path) -> bool;

    fn is_folder(&self, path: &Path) -> bool;

    /// Puts a whole file in place of whatever is there: readers see the old one or the new one, whoever else writes.
    ///
    /// # Errors
    /// Whatever the file system says; nothing has changed then.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// An environment variable that is set and not empty.
    fn variable(&self, name: &str) -> Option<OsString>;

    fn now(&self) -> SystemTime;
}

/// The machine that readers of a workspace see: the real one unless told otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Machine(pub(crate) Arc<dyn System>);

impl Default for Machine {
    fn default() -> Self {
        Self(Arc::new(OsSystem))
    }
}

/// What tells a file that has changed from one that has not, mostly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// In bytes.
    pub len: u64,
    pub modified: Option<SystemTime>,
}

/// Where a user's caches lie: `$XDG_CACHE_HOME`, or `~/.cache`; `None` where neither is known.
pub fn cache_directory(system: &dyn System) -> Option<PathBuf> {
    let absolute =
        |name: &str| system.variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .or_else(|| absolute("LOCALAPPDATA"))
}
