//! The index on disk, in the user's cache: one file a root, whole or not there, made anew whenever anything about it is in doubt.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use syntax::{Language, SymbolKind};

use crate::index::segment::Segment;
use crate::index::{Index, Part};
use crate::system::{System, cache_directory};

const MAGIC: &[u8; 8] = b"dacapo\0i";

/// To be raised when a table changes its meaning: queries, chunks, terms or masks.
const FORMAT: u32 = 1;

/// A larger file was written by something else.
const MAX_BYTES: u64 = 2 << 30;

/// Magic and checksum.
const HEADER: usize = 8 + 32;

#[derive(Serialize, Deserialize)]
struct Stored<S> {
    /// What the numbers in the tables stand for.
    meaning: String,
    root: String,
    segment: S,
}

impl Index {
    /// The index that was saved for this root; an empty one when there is none, or when it is torn, foreign or of another version.
    ///
    /// It may be out of date: [`Index::scan`] brings it up to what is on disk.
    pub fn load(system: Arc<dyn System>, root: PathBuf) -> Self {
        let index = Self::empty(system, root);
        let segment = index.path().and_then(|path| {
            let bytes = index.system().read(&path, MAX_BYTES).ok()?;
            decode(&bytes, index.root())
        });
        match segment {
            Some(segment) => index.with_parts(vec![Part::new(Arc::new(segment))]),
            None => index,
        }
    }

    /// Saves the index for [`Index::load`]; other processes may do so at the same time, and the last one wins.
    ///
    /// # Errors
    /// When there is no cache folder, or it cannot be written to; what was saved before is still there then.
    pub fn save(&self) -> io::Result<()> {
        let path = self.path().ok_or(io::ErrorKind::NotFound)?;
        let merged = self.merged();
        let empty = Segment::default();
        let segment = merged.parts().first().map_or(&empty, |part| &part.segment);
        let bytes = encode(segment, self.root()).ok_or(io::ErrorKind::InvalidData)?;
        self.system().replace(&path, &bytes)
    }

    /// Where the index of this root is saved.
    fn path(&self) -> Option<PathBuf> {
        let root = Sha256::digest(self.root().as_os_str().as_encoded_bytes());
        let name: String = root.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        Some(cache_directory(&**self.system())?.join("dacapo").join("index").join(name))
    }
}

fn encode(segment: &Segment, root: &Path) -> Option<Vec<u8>> {
    let root = root.to_string_lossy().into_owned();
    let stored = Stored { meaning: meaning(), root, segment };
    let mut bytes = MAGIC.to_vec();
    bytes.resize(HEADER, 0);
    let mut bytes = postcard::to_extend(&stored, bytes).ok()?;
    let checksum = Sha256::digest(bytes.get(HEADER..)?);
    bytes.get_mut(MAGIC.len()..HEADER)?.copy_from_slice(&checksum);
    Some(bytes)
}

fn decode(bytes: &[u8], root: &Path) -> Option<Segment> {
    let (header, payload) = bytes.split_at_checked(HEADER)?;
    let (magic, checksum) = header.split_at_checked(MAGIC.len())?;
    if magic != MAGIC || *checksum != *Sha256::digest(payload) {
        return None;
    }
    let stored: Stored<Segment> = postcard::from_bytes(payload).ok()?;
    let is_ours = stored.meaning == meaning() && stored.root == root.to_string_lossy();
    is_ours.then_some(stored.segment)
}

/// Changes whenever a number in a table would stand for something else.
fn meaning() -> String {
    let languages = Language::ALL.map(Language::name).join(" ");
    let kinds = SymbolKind::ALL.map(SymbolKind::name).join(" ");
    format!("{FORMAT} {} {languages} {kinds}", env!("CARGO_PKG_VERSION"))
}
