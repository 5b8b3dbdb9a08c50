//! The text files of the repository, and how a rule is held against them.

use std::fs;
use std::path::{Path, PathBuf};

use ignore::WalkBuilder;

/// A text file, by its path from the root with `/` between the parts.
#[derive(Debug, Clone)]
pub(crate) struct File {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// What follows the last dot of the name, or nothing.
    pub(crate) fn extension(&self) -> &str {
        Path::new(&self.path).extension().and_then(|extension| extension.to_str()).unwrap_or("")
    }
}

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file that git would keep and that is text; fixtures and models are data and left out.
pub(crate) fn files() -> Vec<File> {
    let root = root();
    let mut walk = WalkBuilder::new(&root);
    walk.hidden(false).require_git(false).git_global(false).parents(false);
    walk.filter_entry(|entry| entry.file_name() != ".git");
    let mut files = Vec::new();
    for entry in walk.build() {
        let entry = entry.unwrap();
        let path = entry.path().strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
        let is_data = path.starts_with("tests/fixtures/")
            || path.starts_with("models/") && !path.ends_with(".md");
        let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
        // A file that is gone since the walk, or is not text, is nothing to hold rules against.
        if let (true, false, Ok(text)) = (is_file, is_data, fs::read_to_string(entry.path())) {
            files.push(File { path, text });
        }
    }
    files.sort_by(|one, other| one.path.cmp(&other.path));
    files
}

/// Fails with every problem that `rule` finds in the repository.
#[track_caller]
pub(crate) fn hold(rule: impl Fn(&File) -> Vec<String>) {
    let problems: Vec<_> = files().iter().flat_map(rule).collect();
    assert!(problems.is_empty(), "\n- {}\n", problems.join("\n- "));
}

/// Compares what `rule` finds in a file that is made for the occasion with the expected starts of its problems.
#[track_caller]
pub(crate) fn check(
    rule: impl Fn(&File) -> Vec<String>,
    path: &str,
    text: &str,
    expected: &[&str],
) {
    let problems = rule(&File::new(path, text));
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(expected) {
        assert!(problem.starts_with(start), "{problem}");
    }
}

#[test]
fn the_walk_sees_sources_and_no_data() {
    let paths: Vec<_> = files().into_iter().map(|file| file.path).collect();
    for path in [
        "Cargo.toml",
        ".ci/run",
        "tests/tidy.rs",
        "crates/text/src/lib.rs",
        "tests/parity/reference.py",
    ] {
        assert!(paths.iter().any(|seen| seen == path), "{path} is not seen");
    }
    for start in ["target/", ".git/", "tests/fixtures/"] {
        assert!(!paths.iter().any(|seen| seen.starts_with(start)), "{start} is seen");
    }
}
