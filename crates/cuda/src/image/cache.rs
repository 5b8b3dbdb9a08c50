//! Machine code that was compiled on this machine, kept below the user's caches.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process;

use sha2::{Digest, Sha256};

use crate::image::parts::{Source, Target};

const HASH: usize = 32;

/// A folder with a file for each source, target and driver: the hash of the code, then the code.
pub(super) struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// `dacapo/kernels` below `$XDG_CACHE_HOME` or `~/.cache`; nothing is kept where neither is known.
    pub(super) fn of_the_user() -> Self {
        let absolute =
            |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let caches =
            absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
        Self { folder: caches.map(|caches| caches.join("dacapo").join("kernels")) }
    }

    #[cfg(test)]
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// The code that is kept, else what `compile` makes, which is kept if that is possible.
    pub(super) fn get_or(
        &self,
        headers: &[Source],
        source: &Source,
        target: Target,
        driver: (u32, u32),
        compile: impl FnOnce() -> Result<Vec<u8>, String>,
    ) -> Result<Vec<u8>, String> {
        let path = self
            .folder
            .as_ref()
            .map(|folder| folder.join(format!("{}.cubin", key(headers, source, target, driver))));
        if let Some(code) = path.as_deref().and_then(read) {
            return Ok(code);
        }
        let code = compile()?;
        if let Some(path) = &path {
            // A cache that cannot be written costs time at the next start and nothing else.
            let _ = write(path, &code);
        }
        Ok(code)
    }
}

fn key(headers: &[Source], source: &Source, target: Target, driver: (u32, u32)) -> String {
    let mut hash = Sha256::new();
    for Source { name, text } in headers.iter().chain([source]) {
        hash.update(format!("{name} {}\n", text.len()));
        hash.update(text);
    }
    hash.update(format!("{target} {}.{}", driver.0, driver.1));
    hash.finalize().iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    })
}

/// What was written to its end, by its hash.
fn read(path: &Path) -> Option<Vec<u8>> {
    let bytes = fs::read(path).ok()?;
    let (hash, code) = bytes.split_at_checked(HASH)?;
    (Sha256::digest(code).as_slice() == hash).then(|| code.to_vec())
}

/// Under another name first: two programs may do so at once, and neither may see half a file.
fn write(path: &Path, code: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let unfinished = path.with_extension(format!("{}.part", process::id()));
    fs::write(&unfinished, [Sha256::digest(code).as_slice(), code].concat())?;
    let renamed = fs::rename(&unfinished, path);
    if renamed.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    renamed
}
