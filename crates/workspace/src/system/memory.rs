//! A machine in memory: for tests, and for repositories that lie on no disk.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use super::{Metadata, System};

/// Files, environment and clock in memory. The clock moves on by a minute with each change of a file; ignore files have no meaning.
#[derive(Debug, Default)]
pub struct MemorySystem {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<PathBuf, (Vec<u8>, SystemTime)>,
    variables: BTreeMap<String, OsString>,
    ticks: u32,
}

impl MemorySystem {
    /// Of files with their texts.
    pub fn new<P: Into<PathBuf>, T: Into<Vec<u8>>>(
        files: impl IntoIterator<Item = (P, T)>,
    ) -> Self {
        let system = Self::default();
        for (path, text) in files {
            system.write(path, text);
        }
        system
    }

    pub fn write(&self, path: impl Into<PathBuf>, text: impl Into<Vec<u8>>) {
        let mut state = self.lock();
        state.ticks += 1;
        let now = state.now();
        state.files.insert(path.into(), (text.into(), now));
    }

    pub fn remove(&self, path: &Path) {
        self.lock().files.remove(path);
    }

    pub fn set_variable(&self, name: &str, value: impl Into<OsString>) {
        self.lock().variables.insert(name.to_owned(), value.into());
    }

    /// Every file there is, in order.
    pub fn paths(&self) -> Vec<PathBuf> {
        self.lock().files.keys().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(60) * self.ticks
    }
}

impl System for MemorySystem {
    fn read(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let (bytes, _) = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        match max_bytes < bytes.len() as u64 {
            true => Err(io::ErrorKind::FileTooLarge.into()),
            false => Ok(bytes.clone()),
        }
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let state = self.lock();
        let (bytes, modified) = state.files.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Metadata { len: bytes.len() as u64, modified: Some(*modified) })
    }

    fn walk(&self, root: &Path) -> Vec<PathBuf> {
        self.lock().files.keys().filter(|path| path.starts_with(root)).cloned().collect()
    }

    fn is_walked(&self, root: &Path, path: &Path) -> bool {
        path.starts_with(root) && self.lock().files.contains_key(path)
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.lock().files.keys().any(|file| file.parent().is_some_and(|it| it.starts_with(path)))
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.write(path, bytes);
        Ok(())
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        self.lock().variables.get(name).filter(|value| !value.is_empty()).cloned()
    }

    fn now(&self) -> SystemTime {
        // Files are old enough for their times to be trusted.
        self.lock().now() + Duration::from_secs(30)
    }
}
