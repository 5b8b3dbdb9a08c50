//! Why an action changes nothing, and what the user can do.

use std::fmt;

use crate::reason::Reason;

/// Why there is no change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// As for a completion.
    Reason(Reason),
    /// Nothing is selected that could be rewritten.
    NoSelection,
    /// The caret is in no definition.
    NoItem,
    /// The definition has a comment already.
    Documented,
    /// There is no grammar for the language.
    NoGrammar,
    /// The model wrote what stands there already.
    Unchanged,
    /// The file would no longer parse.
    NoLongerParses,
    /// The place was edited while the model wrote.
    Moved,
}

impl Refusal {
    /// Stable code for tests and status (`moved`, `no-item`, ...).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reason(reason) => reason.code(),
            Self::NoSelection => "no-selection",
            Self::NoItem => "no-item",
            Self::Documented => "documented",
            Self::NoGrammar => "no-grammar",
            Self::Unchanged => "unchanged",
            Self::NoLongerParses => "no-longer-parses",
            Self::Moved => "moved",
        }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::Reason(reason)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reason(reason) => return reason.fmt(f),
            Self::NoSelection => "Nothing is selected; select the code to rewrite.",
            Self::NoItem => {
                "There is no function, type or member here; put the caret on one, or select code."
            }
            Self::Documented => {
                "This has a comment already; select the comment and rewrite it, or remove it first."
            }
            Self::NoGrammar => {
                "The language of this file has no grammar here, so its items are not known; select code and rewrite it instead."
            }
            Self::Unchanged => {
                "The model wrote what stands there already; change the code around it or ask for less."
            }
            Self::NoLongerParses => {
                "With what the model wrote the file would no longer parse, so nothing was changed; ask for a smaller change."
            }
            Self::Moved => {
                "The place was edited while the model wrote, so nothing was changed; ask again."
            }
        })
    }
}
