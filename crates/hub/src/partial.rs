//! A file that grows to its length under another name, hashed as it grows.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::digest::Hasher;
use crate::error::Error;
use crate::manifest::{Expected, part};

const CHUNK: usize = 1 << 18;

#[derive(Debug)]
pub(crate) struct Partial<'a> {
    expected: &'a Expected,
    /// Where it goes when it is whole.
    place: PathBuf,
    path: PathBuf,
    file: File,
    hasher: Hasher,
    n_bytes: u64,
}

impl<'a> Partial<'a> {
    /// Goes on with what an earlier try left.
    pub(crate) fn open(expected: &'a Expected, directory: &Path) -> Result<Self, Error> {
        let place = directory.join(&expected.name);
        let path = part(&place);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path).map_err(Error::io(&path))?;
        let hasher = expected.digest.hasher(expected.n_bytes);
        let mut partial = Self { expected, place, path, file, hasher, n_bytes: 0 };
        partial.n_bytes =
            update(&mut partial.hasher, &partial.file).map_err(Error::io(&partial.path))?;
        if expected.n_bytes < partial.n_bytes {
            partial.restart()?;
        }
        Ok(partial)
    }

    pub(crate) fn n_bytes(&self) -> u64 {
        self.n_bytes
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.n_bytes == self.expected.n_bytes
    }

    pub(crate) fn restart(&mut self) -> Result<(), Error> {
        self.file
            .set_len(0)
            .and_then(|()| self.file.seek(SeekFrom::Start(0)))
            .map_err(Error::io(&self.path))?;
        self.hasher = self.expected.digest.hasher(self.expected.n_bytes);
        self.n_bytes = 0;
        Ok(())
    }

    /// Bytes past the file's length are an error, and are not written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let found = self.n_bytes + bytes.len() as u64;
        if self.expected.n_bytes < found {
            let (file, expected) = (self.expected.name.clone(), self.expected.n_bytes);
            return Err(Error::Length { file, expected, found });
        }
        self.file.write_all(bytes).map_err(Error::io(&self.path))?;
        self.hasher.update(bytes);
        self.n_bytes = found;
        Ok(())
    }

    /// Puts a whole file in its place if its hash is right.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let found = self.hasher.finish();
        if found != self.expected.digest.as_str() {
            let (file, expected) = (self.expected.name.clone(), self.expected.digest.as_str());
            return Err(Error::Digest { file, expected: expected.to_owned(), found });
        }
        self.file.sync_all().map_err(Error::io(&self.path))?;
        drop(self.file);
        fs::rename(&self.path, &self.place).map_err(Error::io(&self.place))?;
        sync_parent(&self.place)
    }
}

/// Whether the file in place, which no pull has vouched for, is the expected one.
pub(crate) fn is_as_expected(expected: &Expected, directory: &Path) -> Result<bool, Error> {
    let path = directory.join(&expected.name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(Error::Io { path, source }),
    };
    let mut hasher = expected.digest.hasher(expected.n_bytes);
    let n_bytes = update(&mut hasher, &file).map_err(Error::io(&path))?;
    Ok(n_bytes == expected.n_bytes && hasher.finish() == expected.digest.as_str())
}

/// Reads to the end; the number of bytes.
fn update(hasher: &mut Hasher, mut file: &File) -> std::io::Result<u64> {
    let mut chunk = vec![0; CHUNK];
    let mut n_bytes = 0;
    loop {
        let n_read = file.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..n_read).filter(|bytes| !bytes.is_empty()) else {
            return Ok(n_bytes);
        };
        hasher.update(bytes);
        n_bytes += bytes.len() as u64;
    }
}

/// A new name is on disk only when its directory is.
#[cfg(unix)]
fn sync_parent(path: &Path) -> Result<(), Error> {
    let Some(parent) = path.parent() else { return Ok(()) };
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(Error::io(parent))
}

/// Other systems do not open directories.
#[cfg(not(unix))]
fn sync_parent(_path: &Path) -> Result<(), Error> {
    Ok(())
}
