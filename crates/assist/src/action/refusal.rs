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
    /// The model was not made to follow instructions.
    NoInstructions,
    /// Nothing says what to do.
    NoInstruction,
    /// There is no problem to fix.
    NoDiagnostic,
    /// The answer holds no code.
    NoCode,
    /// The answer leaves out a part of the code.
    Elided,
    /// There is no place for tests of this document.
    NoTestFile,
    /// The answer holds no test of the code.
    NoTests,
    /// The file that tests belong into is there, and is no text.
    UnreadableTestFile,
    /// The code does not fit into the context of the model.
    TooLong,
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
            Self::NoInstructions => "no-instructions",
            Self::NoInstruction => "no-instruction",
            Self::NoDiagnostic => "no-diagnostic",
            Self::NoCode => "no-code",
            Self::Elided => "elided",
            Self::NoTestFile => "no-test-file",
            Self::NoTests => "no-tests",
            Self::UnreadableTestFile => "unreadable-test-file",
            Self::TooLong => "too-long",
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
            Self::NoInstructions => {
                "The model was not made to follow instructions; choose one with a chat template with --model or the setting `model.name`."
            }
            Self::NoInstruction => {
                "Nothing says what to do; give an instruction, or write it above the code as a comment that begins with `dacapo:`."
            }
            Self::NoDiagnostic => {
                "There is no problem to fix here; on the terminal, give the message of the compiler with --instruction."
            }
            Self::NoCode => {
                "The answer of the model holds no code; say more exactly what you want, or try a larger model."
            }
            Self::Elided => {
                "The answer of the model leaves out a part of the code, so nothing was changed; select less, or try again."
            }
            Self::NoTestFile => {
                "Tests belong beside a file on disk in a language with a grammar here; save the document first."
            }
            Self::NoTests => {
                "The model wrote no tests of this code, so nothing was changed; select less of it, or try a larger model."
            }
            Self::UnreadableTestFile => {
                "The file that the tests belong into cannot be read as text, so nothing was changed."
            }
            Self::TooLong => {
                "The code is too long for the context of the model; select less of it."
            }
        })
    }
}
