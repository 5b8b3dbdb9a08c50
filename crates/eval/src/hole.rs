//! Holes: a place in a file, what stood there, and the repository around it; one JSON object a line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use syntax::Language;

use crate::Error;

/// A text with a gap, and what stood in the gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hole {
    /// Unique in a set.
    pub id: String,
    /// Name of a language, e.g. `rust`.
    #[serde(with = "language_name")]
    pub language: Language,
    #[serde(default)]
    pub kind: Kind,
    /// All text before the gap.
    pub prompt: String,
    /// All text after the gap.
    pub suffix: String,
    pub reference: String,
    /// Of the file, relative to the repository, with forward slashes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Other files of the repository, by path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// Directory of the repository, instead of `files`; relative to the directory of the set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<PathBuf>,
}

/// What was cut out.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// From somewhere in a line to its end.
    #[serde(alias = "rest_of_line")]
    RestOfLine,
    /// A line without its indentation.
    #[serde(alias = "whole_line")]
    WholeLine,
    /// The body of a function.
    Block,
    /// What stands between the parentheses of a call.
    Arguments,
    /// From the first use of a name that another file of the repository defines to the end of the line.
    #[serde(alias = "cross_file")]
    CrossFile,
    /// Sets made elsewhere need not say.
    #[default]
    Other,
}

impl Kind {
    /// Those that can be cut.
    pub const CUT: [Self; 5] =
        [Self::RestOfLine, Self::WholeLine, Self::Block, Self::Arguments, Self::CrossFile];

    /// E.g. `rest-of-line`.
    pub fn name(self) -> &'static str {
        match self {
            Self::RestOfLine => "rest-of-line",
            Self::WholeLine => "whole-line",
            Self::Block => "block",
            Self::Arguments => "arguments",
            Self::CrossFile => "cross-file",
            Self::Other => "other",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::CUT.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Reads a set, at most `limit` of its holes; empty lines are passed over.
///
/// # Errors
/// [`Error::Read`], [`Error::Hole`] and [`Error::NoHoles`].
pub fn read(path: &Path, limit: usize) -> Result<Vec<Hole>, Error> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    let directory = path.parent().unwrap_or(Path::new(""));
    let mut holes = Vec::new();
    for (idx, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        if holes.len() == limit {
            break;
        }
        let mut hole: Hole = serde_json::from_str(line).map_err(|source| Error::Hole {
            path: path.to_owned(),
            line: idx + 1,
            source,
        })?;
        hole.root = hole.root.map(|root| directory.join(root));
        holes.push(hole);
    }
    if holes.is_empty() { Err(Error::NoHoles { path: path.to_owned() }) } else { Ok(holes) }
}

mod language_name {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use syntax::Language;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(super) fn serialize<S: Serializer>(
        language: &Language,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(language.name())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Language, D::Error> {
        let name = String::deserialize(deserializer)?;
        Language::ALL.into_iter().find(|language| language.name() == name).ok_or_else(|| {
            let known: Vec<_> = Language::ALL.iter().map(|language| language.name()).collect();
            D::Error::custom(format!(
                "there is no language {name:?} here, only {}",
                known.join(", ")
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, limit: usize) -> Result<Vec<Hole>, Error> {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("holes.jsonl");
        std::fs::write(&path, text).expect("a file");
        read(&path, limit).map(|mut holes| {
            for hole in &mut holes {
                hole.root = hole
                    .root
                    .take()
                    .and_then(|root| root.strip_prefix(directory.path()).ok().map(Path::to_owned));
            }
            holes
        })
    }

    #[test]
    fn the_least_and_the_most_that_a_hole_says() {
        let least = r#"{"id":"a","language":"rust","prompt":"x","suffix":"","reference":"y"}"#;
        let most = r#"{"id":"b","language":"python","kind":"cross-file","prompt":"x","suffix":"","reference":"y","path":"a.py","files":{"b.py":"z"},"root":"r"}"#;
        let holes = read_text(&format!("{least}\n\n{most}\n"), 9).expect("two holes");
        assert_eq!(holes.len(), 2);
        assert_eq!(serde_json::to_string(&holes[1]).expect("JSON"), most);
        assert_eq!((holes[0].kind, holes[0].language), (Kind::Other, Language::Rust));
        assert_eq!(read_text(&format!("{least}\n{most}"), 1).expect("one hole").len(), 1);
    }

    #[track_caller]
    fn check_refused(text: &str, expected: &str) {
        let error = read_text(text, 9).expect_err("should be refused");
        let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        let said = format!("{error}: {source}");
        assert!(said.contains(expected), "{said}");
    }

    #[test]
    fn what_is_no_hole_is_named_by_its_line() {
        let hole = |language| {
            format!(
                r#"{{"id":"a","language":"{language}","prompt":"x","suffix":"","reference":"y"}}"#
            )
        };
        check_refused(&format!("{}\nnonsense", hole("rust")), "line 2 of");
        check_refused(&hole("cobol"), "there is no language \"cobol\" here, only bash, c, ");
        check_refused("\n", "holds no holes");
    }

    #[test]
    fn kinds_have_names() {
        for kind in Kind::CUT {
            assert_eq!(Kind::from_name(kind.name()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.name());
        }
        assert_eq!(Kind::from_name("other"), None);
    }
}
