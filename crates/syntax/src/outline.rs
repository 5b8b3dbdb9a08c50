//! Reads the outline of a file from its tree by the queries of its language.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use tree_sitter::{Node, QueryCursor, StreamingIterator, TextProvider};

use crate::Tree;
use crate::import::{self, Imports};
use crate::query::{Capture, Facet, queries};
use crate::symbol::{Import, Outline, Reference, ReferenceKind, Symbol, SymbolKind};

/// A signature without a body behind it is shown whole up to this length.
const MAX_SIGNATURE: usize = 240;

/// Longer names are data.
const MAX_NAME: usize = 200;

/// Partial matches that are kept at a time; hostile nesting makes more.
const MATCH_LIMIT: u32 = 4096;

impl Tree {
    /// What the file defines, imports and refers to.
    pub fn outline(&self) -> Outline {
        self.facet(Facet::All, 0..usize::MAX)
    }

    /// The definitions that touch a range of bytes, those that enclose it among them.
    pub fn symbols_within(&self, range: Range<usize>) -> Vec<Symbol> {
        self.facet(Facet::Definitions, range).symbols
    }

    /// The imports that touch a range of bytes.
    pub fn imports_within(&self, range: Range<usize>) -> Vec<Import> {
        self.facet(Facet::Imports, range).imports
    }

    fn facet(&self, facet: Facet, range: Range<usize>) -> Outline {
        let Some(queries) = queries(self.language(), facet) else { return Outline::default() };
        let mut cursor = QueryCursor::new();
        cursor.set_match_limit(MATCH_LIMIT);
        cursor.set_byte_range(range);
        let mut definitions = Definitions::default();
        let mut imports = Imports::default();
        let mut references: HashMap<usize, (Range<usize>, ReferenceKind)> = HashMap::new();
        let mut matches = cursor.matches(&queries.query, self.root(), Text(self));
        while let Some(found) = matches.next() {
            let mut definition = None;
            let (mut name, mut body, mut container) = (None, None, None);
            let mut import = import::Match::default();
            for capture in found.captures() {
                let Some(meaning) = queries.captures.get(capture.index as usize) else { continue };
                let node = capture.node;
                match meaning {
                    Capture::Reference(kind) => {
                        let reference = || (node.byte_range(), *kind);
                        let known = references.entry(node.start_byte()).or_insert_with(reference);
                        known.1 = known.1.max(*kind);
                    }
                    Capture::Definition(kind) => definition = Some((node, *kind)),
                    Capture::Name => name = Some(node),
                    Capture::Body => body = Some(node),
                    Capture::Container => container = Some(node),
                    Capture::Other => {}
                    other => import.take(*other, node),
                }
            }
            if let (Some((node, kind)), Some(name)) = (definition, name) {
                definitions.add(Definition { node, kind, name, body, container });
            }
            imports.add(self, import);
        }
        let symbols = self.symbols(definitions);
        for symbol in &symbols {
            references.remove(&symbol.name_range.start);
        }
        let mut references: Vec<_> = references.into_values().collect();
        references.sort_unstable_by_key(|(range, _)| range.start);
        let reference = |(range, kind): (Range<usize>, _)| {
            let name = self.name(range.clone());
            Some(Reference { name: name?, kind, range })
        };
        Outline {
            symbols,
            imports: imports.finish(),
            references: references.into_iter().filter_map(reference).collect(),
        }
    }

    fn symbols(&self, definitions: Definitions<'_>) -> Vec<Symbol> {
        let mut found = definitions.found;
        found.sort_by_key(|found| {
            let range = wrapper(found.node).byte_range();
            (range.start, std::cmp::Reverse(range.end), found.name.start_byte())
        });
        let mut symbols: Vec<Symbol> = Vec::new();
        let mut enclosing: Vec<usize> = Vec::new();
        for Definition { node, mut kind, name, body, container } in found {
            let Some(text) = self.name(name.byte_range()) else { continue };
            let range = wrapper(node).byte_range();
            let encloses = |&idx: &usize| {
                symbols.get(idx).is_some_and(|outer: &Symbol| range.end <= outer.range.end)
            };
            while enclosing.last().is_some_and(|idx| !encloses(idx)) {
                enclosing.pop();
            }
            let parent = enclosing.last().copied();
            let outer = parent.and_then(|idx| symbols.get(idx));
            if kind == SymbolKind::Function && outer.is_some_and(|outer| outer.kind.has_methods()) {
                kind = SymbolKind::Method;
            }
            let body =
                body.or_else(|| node.child_by_field_name("body")).map(|body| body.byte_range());
            let container = match container {
                // The arguments of a generic type are no part of its name.
                Some(container) => self
                    .name(container.byte_range())
                    .and_then(|name| name.split('<').next().map(str::to_owned)),
                None => outer.map(|outer| outer.name.clone()),
            };
            let signature = self.signature(&range, body.as_ref());
            enclosing.push(symbols.len());
            let name_range = name.byte_range();
            symbols.push(Symbol {
                name: text,
                kind,
                range,
                name_range,
                signature,
                body,
                parent,
                container,
            });
        }
        symbols
    }

    fn signature(&self, range: &Range<usize>, body: Option<&Range<usize>>) -> Range<usize> {
        if let Some(body) = body.filter(|body| range.start < body.start) {
            return range.start..self.trim_end(body.start).max(range.start);
        }
        if range.len() <= MAX_SIGNATURE {
            return range.clone();
        }
        let line = self.buffer.line_range(self.buffer.line_of(range.start));
        range.start..line.end.clamp(range.start, range.end)
    }

    /// The text of a name; `None` where it is no name.
    pub(crate) fn name(&self, range: Range<usize>) -> Option<String> {
        let text = self.buffer.slice(range);
        let name = text.trim_matches(|character| matches!(character, '"' | '\'' | '`' | ':'));
        (!name.is_empty() && name.len() <= MAX_NAME).then(|| name.to_owned())
    }
}

#[derive(Debug, Clone, Copy)]
struct Definition<'tree> {
    node: Node<'tree>,
    kind: SymbolKind,
    name: Node<'tree>,
    body: Option<Node<'tree>>,
    container: Option<Node<'tree>>,
}

/// One definition for each name in the text: patterns overlap, and the one that knows more wins.
#[derive(Default)]
struct Definitions<'tree> {
    found: Vec<Definition<'tree>>,
    by_name: HashMap<usize, usize>,
}

impl<'tree> Definitions<'tree> {
    fn add(&mut self, definition: Definition<'tree>) {
        match self.by_name.entry(definition.name.start_byte()) {
            Entry::Vacant(vacant) => {
                vacant.insert(self.found.len());
                self.found.push(definition);
            }
            Entry::Occupied(occupied) => {
                if let Some(known) = self.found.get_mut(*occupied.get())
                    && weight(known.kind) < weight(definition.kind)
                {
                    *known = definition;
                }
            }
        }
    }
}

/// A variable that holds a function is a function, and a type that is a struct is a struct.
fn weight(kind: SymbolKind) -> u8 {
    match kind {
        SymbolKind::Variable | SymbolKind::Prototype => 0,
        SymbolKind::Constant | SymbolKind::Type => 1,
        _ => 2,
    }
}

/// The node that also holds what is written before a definition: decorators, `export`, a template's parameters, `const`.
fn wrapper(mut node: Node<'_>) -> Node<'_> {
    while let Some(parent) = node.parent() {
        let wraps = match parent.kind() {
            "decorated_definition" | "export_statement" | "template_declaration" => true,
            "const_declaration"
            | "lexical_declaration"
            | "type_declaration"
            | "var_declaration"
            | "variable_declaration" => parent.named_child_count() == 1,
            "declaration_command" => true,
            _ => false,
        };
        if !wraps {
            break;
        }
        node = parent;
    }
    node
}

/// The text of a tree for the predicates of a query.
#[derive(Clone, Copy)]
struct Text<'tree>(&'tree Tree);

impl<'tree> TextProvider<&'tree [u8]> for Text<'tree> {
    type I = Chunks<'tree>;

    fn text(&mut self, node: Node<'_>) -> Self::I {
        Chunks { tree: self.0, range: node.byte_range() }
    }
}

struct Chunks<'tree> {
    tree: &'tree Tree,
    range: Range<usize>,
}

impl<'tree> Iterator for Chunks<'tree> {
    type Item = &'tree [u8];

    fn next(&mut self) -> Option<Self::Item> {
        if self.range.is_empty() {
            return None;
        }
        let (chunk, start) = self.tree.buffer.chunk_at(self.range.start);
        let end = self.range.end.min(start + chunk.len());
        let bytes = chunk.as_bytes().get(self.range.start - start..end - start)?;
        self.range.start = end;
        (!bytes.is_empty()).then_some(bytes)
    }
}
