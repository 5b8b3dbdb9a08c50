//! The languages that have a grammar here, and how a document tells which one it is in.

use std::path::Path;

/// A language that has a grammar here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    C,
    Go,
    /// With JSX, which its grammar includes.
    JavaScript,
    Python,
    Rust,
    Tsx,
    TypeScript,
}

impl Language {
    pub const ALL: [Self; 7] = [
        Self::C,
        Self::Go,
        Self::JavaScript,
        Self::Python,
        Self::Rust,
        Self::Tsx,
        Self::TypeScript,
    ];

    /// By file extension, in any case, or by a well-known file name.
    pub fn from_path(path: &Path) -> Option<Self> {
        if let Some("SConstruct" | "SConscript" | "Snakefile" | "wscript") =
            path.file_name()?.to_str()
        {
            return Some(Self::Python);
        }
        let language = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "c" | "h" => Self::C,
            "go" => Self::Go,
            "cjs" | "js" | "jsx" | "mjs" => Self::JavaScript,
            "py" | "pyi" | "pyw" => Self::Python,
            "rs" => Self::Rust,
            "tsx" => Self::Tsx,
            "cts" | "mts" | "ts" => Self::TypeScript,
            _ => return None,
        };
        Some(language)
    }

    /// By LSP `languageId` (LSP 3.17, TextDocumentItem); also by the file types that Vim users set for JSX and TSX.
    pub fn from_lsp_id(id: &str) -> Option<Self> {
        let language = match id {
            "c" => Self::C,
            "go" => Self::Go,
            "javascript" | "javascript.jsx" | "javascriptreact" | "jsx" => Self::JavaScript,
            "python" => Self::Python,
            "rust" => Self::Rust,
            "tsx" | "typescript.tsx" | "typescriptreact" => Self::Tsx,
            "typescript" => Self::TypeScript,
            _ => return None,
        };
        Some(language)
    }

    /// In lower case, e.g. `rust`.
    pub fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Go => "go",
            Self::JavaScript => "javascript",
            Self::Python => "python",
            Self::Rust => "rust",
            Self::Tsx => "tsx",
            Self::TypeScript => "typescript",
        }
    }

    /// Leader of a line comment, e.g. `//`.
    pub fn line_comment(self) -> &'static str {
        match self {
            Self::Python => "#",
            Self::C | Self::Go | Self::JavaScript | Self::Rust | Self::Tsx | Self::TypeScript => {
                "//"
            }
        }
    }

    /// Blocks are delimited by indentation rather than by brackets.
    pub fn indentation_blocks(self) -> bool {
        self == Self::Python
    }

    pub(crate) fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::C => tree_sitter_c::LANGUAGE,
            Self::Go => tree_sitter_go::LANGUAGE,
            Self::JavaScript => tree_sitter_javascript::LANGUAGE,
            Self::Python => tree_sitter_python::LANGUAGE,
            Self::Rust => tree_sitter_rust::LANGUAGE,
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        }
        .into()
    }
}
