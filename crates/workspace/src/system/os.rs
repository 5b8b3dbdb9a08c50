//! The machine itself.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::SystemTime;

use ignore::{WalkBuilder, WalkState};
use tempfile::NamedTempFile;

use super::{Metadata, System};

/// A folder with more files than this is no project.
const MAX_WALKED: usize = 500_000;

/// Excludes files from the index in the syntax of `.gitignore`.
const IGNORE_FILE: &str = ".dacapoignore";

/// Whether it says which other files are walked.
pub(crate) fn is_ignore_file(path: &Path) -> bool {
    [IGNORE_FILE, ".gitignore", ".ignore"]
        .iter()
        .any(|name| path.file_name().is_some_and(|it| it == *name))
}

/// The machine itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsSystem;

impl System for OsSystem {
    fn read(&self, path: &Path, max_bytes: u64) -> io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        // A named pipe would be waited for.
        if !metadata.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut bytes = Vec::new();
        file.take(max_bytes.saturating_add(1)).read_to_end(&mut bytes)?;
        if max_bytes < bytes.len() as u64 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let metadata = fs::metadata(path)?;
        match metadata.is_file() {
            true => Ok(Metadata { len: metadata.len(), modified: metadata.modified().ok() }),
            false => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn walk(&self, root: &Path) -> Vec<PathBuf> {
        let found = Mutex::new(Vec::new());
        let n_found = AtomicUsize::new(0);
        walker(root).build_parallel().run(|| {
            let mut batch = Batch { paths: Vec::new(), found: &found };
            let n_found = &n_found;
            Box::new(move |entry| {
                if let Ok(entry) = entry
                    && entry.file_type().is_some_and(|kind| kind.is_file())
                {
                    batch.paths.push(entry.into_path());
                    if MAX_WALKED < n_found.fetch_add(1, Ordering::Relaxed) {
                        return WalkState::Quit;
                    }
                }
                WalkState::Continue
            })
        });
        found.into_inner().unwrap_or_default()
    }

    fn is_walked(&self, root: &Path, path: &Path) -> bool {
        let target = path.to_owned();
        let walk = walker(root).filter_entry(move |entry| target.starts_with(entry.path())).build();
        walk.flatten().any(|entry| {
            entry.path() == path && entry.file_type().is_some_and(|kind| kind.is_file())
        })
    }

    fn is_folder(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        create_private_folder(folder)?;
        let mut file = NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        // The name is on the disk once its folder is; where a folder cannot be opened, the file alone is.
        if let Ok(folder) = File::open(folder) {
            let _ = folder.sync_all();
        }
        Ok(())
    }

    fn variable(&self, name: &str) -> Option<OsString> {
        std::env::var_os(name).filter(|value| !value.is_empty())
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Hands over what one thread found when the thread is done, so that no lock is taken for each file.
struct Batch<'a> {
    paths: Vec<PathBuf>,
    found: &'a Mutex<Vec<PathBuf>>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if let Ok(mut found) = self.found.lock() {
            found.append(&mut self.paths);
        }
    }
}

fn walker(root: &Path) -> WalkBuilder {
    let mut builder = WalkBuilder::new(root);
    // A folder that is no repository has ignore files that mean the same.
    builder.require_git(false).add_custom_ignore_filename(IGNORE_FILE);
    builder
}

#[cfg(unix)]
fn create_private_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(not(unix))]
fn create_private_folder(path: &Path) -> io::Result<()> {
    fs::create_dir_all(path)
}
