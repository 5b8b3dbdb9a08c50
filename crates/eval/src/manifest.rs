//! Which packages were never trained on: the manifest that a model's training was made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::Error;

/// Packages by ecosystem, each with the split it belongs to, as in `training/manifest.toml`.
#[derive(Debug, Clone, Deserialize)]
pub struct Manifest {
    packages: BTreeMap<String, Vec<Package>>,
    #[serde(skip)]
    path: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
struct Package {
    name: String,
    split: String,
}

impl Manifest {
    /// # Errors
    /// [`Error::Read`] and [`Error::Manifest`].
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| Error::Read { path: path.to_owned(), source })?;
        let manifest: Self = toml::from_str(&text)
            .map_err(|source| Error::Manifest { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), ..manifest })
    }

    /// The directory holds a package of `split`, by its name: `NAME` or `NAME-VERSION`, with `-`, `_` and `.` as one and
    /// without the `@scope/` of npm.
    ///
    /// # Errors
    /// [`Error::NotInSplit`].
    pub fn check(&self, directory: &Path, split: &str) -> Result<(), Error> {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        // The longest name decides: `serde-json-1.0` is no version of `serde`.
        let package = self
            .packages
            .values()
            .flatten()
            .filter(|package| is_named_after(&name, &package.name))
            .max_by_key(|package| package.name.len());
        match package {
            Some(package) if package.split == split => Ok(()),
            _ => Err(Error::NotInSplit {
                directory: directory.to_owned(),
                manifest: self.path.clone(),
                split: split.to_owned(),
            }),
        }
    }
}

fn is_named_after(directory: &str, package: &str) -> bool {
    let directory = normal(directory);
    let package = normal(package);
    match directory.strip_prefix(&package) {
        Some("") => true,
        Some(rest) => rest
            .strip_prefix('-')
            .is_some_and(|version| version.starts_with(|first: char| first.is_ascii_digit())),
        None => false,
    }
}

fn normal(name: &str) -> String {
    name.trim_start_matches('@').replace(['_', '.', '/'], "-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let text = r#"
            [packages]
            rust = [
                { name = "serde", version = "1.0", split = "train" },
                { name = "serde_json", version = "1.0", licence = "MIT", split = "test" },
            ]
            javascript = [{ name = "@tanstack/virtual-core", split = "test" }]
        "#;
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("manifest.toml");
        std::fs::write(&path, text).expect("a file");
        Manifest::read(&path).expect("a manifest")
    }

    #[track_caller]
    fn check(directory: &str, expected: bool) {
        assert_eq!(manifest().check(Path::new(directory), "test").is_ok(), expected);
    }

    #[test]
    fn directories_are_named_after_packages() {
        check("/a/serde_json", true);
        check("/a/serde-json-1.0.2", true);
        check("/a/tanstack-virtual-core-3.19.11", true);
        check("/a/serde-1.0", false);
        check("/a/serde-derive", false);
        check("/a/serde_json_more", false);
    }

    #[test]
    fn what_is_no_manifest_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("manifest.toml");
        assert!(matches!(Manifest::read(&path), Err(Error::Read { .. })));
        std::fs::write(&path, "packages = 3").expect("a file");
        assert!(matches!(Manifest::read(&path), Err(Error::Manifest { .. })));
    }
}
