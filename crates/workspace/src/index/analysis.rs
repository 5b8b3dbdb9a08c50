//! What the index wants to know of one file.

use std::ops::Range;

use sha2::{Digest, Sha256};
use syntax::{Language, Outline, Tree, chunks};
use text::Buffer;

use crate::index::segment::Hash;
use crate::index::terms::{Counts, count_terms};
use crate::secrets::mask;

/// Chunks are about as long as a function that one reads without scrolling.
const MAX_CHUNK: usize = 1800;

/// All that the index keeps of one file, before it is numbered.
#[derive(Debug)]
pub(crate) struct Analysis {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    pub(crate) language: Option<Language>,
    pub(crate) hash: Hash,
    /// In bytes.
    pub(crate) len: u64,
    /// Nanoseconds since 1970; 0 when unknown.
    pub(crate) modified: u64,
    pub(crate) n_lines: u32,
    pub(crate) outline: Outline,
    pub(crate) chunks: Vec<Chunk>,
}

#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) range: Range<usize>,
    pub(crate) terms: Counts,
}

/// Analyses a text; `tree` is that of `buffer`.
pub(crate) fn analyse(path: String, buffer: &Buffer, tree: Option<&Tree>) -> Analysis {
    let mut outline = tree.map(Tree::outline).unwrap_or_default();
    for import in &mut outline.imports {
        // A path may be an address with a password in it.
        import.path = mask(&import.path).into_owned();
    }
    let text = buffer.to_string();
    // Offsets stay what they are: what is masked keeps its length.
    let masked = mask(&text);
    let chunk = |range: Range<usize>| Chunk {
        terms: count_terms(masked.get(range.clone()).unwrap_or_default()),
        range,
    };
    Analysis {
        path,
        language: tree.map(Tree::language),
        hash: hash(text.as_bytes()),
        len: text.len() as u64,
        modified: 0,
        n_lines: u32::try_from(buffer.n_lines()).unwrap_or(u32::MAX),
        outline,
        chunks: chunks(tree, buffer, MAX_CHUNK).into_iter().map(chunk).collect(),
    }
}

pub(crate) fn hash(bytes: &[u8]) -> Hash {
    let digest = Sha256::digest(bytes);
    std::array::from_fn(|idx| digest.get(idx).copied().unwrap_or_default())
}
