//! How a prompt writes what is not the window around the caret.

use syntax::Language;
use tokenizer::FimTokens;

use crate::background::fenced;
use crate::comment::commented;
use crate::encoder::Encoder;
use crate::header::header;
use crate::layout::Layout;
use crate::piece::{Part, Piece, PieceKind};
use crate::snippet::Snippet;

/// How parts that are not the window are set apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Style {
    /// Each behind a token that begins a file; `repo_name` begins the line of the repository.
    Files { file_sep: u32, repo_name: Option<u32> },
    /// As comments of this language.
    Comments(Option<Language>),
    /// As fenced blocks of Markdown below their paths.
    Blocks,
}

impl Style {
    pub(crate) fn new(layout: Layout, fim: Option<FimTokens>, language: Option<Language>) -> Self {
        match fim {
            Some(FimTokens { file_sep: Some(file_sep), repo_name, .. }) => Self::Files {
                file_sep,
                repo_name: repo_name.filter(|_| layout == Layout::Repository),
            },
            _ => Self::Comments(language),
        }
    }

    /// The line of the repository, if it has one and it fits.
    pub(crate) fn repository(
        self,
        name: Option<&str>,
        encoder: Encoder<'_>,
        n_tokens: usize,
    ) -> Option<Part> {
        let Self::Files { repo_name: Some(control), .. } = self else { return None };
        let text = format!("{}\n", name?);
        let tokens = encoder.encode(&text);
        let part = part(Piece::own(PieceKind::Repository, name?, text), tokens, Some(control));
        (part.tokens.len() <= n_tokens).then_some(part)
    }

    pub(crate) fn snippet(self, snippet: &Snippet, encoder: Encoder<'_>) -> Part {
        let code = snippet.text.trim_end_matches('\n');
        let text = match self {
            Self::Blocks => {
                let language = Language::from_path(snippet.path.as_ref());
                format!("`{}`:\n\n{}\n", snippet.path, fenced(language, code))
            }
            _ => self.written(&format!("{}\n{code}\n", snippet.path)),
        };
        let tokens = encoder.encode(&text);
        let piece = Piece {
            lines: Some(snippet.lines.clone()),
            score: Some(snippet.score),
            ..Piece::own(snippet.kind, &snippet.path, text)
        };
        part(piece, tokens, self.file_sep())
    }

    /// The line of the path, as much of it as fits.
    pub(crate) fn path(self, path: &str, encoder: Encoder<'_>, n_tokens: usize) -> Option<Part> {
        let n_control = self.file_sep().map_or(0, |_| 1);
        let written = |path: &str| self.written(&format!("{path}\n"));
        let (text, tokens) = header(path, written, encoder, n_tokens.checked_sub(n_control)?)?;
        Some(part(Piece::own(PieceKind::Path, path, text), tokens, self.file_sep()))
    }

    fn written(self, text: &str) -> String {
        match self {
            Self::Files { .. } | Self::Blocks => text.to_owned(),
            Self::Comments(language) => commented(language, text),
        }
    }

    fn file_sep(self) -> Option<u32> {
        match self {
            Self::Files { file_sep, .. } => Some(file_sep),
            Self::Comments(_) | Self::Blocks => None,
        }
    }
}

/// `control` is the token before the text.
fn part(piece: Piece, tokens: Vec<u32>, control: Option<u32>) -> Part {
    let piece = Piece { n_tokens: tokens.len(), ..piece };
    Part { piece, tokens: control.into_iter().chain(tokens).collect() }
}
