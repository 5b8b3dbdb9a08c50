//! Little-endian numbers and strings from a file whose length bounds what it may ask for.

use std::io::Read;

/// Longest string; a chat template of a megabyte would be a curiosity.
const MAX_STRING: u64 = 1 << 26;

/// Metadata values in all, array elements included. Three arrays over the largest vocabularies have a tenth of it.
const MAX_VALUES: u64 = 1 << 23;

/// What is left of a header.
pub(crate) struct Source<R> {
    reader: R,
    /// Bytes of the file behind the place of reading.
    n_left: u64,
    n_read: u64,
    n_values_left: u64,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(reader: R, len: u64) -> Self {
        Self { reader, n_left: len, n_read: 0, n_values_left: MAX_VALUES }
    }

    /// Place of reading, in bytes from the start of the file.
    pub(crate) fn position(&self) -> u64 {
        self.n_read
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    pub(crate) fn string(&mut self) -> Result<String, String> {
        let len = self.u64()?;
        if self.n_left < len || MAX_STRING < len {
            return Err(format!("a string of {len} bytes is more than the file holds or may hold"));
        }
        let mut bytes = vec![0; usize::try_from(len).map_err(|error| error.to_string())?];
        self.fill(&mut bytes)?;
        // Converters wrote vocabularies with broken characters, and their tokens are no less usable for it.
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A number of things to come, each of `n_bytes` at least.
    pub(crate) fn count(&mut self, what: &str, n_bytes: u64) -> Result<u64, String> {
        let count = self.u64()?;
        if self.n_left / n_bytes < count {
            return Err(format!("{count} {what} are more than the file has room for"));
        }
        Ok(count)
    }

    /// Takes `count` from the number of values that a header may have.
    pub(crate) fn spend(&mut self, count: u64) -> Result<(), String> {
        match self.n_values_left.checked_sub(count) {
            Some(left) => {
                self.n_values_left = left;
                Ok(())
            }
            None => Err(format!("the metadata has more than {MAX_VALUES} values")),
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), String> {
        let len = bytes.len() as u64;
        if self.n_left < len {
            return Err("the file ends within its header".to_owned());
        }
        self.reader.read_exact(bytes).map_err(|error| error.to_string())?;
        self.n_left -= len;
        self.n_read += len;
        Ok(())
    }
}
