//! The prompt and what it was made of.

use std::ops::Range;

/// What a part of a prompt is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PieceKind {
    /// The line that names the repository.
    Repository,
    /// Where a name used near the caret is defined.
    Definition,
    /// A part of the caret's own file out of reach of the window: what encloses the caret, and its siblings.
    Enclosing,
    /// The tests of the file, or what a test tests.
    Test,
    /// Code with the same words as the caret's surroundings.
    Similar,
    /// What a compiler or linter names beside the problem that is to be mended.
    Related,
    /// Where the user was a short while ago.
    Viewed,
    /// What the user changed a short while ago.
    Edited,
    /// The line that names the caret's file.
    Path,
    Suffix,
    Prefix,
    /// What the model is told to do.
    Instruction,
}

impl PieceKind {
    /// In lower case, e.g. `definition`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Repository => "repository",
            Self::Definition => "definition",
            Self::Enclosing => "enclosing",
            Self::Test => "test",
            Self::Similar => "similar",
            Self::Related => "related",
            Self::Viewed => "viewed",
            Self::Edited => "edited",
            Self::Path => "path",
            Self::Suffix => "suffix",
            Self::Prefix => "prefix",
            Self::Instruction => "instruction",
        }
    }

    /// Text from elsewhere than the window around the caret.
    pub fn is_snippet(self) -> bool {
        match self {
            Self::Definition
            | Self::Enclosing
            | Self::Test
            | Self::Similar
            | Self::Related
            | Self::Viewed
            | Self::Edited => true,
            Self::Repository | Self::Path | Self::Suffix | Self::Prefix | Self::Instruction => {
                false
            }
        }
    }
}

/// A part of the prompt and where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    pub kind: PieceKind,
    /// Path of the file the text came from.
    pub source: String,
    /// Zero-based lines of that file, for a snippet.
    pub lines: Option<Range<usize>>,
    /// As the model gets it: with line feeds for line ends, whatever the document has, and secrets masked.
    pub text: String,
    /// Tokens of `text`; the control token before it is not counted.
    pub n_tokens: usize,
    /// How much speaks for a snippet, above 0; larger is better, comparable within one prompt alone.
    pub score: Option<f64>,
}

impl Piece {
    /// A piece that is no snippet, its tokens not counted yet.
    pub(crate) fn own(kind: PieceKind, source: &str, text: String) -> Self {
        Self { kind, source: source.to_owned(), lines: None, text, n_tokens: 0, score: None }
    }
}

/// Token ids and the parts they were made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    pub tokens: Vec<u32>,
    /// In the order of the prompt.
    pub pieces: Vec<Piece>,
    /// White space before the caret that the prompt lacks, so that the answer begins with it. A model that continues a
    /// text writes a word together with the space before it.
    pub held_back: String,
}

/// Why there is no prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPrompt {
    /// The layout asks for infilling tokens, and the model has none.
    NoFimTokens,
    /// The file is of a kind that usually holds keys or passwords.
    SecretFile,
    /// The budget does not even hold the control tokens.
    BudgetTooSmall,
}

/// A piece with its tokens, the control token before it included.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Part {
    pub(crate) piece: Piece,
    pub(crate) tokens: Vec<u32>,
}
