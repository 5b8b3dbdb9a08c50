//! Names: of a repository, of a revision, of files; all that reaches a URL or a path is checked here.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// `owner/name`, both of letters, digits, `.`, `_` and `-`, neither beginning with a dot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// The directory of this repository's files in the directory of all models.
    pub fn directory(&self, models: &Path) -> PathBuf {
        models.join(&self.owner).join(&self.name)
    }
}

impl std::str::FromStr for Repository {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('/') {
            Some((owner, name)) if is_plain(owner) && is_plain(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err(Error::RepositoryName { name: text.to_owned() }),
        }
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// One name that is safe in a URL and as a file on every system, and is not hidden.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && !name.ends_with('.')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
}

/// A branch, tag or commit, ready for a URL: its slashes are escaped.
pub(crate) fn encode_revision(revision: &str) -> Result<String, Error> {
    match revision.len() <= 256 && revision.split('/').all(is_plain) {
        true => Ok(revision.replace('/', "%2F")),
        false => Err(Error::Revision { revision: revision.to_owned() }),
    }
}

/// Whether a path from the server stays inside of the directory that it is joined to, on every system.
pub(crate) fn stays_inside(path: &str) -> bool {
    let is_safe = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && !part.contains(|char: char| char.is_control() || matches!(char, '\\' | ':'))
    };
    path.split('/').all(is_safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, is_repository: bool) {
        let parsed = text.parse::<Repository>();
        assert_eq!(parsed.is_ok(), is_repository, "{text:?}");
        if let Ok(repository) = parsed {
            assert_eq!(repository.to_string(), text);
        }
    }

    #[test]
    fn a_repository_is_two_plain_names() {
        check("Multilingual-Multimodal-NLP/LoopCoder-V2", true);
        check("a/b_1.5", true);
        for text in ["", "a", "a/", "/b", "a/b/c", "../b", "a/..", "a/.b", "a b/c", "a/b?c", "a\\b"]
        {
            check(text, false);
        }
    }

    #[test]
    fn a_revision_is_escaped_or_refused() {
        assert_eq!(encode_revision("refs/pr/1").unwrap(), "refs%2Fpr%2F1");
        for text in ["", "..", "a/../b", "a b", "a?b", "/a"] {
            assert!(encode_revision(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn paths_that_leave_are_told_from_those_that_stay() {
        for path in ["config.json", "onnx/model.onnx", ".gitattributes", "a..b"] {
            assert!(stays_inside(path), "{path:?}");
        }
        for path in
            ["", "..", "../a", "a/../b", "/a", "a//b", "a\\..\\b", "C:a", "a\0b", "a/./b", "a/\n"]
        {
            assert!(!stays_inside(path), "{path:?}");
        }
    }
}
