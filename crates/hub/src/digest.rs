//! The two hashes by which the hub names contents.

use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Lower-case hexadecimal hash of a file's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Digest {
    /// Of large files: their bytes.
    Sha256(String),
    /// Of small files, as git names them: SHA-1 of a header with the length, and the bytes.
    GitBlob(String),
}

impl Digest {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Sha256(hash) | Self::GitBlob(hash) => hash,
        }
    }

    /// The same kind of hash, of no bytes yet, for contents of `n_bytes`.
    pub(crate) fn hasher(&self, n_bytes: u64) -> Hasher {
        match self {
            Self::Sha256(_) => Hasher::Sha256(Sha256::new()),
            Self::GitBlob(_) => Hasher::GitBlob(Sha1::new_with_prefix(format!("blob {n_bytes}\0"))),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Hasher {
    Sha256(Sha256),
    GitBlob(Sha1),
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::GitBlob(hasher) => hasher.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hexadecimal(&hasher.finalize()),
            Self::GitBlob(hasher) => hexadecimal(&hasher.finalize()),
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(digest: &Digest, bytes: &[u8]) {
        let mut hasher = digest.hasher(bytes.len() as u64);
        for byte in bytes {
            hasher.update(&[*byte]);
        }
        assert_eq!(hasher.finish(), digest.as_str());
    }

    #[test]
    fn known_hashes_come_out() {
        // FIPS 180-2, B.1.
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        check(&Digest::Sha256(abc.to_owned()), b"abc");
        // `printf 'test content\n' | git hash-object --stdin`, from the Git book.
        let blob = "d670460b4b4aece5915caf5c68d12f560a9fe3e4";
        check(&Digest::GitBlob(blob.to_owned()), b"test content\n");
        // The empty blob.
        check(&Digest::GitBlob("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".to_owned()), b"");
    }
}
