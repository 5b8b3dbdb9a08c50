//! The bytes of a file of weights: mapped, or built into the binary.

use std::fs::File;
use std::path::Path;

use memmap2::Mmap;

use crate::Error;

pub(crate) enum Bytes {
    Mapped(Mmap),
    Static(&'static [u8]),
    /// What is stored in a type that is not computed with.
    Converted(Vec<u8>),
}

impl Bytes {
    /// The whole file `path`.
    pub(crate) fn map(path: &Path) -> Result<Self, Error> {
        let io_error = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        // SAFETY: the map is read-only and only ever seen as bytes, every bit pattern of which is valid.
        // A checkpoint that another process truncates meanwhile faults this one, as with every mapped file;
        // copying 15 GB on every start to avoid that is not worth it.
        #[expect(unsafe_code, reason = "the one memory map of weights")]
        let mmap = unsafe { Mmap::map(&file) }.map_err(io_error)?;
        Ok(Self::Mapped(mmap))
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Bytes::Mapped(mmap) => mmap,
            Bytes::Static(bytes) => bytes,
            Bytes::Converted(bytes) => bytes,
        }
    }
}
