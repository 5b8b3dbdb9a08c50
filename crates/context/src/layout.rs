//! In which order a model was trained to see the parts of a prompt.

use tokenizer::Tokenizer;

/// The order of a prompt's parts, and how text of other files is set apart.
///
/// Files other than the caret's come first, each as `<|file_sep|>{path}\n{text}\n`, or as comments where the vocabulary has no
/// such token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// `<|file_sep|>{path}\n<|fim_suffix|>{suffix}<|fim_prefix|>{prefix}<|fim_middle|>`: typing changes the end alone, so a
    /// model trained for it reads the least anew.
    SuffixFirst,
    /// `<|file_sep|>{path}\n<|fim_prefix|>{prefix}<|fim_suffix|>{suffix}<|fim_middle|>`.
    PrefixFirst,
    /// As [`Self::PrefixFirst`], below a line `<|repo_name|>{name}\n`, as Qwen2.5-Coder and StarCoder2 were trained.
    Repository,
    /// Other files and the path as comments, then the text before the caret: for models that cannot fill in the middle.
    Continuation,
}

impl Layout {
    pub const ALL: [Self; 4] =
        [Self::SuffixFirst, Self::PrefixFirst, Self::Repository, Self::Continuation];

    /// What the special tokens of a vocabulary speak for.
    ///
    /// Which of the two orders was trained cannot be seen from a vocabulary. Prefix first is what nearly all published
    /// models have in common.
    pub fn of(tokenizer: &Tokenizer) -> Self {
        match tokenizer.fim() {
            None => Self::Continuation,
            Some(fim) if fim.file_sep.is_some() && fim.repo_name.is_some() => Self::Repository,
            Some(_) => Self::PrefixFirst,
        }
    }

    /// In lower case, e.g. `suffix-first`.
    pub fn name(self) -> &'static str {
        match self {
            Self::SuffixFirst => "suffix-first",
            Self::PrefixFirst => "prefix-first",
            Self::Repository => "repository",
            Self::Continuation => "continuation",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layout| layout.name() == name)
    }

    /// Whether the model is shown the text after the caret.
    pub fn shows_suffix(self) -> bool {
        self != Self::Continuation
    }
}
