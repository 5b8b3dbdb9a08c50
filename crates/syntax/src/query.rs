//! The queries of each language, compiled when they are first wanted.

use std::sync::OnceLock;

use tree_sitter::Query;

use crate::Language;
use crate::symbol::{ReferenceKind, SymbolKind};

/// A compiled query and what each of its captures means, by capture number.
pub(crate) struct Queries {
    pub(crate) query: Query,
    pub(crate) captures: Vec<Capture>,
}

/// What a capture of `queries/*.scm` says of its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capture {
    /// `@definition.KIND`: the whole of a definition.
    Definition(SymbolKind),
    /// `@name`: what the definition is called.
    Name,
    /// `@body`: where the grammar's field `body` does not say it.
    Body,
    /// `@container`: what the definition belongs to, where that does not enclose it.
    Container,
    /// `@import`: the whole of an import.
    Import,
    /// `@import.path`: the module or file, quoted or not.
    ImportPath,
    /// `@import.name`: a name that is taken from the module.
    ImportName,
    /// `@import.alias`: what that name is called here.
    ImportAlias,
    /// `@import.default`: what the default export is called here.
    ImportDefault,
    /// `@import.module_alias`: what the module is called here.
    ImportModuleAlias,
    /// `@import.all`: every name is taken.
    ImportAll,
    /// `@import.require`: the name of the function that imports, for predicates.
    ImportFunction,
    /// `@import.tree`: a use tree of Rust.
    ImportTree,
    /// `@import.module`: a module of Rust that lies in a file of its own.
    ImportModule,
    /// `@call`, `@type`, `@use`: a name that stands for something defined elsewhere.
    Reference(ReferenceKind),
    /// Only predicates look at it.
    Other,
}

/// Which part of an outline is asked for: a query with fewer patterns is many times faster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Facet {
    All,
    Definitions,
    Imports,
}

impl Facet {
    /// The heading of its part of each file; each part is compiled on its own.
    fn heading(self) -> Option<&'static str> {
        match self {
            Self::All => None,
            Self::Definitions => Some("; Definitions\n"),
            Self::Imports => Some("; Imports\n"),
        }
    }

    fn part(self, source: &str) -> &str {
        const HEADINGS: [&str; 3] = ["\n; Definitions\n", "\n; Imports\n", "\n; References\n"];
        let Some(heading) = self.heading() else { return source };
        let Some((_, part)) = source.split_once(heading) else { return "" };
        let end = HEADINGS.iter().filter_map(|next| part.find(next)).min();
        part.get(..end.unwrap_or(part.len())).unwrap_or_default()
    }
}

/// `None` only if a query does not fit its grammar, which a test rules out.
pub(crate) fn queries(language: Language, facet: Facet) -> Option<&'static Queries> {
    static COMPILED: [[OnceLock<Option<Queries>>; 3]; Language::ALL.len()] =
        [const { [const { OnceLock::new() }; 3] }; Language::ALL.len()];
    let idx = Language::ALL.iter().position(|each| *each == language)?;
    let compiled = COMPILED.get(idx)?.get(facet as usize)?;
    compiled.get_or_init(|| compile(language, facet).ok()).as_ref()
}

pub(crate) fn compile(
    language: Language,
    facet: Facet,
) -> Result<Queries, tree_sitter::QueryError> {
    let parts: Vec<&str> = sources(language).iter().map(|source| facet.part(source)).collect();
    let query = Query::new(&language.grammar(), &parts.join("\n"))?;
    let captures = query.capture_names().iter().map(|name| capture(name)).collect();
    Ok(Queries { query, captures })
}

fn sources(language: Language) -> &'static [&'static str] {
    const ECMASCRIPT: &str = include_str!("../queries/ecmascript.scm");
    const JSX: &str = include_str!("../queries/jsx.scm");
    const TYPESCRIPT: &str = include_str!("../queries/typescript.scm");
    const C: &str = include_str!("../queries/c.scm");
    match language {
        Language::Bash => &[include_str!("../queries/bash.scm")],
        Language::C => &[C],
        Language::CSharp => &[include_str!("../queries/c_sharp.scm")],
        Language::Cpp => &[C, include_str!("../queries/cpp.scm")],
        Language::Go => &[include_str!("../queries/go.scm")],
        Language::Java => &[include_str!("../queries/java.scm")],
        Language::JavaScript => &[ECMASCRIPT, JSX, include_str!("../queries/javascript.scm")],
        Language::Lua => &[include_str!("../queries/lua.scm")],
        Language::Python => &[include_str!("../queries/python.scm")],
        Language::Ruby => &[include_str!("../queries/ruby.scm")],
        Language::Rust => &[include_str!("../queries/rust.scm")],
        Language::Tsx => &[ECMASCRIPT, JSX, TYPESCRIPT],
        Language::TypeScript => &[ECMASCRIPT, TYPESCRIPT],
    }
}

fn capture(name: &str) -> Capture {
    if let Some(kind) = name.strip_prefix("definition.") {
        return SymbolKind::from_name(kind).map_or(Capture::Other, Capture::Definition);
    }
    match name {
        "name" => Capture::Name,
        "body" => Capture::Body,
        "container" => Capture::Container,
        "import" => Capture::Import,
        "import.path" => Capture::ImportPath,
        "import.name" => Capture::ImportName,
        "import.alias" => Capture::ImportAlias,
        "import.default" => Capture::ImportDefault,
        "import.module_alias" => Capture::ImportModuleAlias,
        "import.all" => Capture::ImportAll,
        "import.require" => Capture::ImportFunction,
        "import.tree" => Capture::ImportTree,
        "import.module" => Capture::ImportModule,
        "call" => Capture::Reference(ReferenceKind::Call),
        "type" => Capture::Reference(ReferenceKind::Type),
        "use" => Capture::Reference(ReferenceKind::Use),
        _ => Capture::Other,
    }
}
