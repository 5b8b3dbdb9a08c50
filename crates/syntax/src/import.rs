//! Puts imports together: a statement makes one match for each name that it takes.

use tree_sitter::Node;

use crate::query::Capture;
use crate::symbol::{Import, ImportedName};
use crate::{Language, Tree};

/// Use trees that are nested deeper are not written by people.
const MAX_DEPTH: usize = 16;

/// What one match of a query says of an import.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Match<'tree> {
    statement: Option<Node<'tree>>,
    path: Option<Node<'tree>>,
    name: Option<Node<'tree>>,
    alias: Option<Node<'tree>>,
    default: Option<Node<'tree>>,
    module_alias: Option<Node<'tree>>,
    function: Option<Node<'tree>>,
    tree: Option<Node<'tree>>,
    module: Option<Node<'tree>>,
    all: bool,
}

impl<'tree> Match<'tree> {
    pub(crate) fn take(&mut self, meaning: Capture, node: Node<'tree>) {
        match meaning {
            Capture::Import => self.statement = Some(node),
            Capture::ImportPath => self.path = Some(node),
            Capture::ImportName => self.name = Some(node),
            Capture::ImportAlias => self.alias = Some(node),
            Capture::ImportDefault => self.default = Some(node),
            Capture::ImportModuleAlias => self.module_alias = Some(node),
            Capture::ImportFunction => self.function = Some(node),
            Capture::ImportTree => self.tree = Some(node),
            Capture::ImportModule => self.module = Some(node),
            Capture::ImportAll => self.all = true,
            _ => {}
        }
    }
}

/// The imports of a file.
#[derive(Debug, Default)]
pub(crate) struct Imports {
    found: Vec<(usize, Import)>,
}

impl Imports {
    pub(crate) fn add(&mut self, tree: &Tree, found: Match<'_>) {
        let Some(statement) = found.statement else { return };
        let range = statement.byte_range();
        if let Some(use_tree) = found.tree {
            let mut walk = UseTrees { tree, range, found: &mut self.found };
            walk.visit(use_tree, "", MAX_DEPTH);
            return;
        }
        if let Some(module) = found.module.and_then(|module| tree.name(module.byte_range())) {
            let path = format!("self::{module}");
            self.found.push((range.start, Import::new(path, range)));
            return;
        }
        let Some(node) = found.path else { return };
        let Some(path) = path(tree, node, found.function) else { return };
        // A path is written once for all the names that are taken from it.
        let known = self
            .found
            .iter()
            .rposition(|(start, import)| *start == node.start_byte() && import.path == path);
        let idx = known.unwrap_or(self.found.len());
        if known.is_none() {
            self.found.push((node.start_byte(), Import::new(path, range)));
        }
        let Some((_, import)) = self.found.get_mut(idx) else { return };
        let text = |node: Option<Node<'_>>| node.and_then(|node| tree.name(node.byte_range()));
        import.all |= found.all;
        if let Some(alias) = text(found.module_alias) {
            import.module_alias = Some(alias);
        }
        if let Some(alias) = text(found.default) {
            import.names.push(ImportedName { name: "default".to_owned(), alias: Some(alias) });
        }
        if let Some(name) = text(found.name)
            && !import.names.iter().any(|known| known.name == name)
        {
            import.names.push(ImportedName { name, alias: text(found.alias) });
        }
    }

    pub(crate) fn finish(mut self) -> Vec<Import> {
        self.found.sort_by_key(|(start, import)| (import.range.start, *start));
        self.found.into_iter().map(|(_, import)| import).collect()
    }
}

impl Import {
    fn new(path: String, range: std::ops::Range<usize>) -> Self {
        Self { path, module_alias: None, names: Vec::new(), all: false, range }
    }
}

fn path(tree: &Tree, node: Node<'_>, function: Option<Node<'_>>) -> Option<String> {
    let text = tree.buffer.slice(node.byte_range());
    let path = text.trim_matches(|character| matches!(character, '"' | '\'' | '`' | '<' | '>'));
    if path.is_empty() || 1024 < path.len() {
        return None;
    }
    let is_relative = tree.language() == Language::Ruby
        && function.is_some_and(|node| tree.buffer.slice(node.byte_range()) == "require_relative");
    Some(match is_relative && !path.starts_with('.') {
        true => format!("./{path}"),
        false => path.to_owned(),
    })
}

/// Takes a use tree of Rust apart: one import for each path that names or all is taken from.
struct UseTrees<'a> {
    tree: &'a Tree,
    range: std::ops::Range<usize>,
    found: &'a mut Vec<(usize, Import)>,
}

impl UseTrees<'_> {
    fn visit(&mut self, node: Node<'_>, prefix: &str, depth: usize) {
        if depth == 0 {
            return;
        }
        match node.kind() {
            "use_list" => {
                for child in node.named_children(&mut node.walk()) {
                    self.visit(child, prefix, depth - 1);
                }
            }
            "scoped_use_list" => {
                let path = node.child_by_field_name("path").map(|path| self.text(path));
                let prefix = join(prefix, path.as_deref().unwrap_or_default());
                if let Some(list) = node.child_by_field_name("list") {
                    self.visit(list, &prefix, depth - 1);
                }
            }
            "use_wildcard" => {
                let path = node.named_child(0).map(|path| self.text(path)).unwrap_or_default();
                self.import(node, join(prefix, &path)).all = true;
            }
            "use_as_clause" => {
                let [path, alias] = ["path", "alias"]
                    .map(|field| node.child_by_field_name(field).map(|node| self.text(node)));
                self.name(node, prefix, &path.unwrap_or_default(), alias);
            }
            "crate" | "identifier" | "scoped_identifier" | "self" | "super" => {
                let path = self.text(node);
                self.name(node, prefix, &path, None);
            }
            _ => {}
        }
    }

    fn name(&mut self, node: Node<'_>, prefix: &str, path: &str, alias: Option<String>) {
        // `use a::{self}` and `use a` name a module.
        let (module, name) = match path.rsplit_once("::") {
            _ if path == "self" && !prefix.is_empty() => (prefix.to_owned(), None),
            Some((module, name)) => (join(prefix, module), Some(name)),
            None if prefix.is_empty() => (path.to_owned(), None),
            None => (prefix.to_owned(), Some(path)),
        };
        let import = self.import(node, module);
        match name {
            Some(name) => import.names.push(ImportedName { name: name.to_owned(), alias }),
            None if alias.is_some() => import.module_alias = alias,
            None => {}
        }
    }

    fn import(&mut self, node: Node<'_>, path: String) -> &mut Import {
        let range = &self.range;
        let known = self
            .found
            .iter()
            .rposition(|(_, import)| import.range == *range && import.path == path);
        let idx = known.unwrap_or(self.found.len());
        if known.is_none() {
            self.found.push((node.start_byte(), Import::new(path, range.clone())));
        }
        &mut self.found[idx].1
    }

    fn text(&self, node: Node<'_>) -> String {
        self.tree.buffer.slice(node.byte_range()).split_whitespace().collect()
    }
}

fn join(prefix: &str, path: &str) -> String {
    match (prefix.is_empty(), path.is_empty()) {
        (true, _) => path.to_owned(),
        (_, true) => prefix.to_owned(),
        _ => format!("{prefix}::{path}"),
    }
}
