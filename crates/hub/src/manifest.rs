//! What a pull has fetched so far, kept beside the files so that the next one knows.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::error::Error;
use crate::listing::{Listing, RemoteFile};
use crate::repository::is_plain;

/// Hidden, so that no file of a repository can have the name.
const NAME: &str = ".dacapo-pull.json";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) repository: String,
    pub(crate) revision: String,
    pub(crate) commit: String,
    pub(crate) files: Vec<Expected>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Expected {
    pub(crate) name: String,
    pub(crate) n_bytes: u64,
    pub(crate) digest: Digest,
    /// Its length and hash were right when it was put in place.
    pub(crate) verified: bool,
}

impl Manifest {
    /// `None` if no pull was here, or if what it left cannot be read: then every file is looked at anew.
    pub(crate) fn read(directory: &Path) -> Option<Self> {
        let manifest: Self = serde_json::from_slice(&fs::read(directory.join(NAME)).ok()?).ok()?;
        manifest.files.iter().all(|file| is_plain(&file.name)).then_some(manifest)
    }

    /// The files of `listing`; those that an earlier pull verified, and that are still there, stay verified.
    pub(crate) fn new(
        repository: &str,
        revision: &str,
        listing: Listing,
        earlier: Option<&Self>,
        directory: &Path,
    ) -> Self {
        let is_verified = |file: &RemoteFile| {
            let earlier = earlier.and_then(|manifest| manifest.file(&file.name));
            earlier.is_some_and(|earlier| {
                earlier.verified
                    && earlier.digest == file.digest
                    && file_len(&directory.join(&file.name)) == Some(file.n_bytes)
            })
        };
        let files = listing.files.into_iter().map(|file| Expected {
            verified: is_verified(&file),
            name: file.name,
            n_bytes: file.n_bytes,
            digest: file.digest,
        });
        let files = files.collect();
        let (repository, revision) = (repository.to_owned(), revision.to_owned());
        Self { repository, revision, commit: listing.commit, files }
    }

    pub(crate) fn file(&self, name: &str) -> Option<&Expected> {
        self.files.iter().find(|file| file.name == name)
    }

    pub(crate) fn is_complete(&self, directory: &Path) -> bool {
        let is_there = |file: &Expected| {
            file.verified && file_len(&directory.join(&file.name)) == Some(file.n_bytes)
        };
        self.files.iter().all(is_there)
    }

    /// Replaces the one on disk as a whole.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(NAME);
        let partial = part(&path);
        let io = |source: std::io::Error| Error::Io { path: path.clone(), source };
        let json = serde_json::to_vec_pretty(self).map_err(|error| io(error.into()))?;
        let mut file = File::create(&partial).map_err(io)?;
        file.write_all(&json).and_then(|()| file.sync_all()).map_err(io)?;
        fs::rename(&partial, &path).map_err(io)
    }
}

/// Length of a file, or `None` where there is none.
pub(crate) fn file_len(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| metadata.len())
}

/// Where a file grows until it is whole.
pub(crate) fn part(path: &Path) -> PathBuf {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    PathBuf::from(part)
}
