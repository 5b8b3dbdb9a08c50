//! The models that are on disk.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::manifest::Manifest;
use crate::repository::Repository;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalModel {
    pub repository: Repository,
    pub directory: PathBuf,
    /// Of all its files, partial ones too.
    pub n_bytes: u64,
    /// Everything that its repository lists is there; the next pull does the rest otherwise.
    pub is_complete: bool,
}

/// The model of a repository, if anything of it is there.
pub fn find_local(models: &Path, repository: &Repository) -> Option<LocalModel> {
    let directory = repository.directory(models);
    let entries: Vec<_> = fs::read_dir(&directory).ok()?.flatten().collect();
    let is_complete = match Manifest::read(&directory) {
        Some(manifest) => manifest.is_complete(&directory),
        // Put there by hand.
        None => directory.join("config.json").is_file(),
    };
    let lens = entries.iter().filter_map(|entry| entry.metadata().ok());
    let n_bytes = lens.filter(fs::Metadata::is_file).map(|metadata| metadata.len()).sum();
    Some(LocalModel { repository: repository.clone(), directory, n_bytes, is_complete })
}

/// All models under a directory, by name; none if there is no such directory.
pub fn list_local(models: &Path) -> Result<Vec<LocalModel>, Error> {
    let mut found = Vec::new();
    for owner in directories(models)? {
        for name in directories(&models.join(&owner))? {
            let repository = format!("{owner}/{name}").parse::<Repository>();
            found.extend(repository.ok().and_then(|repository| find_local(models, &repository)));
        }
    }
    found.sort_by(|one: &LocalModel, other| one.repository.cmp(&other.repository));
    Ok(found)
}

fn directories(directory: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Io { path: directory.to_owned(), source }),
    };
    let directories = entries.flatten().filter(|entry| entry.path().is_dir());
    Ok(directories.filter_map(|entry| entry.file_name().into_string().ok()).collect())
}
