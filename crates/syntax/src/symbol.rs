//! What a file defines, imports and refers to, as plain data over byte ranges.

use std::ops::Range;

/// What kind of thing a definition makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SymbolKind {
    Class,
    Constant,
    Enum,
    Field,
    Function,
    /// An `impl` of Rust, under the name of its type.
    Implementation,
    /// Also a trait, a protocol or a concept.
    Interface,
    Macro,
    Method,
    /// Also a namespace.
    Module,
    /// A declaration whose definition lies elsewhere.
    Prototype,
    Struct,
    /// Another name for a type.
    Type,
    /// Of a module; local variables are no symbols.
    Variable,
    /// Of an enum.
    Variant,
}

impl SymbolKind {
    pub const ALL: [Self; 15] = [
        Self::Class,
        Self::Constant,
        Self::Enum,
        Self::Field,
        Self::Function,
        Self::Implementation,
        Self::Interface,
        Self::Macro,
        Self::Method,
        Self::Module,
        Self::Prototype,
        Self::Struct,
        Self::Type,
        Self::Variable,
        Self::Variant,
    ];

    /// In lower case, e.g. `function`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Constant => "constant",
            Self::Enum => "enum",
            Self::Field => "field",
            Self::Function => "function",
            Self::Implementation => "implementation",
            Self::Interface => "interface",
            Self::Macro => "macro",
            Self::Method => "method",
            Self::Module => "module",
            Self::Prototype => "prototype",
            Self::Struct => "struct",
            Self::Type => "type",
            Self::Variable => "variable",
            Self::Variant => "variant",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Its functions are methods.
    pub fn has_methods(self) -> bool {
        matches!(
            self,
            Self::Class | Self::Enum | Self::Implementation | Self::Interface | Self::Struct
        )
    }
}

/// A definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symbol {
    pub name: String,
    pub kind: SymbolKind,
    /// Bytes of the whole, with decorators and modifiers, without the comments before it.
    pub range: Range<usize>,
    /// Bytes of the name.
    pub name_range: Range<usize>,
    /// Bytes up to the body, without the white space before it; the first line where there is no body and the whole is long.
    pub signature: Range<usize>,
    /// Bytes of the body, with its brackets where it has some.
    pub body: Option<Range<usize>>,
    /// The symbol that encloses this one, by its place in [`Outline::symbols`]; always before this one.
    pub parent: Option<usize>,
    /// The name of what this belongs to: the symbol that encloses it, or the type of a method that is written apart from it.
    pub container: Option<String>,
}

/// What a statement takes from another module or file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// As written, without quotes: `crate::text`, `..store`, `./store`, `encoding/json`, `stdio.h`.
    pub path: String,
    /// What the module itself is called here, where it is given a name.
    pub module_alias: Option<String>,
    pub names: Vec<ImportedName>,
    /// Every name of the module is taken.
    pub all: bool,
    /// Bytes of the whole statement.
    pub range: Range<usize>,
}

/// A name that is taken from a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedName {
    /// As the module calls it; `default` for a default export.
    pub name: String,
    /// What it is called here, where that differs.
    pub alias: Option<String>,
}

/// How a name is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReferenceKind {
    /// Anything else: a value, a field, a constant.
    Use,
    Type,
    /// Of a function, a method or a macro.
    Call,
}

/// A place where a name is used that may be defined elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    pub name: String,
    pub kind: ReferenceKind,
    pub range: Range<usize>,
}

/// What a file defines, imports and refers to, each in the order of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    pub symbols: Vec<Symbol>,
    pub imports: Vec<Import>,
    pub references: Vec<Reference>,
}
