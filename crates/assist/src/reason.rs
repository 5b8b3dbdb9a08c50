//! Why there is no suggestion: a code for machines and a sentence for people.

use std::fmt;

/// Why there is no suggestion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    NotOpen,
    /// The weights are being read; ask again.
    Loading,
    ModelFailed(String),
    /// The model cannot fill in the middle.
    NoInfilling,
    InsideWord,
    InsideStringOrComment,
    TextAfterCaret,
    Cancelled,
    /// The model had nothing to say here.
    Empty,
    /// All of it stands after the caret already.
    RepeatsSuffix,
    /// It is the line above once more.
    RepeatsPrefix,
    /// Sooner typed than read.
    TooShort,
    /// The model itself finds it unlikely.
    Unlikely,
    /// With it the document would have more errors of syntax.
    DoesNotParse,
    EngineError(String),
    TooLarge,
    /// The file is of a kind that usually holds keys or passwords.
    SecretFile,
    /// No recent edit is one that can be made again.
    NothingToRepeat,
    /// The model wrote something else than the arguments of the call.
    NoArguments,
}

impl Reason {
    /// Stable machine-readable code, e.g. `inside-word`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotOpen => "not-open",
            Self::Loading => "loading",
            Self::ModelFailed(_) => "model-failed",
            Self::NoInfilling => "no-infilling",
            Self::InsideWord => "inside-word",
            Self::InsideStringOrComment => "inside-string-or-comment",
            Self::TextAfterCaret => "text-after-caret",
            Self::Cancelled => "cancelled",
            Self::Empty => "empty",
            Self::RepeatsSuffix => "repeats-suffix",
            Self::RepeatsPrefix => "repeats-prefix",
            Self::TooShort => "too-short",
            Self::Unlikely => "unlikely",
            Self::DoesNotParse => "does-not-parse",
            Self::EngineError(_) => "engine-error",
            Self::TooLarge => "too-large",
            Self::SecretFile => "secret-file",
            Self::NothingToRepeat => "nothing-to-repeat",
            Self::NoArguments => "no-arguments",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOpen => f.write_str("The document is not open; open it in the editor first."),
            Self::Loading => f.write_str("The model is being loaded; ask again in a moment."),
            Self::ModelFailed(why) => {
                write!(f, "The model could not be loaded: {why}. Run `dacapo doctor` to see more.")
            }
            Self::NoInfilling => f.write_str(
                "The model has no fill-in-the-middle tokens; choose one that was trained for infilling with --model.",
            ),
            Self::InsideWord => f.write_str(
                "The caret is inside a word; move it to the end of the word or ask by hand.",
            ),
            Self::InsideStringOrComment => f.write_str(
                "The caret is in a string or a comment, where suggestions come only when asked for by hand.",
            ),
            Self::TextAfterCaret => f.write_str(
                "Too much text follows the caret on its line; move to the end of the line or ask by hand.",
            ),
            Self::Cancelled => {
                f.write_str("The request was cancelled, for instance by further typing; ask again.")
            }
            Self::Empty => f.write_str(
                "The model had nothing to add here; type on, or ask again with more code around the caret.",
            ),
            Self::RepeatsSuffix => f.write_str(
                "The model only repeated what stands after the caret; type the first characters of what you want.",
            ),
            Self::RepeatsPrefix => f.write_str(
                "The model only repeated the line above the caret; type the first characters of what you want.",
            ),
            Self::TooShort => f.write_str(
                "What the model suggests is a single character; ask by hand to get it.",
            ),
            Self::Unlikely => f.write_str(
                "The model was not sure enough of what it wrote to show it while you type; ask by hand to see it.",
            ),
            Self::DoesNotParse => f.write_str(
                "What the model wrote would be an error of syntax here; ask by hand to see it.",
            ),
            Self::EngineError(why) => {
                write!(f, "The model failed: {why}. Run `dacapo doctor` to see more.")
            }
            Self::TooLarge => f.write_str(
                "The document is larger than 4 MB, where suggestions are off; split it to get them.",
            ),
            Self::NothingToRepeat => f.write_str(
                "No recent edit is one to be made again: rename something or change the parameters of a function first.",
            ),
            Self::NoArguments => f.write_str(
                "The model wrote something that is no list of arguments for this call; write them by hand.",
            ),
            Self::SecretFile => f.write_str(
                "Files of this name usually hold keys or passwords, and no model is shown one; rename it to get suggestions.",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reason;

    #[test]
    fn every_reason_has_its_own_code_and_ends_as_a_sentence() {
        let reasons = [
            Reason::NotOpen,
            Reason::Loading,
            Reason::ModelFailed("no such file".to_owned()),
            Reason::NoInfilling,
            Reason::InsideWord,
            Reason::InsideStringOrComment,
            Reason::TextAfterCaret,
            Reason::Cancelled,
            Reason::Empty,
            Reason::RepeatsSuffix,
            Reason::RepeatsPrefix,
            Reason::TooShort,
            Reason::Unlikely,
            Reason::DoesNotParse,
            Reason::EngineError("out of memory".to_owned()),
            Reason::TooLarge,
            Reason::SecretFile,
            Reason::NothingToRepeat,
            Reason::NoArguments,
        ];
        let codes: std::collections::BTreeSet<_> = reasons.iter().map(Reason::code).collect();
        assert_eq!(codes.len(), reasons.len());
        for reason in &reasons {
            assert!(reason.to_string().ends_with('.'), "{reason}");
            assert!(reason.code().chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        }
        assert!(reasons[2].to_string().contains("no such file"));
    }
}
