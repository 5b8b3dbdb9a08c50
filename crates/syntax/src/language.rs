//! The languages that have a grammar here, and how a document tells which one it is in.

use std::path::Path;

/// A language that has a grammar here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    Bash,
    C,
    CSharp,
    Cpp,
    Go,
    Java,
    /// With JSX, which its grammar includes.
    JavaScript,
    Lua,
    Python,
    Ruby,
    Rust,
    Tsx,
    TypeScript,
}

impl Language {
    pub const ALL: [Self; 13] = [
        Self::Bash,
        Self::C,
        Self::CSharp,
        Self::Cpp,
        Self::Go,
        Self::Java,
        Self::JavaScript,
        Self::Lua,
        Self::Python,
        Self::Ruby,
        Self::Rust,
        Self::Tsx,
        Self::TypeScript,
    ];

    /// By file extension, in any case, or by a well-known file name.
    pub fn from_path(path: &Path) -> Option<Self> {
        match path.file_name()?.to_str() {
            Some("SConstruct" | "SConscript" | "Snakefile" | "wscript") => {
                return Some(Self::Python);
            }
            Some("Brewfile" | "Capfile" | "Gemfile" | "Guardfile" | "Podfile" | "Rakefile") => {
                return Some(Self::Ruby);
            }
            Some(".bash_profile" | ".bashrc" | ".profile" | "PKGBUILD") => return Some(Self::Bash),
            _ => {}
        }
        let language = match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "bash" | "sh" => Self::Bash,
            "c" | "h" => Self::C,
            "cs" | "csx" => Self::CSharp,
            "cc" | "cpp" | "cxx" | "hh" | "hpp" | "hxx" | "inl" | "ipp" => Self::Cpp,
            "go" => Self::Go,
            "java" => Self::Java,
            "lua" => Self::Lua,
            "cjs" | "js" | "jsx" | "mjs" => Self::JavaScript,
            "py" | "pyi" | "pyw" => Self::Python,
            "gemspec" | "rake" | "rb" | "ru" => Self::Ruby,
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
            "bash" | "sh" | "shellscript" => Self::Bash,
            "c" => Self::C,
            "c-sharp" | "cs" | "csharp" => Self::CSharp,
            "cpp" => Self::Cpp,
            "go" => Self::Go,
            "java" => Self::Java,
            "javascript" | "javascript.jsx" | "javascriptreact" | "jsx" => Self::JavaScript,
            "lua" => Self::Lua,
            "python" => Self::Python,
            "ruby" => Self::Ruby,
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
            Self::Bash => "bash",
            Self::C => "c",
            Self::CSharp => "csharp",
            Self::Cpp => "cpp",
            Self::Go => "go",
            Self::Java => "java",
            Self::JavaScript => "javascript",
            Self::Lua => "lua",
            Self::Python => "python",
            Self::Ruby => "ruby",
            Self::Rust => "rust",
            Self::Tsx => "tsx",
            Self::TypeScript => "typescript",
        }
    }

    /// Leader of a line comment, e.g. `//`.
    pub fn line_comment(self) -> &'static str {
        match self {
            Self::Bash | Self::Python | Self::Ruby => "#",
            Self::Lua => "--",
            Self::C
            | Self::CSharp
            | Self::Cpp
            | Self::Go
            | Self::Java
            | Self::JavaScript
            | Self::Rust
            | Self::Tsx
            | Self::TypeScript => "//",
        }
    }

    /// Blocks are delimited by indentation rather than by brackets.
    pub fn indentation_blocks(self) -> bool {
        self == Self::Python
    }

    /// A single quote begins a character rather than a string.
    pub fn has_characters(self) -> bool {
        matches!(self, Self::C | Self::CSharp | Self::Cpp | Self::Go | Self::Java | Self::Rust)
    }

    pub(crate) fn grammar(self) -> tree_sitter::Language {
        match self {
            Self::Bash => tree_sitter_bash::LANGUAGE,
            Self::C => tree_sitter_c::LANGUAGE,
            Self::CSharp => tree_sitter_c_sharp::LANGUAGE,
            Self::Cpp => tree_sitter_cpp::LANGUAGE,
            Self::Go => tree_sitter_go::LANGUAGE,
            Self::Java => tree_sitter_java::LANGUAGE,
            Self::JavaScript => tree_sitter_javascript::LANGUAGE,
            Self::Lua => tree_sitter_lua::LANGUAGE,
            Self::Python => tree_sitter_python::LANGUAGE,
            Self::Ruby => tree_sitter_ruby::LANGUAGE,
            Self::Rust => tree_sitter_rust::LANGUAGE,
            Self::Tsx => tree_sitter_typescript::LANGUAGE_TSX,
            Self::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT,
        }
        .into()
    }
}
