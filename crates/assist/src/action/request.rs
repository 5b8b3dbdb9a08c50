//! What is asked for: actions by their stable names, and where.

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use workspace::DocumentId;

/// What the model can be asked to do with code. Ids are stable: editors and scripts name actions by them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Action {
    /// Write what is missing at the caret, a whole body where there is none.
    Complete,
    /// Write the selection anew between its neighbours.
    Rewrite,
    /// Write a comment above the item, or the doc string in it.
    Document,
    /// Mend what a compiler or linter found.
    Fix,
    /// Change code as the user says, or as a comment `dacapo: ...` says.
    Edit,
    /// Write tests to where the language has them.
    Tests,
    /// Say what the code does.
    Explain,
    /// Make the last change again at the next place.
    NextEdit,
}

impl Action {
    pub const ALL: [Self; 8] = [
        Self::Complete,
        Self::Rewrite,
        Self::Document,
        Self::Fix,
        Self::Edit,
        Self::Tests,
        Self::Explain,
        Self::NextEdit,
    ];

    pub fn id(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Rewrite => "rewrite",
            Self::Document => "document",
            Self::Fix => "fix",
            Self::Edit => "edit",
            Self::Tests => "tests",
            Self::Explain => "explain",
            Self::NextEdit => "nextEdit",
        }
    }

    /// For a menu.
    pub fn title(self) -> &'static str {
        match self {
            Self::Complete => "Complete here",
            Self::Rewrite => "Rewrite selection",
            Self::Document => "Document this item",
            Self::Fix => "Fix this problem",
            Self::Edit => "Edit as the comment says",
            Self::Tests => "Write tests",
            Self::Explain => "Explain",
            Self::NextEdit => "Repeat the last edit at the next place",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

impl FromStr for Action {
    type Err = String;

    /// From an id, with words parted by a hyphen or by a capital letter.
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |id: &str| id.replace('-', "").to_ascii_lowercase();
        Self::ALL.into_iter().find(|action| plain(action.id()) == plain(text)).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.into_iter().map(Self::id).collect();
            format!("there is no action {text:?}; the actions are {}", known.join(", "))
        })
    }
}

/// A problem that a compiler or linter found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Bytes of the document.
    pub range: Range<usize>,
    pub message: String,
    /// Files and zero-based lines that the compiler names beside the problem, the most important first.
    pub related: Vec<(PathBuf, usize)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionRequest {
    pub action: Action,
    pub document: DocumentId,
    /// Bytes of the document; empty for a caret.
    pub selection: Range<usize>,
    /// What to do, in the user's words.
    pub instruction: Option<String>,
    pub diagnostic: Option<Diagnostic>,
}
