//! Definitions: what a comment documents, a test covers and an instruction is about.

use std::ops::Range;

use tree_sitter::Node;

use crate::Tree;
use crate::place::{is_comment, is_string};

/// Comments and attributes passed over above an item; more than this is a page of prose.
const MAX_ABOVE: usize = 256;

/// A function, a type, a constant or a member of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Grammar node kind, e.g. `function_item`.
    pub kind: String,
    pub name: Option<String>,
    /// Bytes of the item with its attributes, decorators and `export`, but without the comment above it.
    pub range: Range<usize>,
    /// Bytes of its body, brackets included where there are any.
    pub body: Option<Range<usize>>,
    /// Bytes of the comment that stands right above it, or of the doc string that its body begins with.
    pub comment: Option<Range<usize>>,
}

impl Tree {
    /// Items that `offset` belongs to, innermost first.
    ///
    /// White space around a line belongs to the item on that line, and so do the comments and attributes above an item.
    pub fn items(&self, offset: usize) -> Vec<Item> {
        let offset = self.onto_code(offset);
        let mut items: Vec<Item> = Vec::new();
        let path = self.path(offset);
        let below = path.iter().find_map(|&node| self.item_below(node));
        // The root is the file.
        for node in path.into_iter().skip(1).chain(below) {
            if is_item(node) {
                items.push(self.item_of(node));
            }
        }
        items.reverse();
        items
    }

    /// The largest statement or item that begins with the first character at or after `offset`; blocks and the file are
    /// none.
    pub fn statement_at(&self, offset: usize) -> Option<Range<usize>> {
        let start = self.trim_start(offset);
        let node = self
            .path(start)
            .into_iter()
            .skip(1)
            .find(|node| node.start_byte() == start && !is_container(node.kind()))?;
        let item = self.item_below(node).map(|node| self.item_of(node).range);
        Some(item.unwrap_or_else(|| node.byte_range()))
    }

    /// `offset` itself, or the nearest character of its line that is neither white space nor what parts members.
    fn onto_code(&self, offset: usize) -> usize {
        let offset = self.buffer.floor_char_boundary(offset);
        let line = self.buffer.line_range(self.buffer.line_of(offset));
        let text = self.buffer.slice(line.clone());
        let first = line.start + (text.len() - text.trim_start().len());
        let end = line.start + text.trim_end().trim_end_matches([',', ';']).len();
        match self.buffer.floor_char_boundary(end.saturating_sub(1)) {
            last if first <= last => offset.clamp(first, last),
            _ => offset,
        }
    }

    /// The item that a comment or an attribute stands above.
    fn item_below<'a>(&self, node: Node<'a>) -> Option<Node<'a>> {
        if !is_comment(node.kind()) && !is_attribute(node.kind()) {
            return None;
        }
        let mut at = node;
        for _ in 0..MAX_ABOVE {
            let next = at.next_named_sibling()?;
            if !self.is_right_above(at, next) {
                return None;
            }
            if !is_comment(next.kind()) && !is_attribute(next.kind()) {
                return unwrapped(next);
            }
            at = next;
        }
        None
    }

    fn item_of(&self, node: Node<'_>) -> Item {
        let body = body(node);
        let (mut first, whole) = (wrapper(node), wrapper(node));
        let mut comment: Option<Range<usize>> = None;
        let mut at = first;
        for _ in 0..MAX_ABOVE {
            let Some(above) = node_above(at) else { break };
            if !self.is_right_above(above, at) || self.shares_its_line(above) {
                break;
            }
            if is_attribute(above.kind()) {
                first = above;
            } else if is_comment(above.kind()) {
                // Some grammars count the line feed in.
                let end = comment.map_or(self.trim_end(above.end_byte()), |lower| lower.end);
                comment = Some(above.start_byte()..end);
            } else {
                break;
            }
            at = above;
        }
        Item {
            kind: node.kind().to_owned(),
            name: self.item_name(node),
            range: first.start_byte()..self.trim_end(whole.end_byte()),
            comment: self.doc_string(node).or(comment),
            body,
        }
    }

    fn is_right_above(&self, upper: Node<'_>, lower: Node<'_>) -> bool {
        let end = self.trim_end(upper.end_byte());
        self.buffer.line_of(lower.start_byte()) <= self.buffer.line_of(end) + 1
    }

    /// Code stands before `node` on its line, so a comment there is about that code.
    fn shares_its_line(&self, node: Node<'_>) -> bool {
        let line = self.buffer.line_range(self.buffer.line_of(node.start_byte()));
        self.trim_start(line.start) < node.start_byte()
    }

    /// The string that a body begins with, where blocks are delimited by indentation.
    fn doc_string(&self, node: Node<'_>) -> Option<Range<usize>> {
        if !self.language().indentation_blocks() {
            return None;
        }
        let first = node.child_by_field_name("body")?.named_child(0)?;
        let string =
            if first.kind() == "expression_statement" { first.named_child(0)? } else { first };
        is_string(string.kind()).then(|| string.byte_range())
    }

    fn item_name(&self, node: Node<'_>) -> Option<String> {
        let name = node.child_by_field_name("name").or_else(|| {
            // C hides the name below pointers and parameter lists; Go's declarations hold specifications.
            let declarator = node.child_by_field_name("declarator").map(innermost_declarator);
            let specification = || node.named_child(0)?.child_by_field_name("name");
            declarator.or_else(|| node.child_by_field_name("type")).or_else(specification)
        })?;
        let name = self.buffer.slice(name.byte_range()).into_owned();
        (!name.is_empty() && !name.contains(['\n', '\r', '{'])).then_some(name)
    }
}

fn innermost_declarator(mut node: Node<'_>) -> Node<'_> {
    while let Some(inner) = node.child_by_field_name("declarator") {
        node = inner;
    }
    node
}

/// The item in a node that only decorates or exports it.
fn unwrapped(node: Node<'_>) -> Option<Node<'_>> {
    if is_item(node) {
        return Some(node);
    }
    is_wrapper(node.kind())
        .then(|| node.named_children(&mut node.walk()).find_map(unwrapped))
        .flatten()
}

/// The node before `node`, in its parent or, where it begins a body, before that.
fn node_above(node: Node<'_>) -> Option<Node<'_>> {
    let mut at = node;
    loop {
        if let Some(above) = at.prev_named_sibling() {
            return Some(above);
        }
        at = at.parent().filter(|parent| {
            is_container(parent.kind()) && parent.start_byte() == node.start_byte()
        })?;
    }
}

/// The outermost node that only decorates or exports `node`.
fn wrapper(node: Node<'_>) -> Node<'_> {
    let mut at = node;
    while let Some(parent) = at.parent().filter(|parent| is_wrapper(parent.kind())) {
        at = parent;
    }
    at
}

fn body(node: Node<'_>) -> Option<Range<usize>> {
    let holder = match node.kind() {
        "variable_declarator" => node.child_by_field_name("value")?,
        _ => node,
    };
    let body = holder.child_by_field_name("body").or_else(|| {
        holder.named_children(&mut holder.walk()).find(|child| is_container(child.kind()))
    });
    body.map(|body| body.byte_range())
}

fn is_attribute(kind: &str) -> bool {
    matches!(kind, "attribute_item" | "inner_attribute_item" | "decorator")
}

fn is_wrapper(kind: &str) -> bool {
    matches!(
        kind,
        "ambient_declaration"
            | "decorated_definition"
            | "declaration"
            | "export_statement"
            | "global_statement"
            | "lexical_declaration"
            | "template_declaration"
            | "type_definition"
            | "variable_declaration"
    )
}

/// Holds statements or members and is no statement itself.
fn is_container(kind: &str) -> bool {
    matches!(
        kind,
        "block"
            | "body_statement"
            | "class_body"
            | "compound_statement"
            | "declaration_list"
            | "enum_variant_list"
            | "enumerator_list"
            | "field_declaration_list"
            | "interface_body"
            | "object_type"
            | "program"
            | "statement_block"
            | "statement_list"
            | "switch_body"
            | "translation_unit"
    )
}

fn is_item(node: Node<'_>) -> bool {
    match node.kind() {
        // A type that is only named is no definition.
        "class_specifier" | "enum_specifier" | "struct_specifier" | "union_specifier" => {
            node.child_by_field_name("body").is_some()
        }
        "variable_declarator" => node.child_by_field_name("value").is_some_and(|value| {
            matches!(value.kind(), "arrow_function" | "class" | "function_expression")
        }),
        kind => is_definition(kind),
    }
}

fn is_definition(kind: &str) -> bool {
    matches!(
        kind,
        "abstract_class_declaration"
            | "class"
            | "class_declaration"
            | "class_definition"
            | "const_declaration"
            | "const_item"
            | "constructor_declaration"
            | "delegate_declaration"
            | "enum_declaration"
            | "enum_item"
            | "enum_variant"
            | "event_declaration"
            | "field_declaration"
            | "function_declaration"
            | "function_definition"
            | "function_item"
            | "function_signature"
            | "function_signature_item"
            | "generator_function_declaration"
            | "impl_item"
            | "interface_declaration"
            | "macro_definition"
            | "local_function_statement"
            | "method"
            | "method_declaration"
            | "method_definition"
            | "method_signature"
            | "mod_item"
            | "module"
            | "namespace_definition"
            | "property_declaration"
            | "property_signature"
            | "public_field_definition"
            | "record_declaration"
            | "singleton_method"
            | "static_item"
            | "struct_declaration"
            | "struct_item"
            | "trait_item"
            | "type_alias_declaration"
            | "type_declaration"
            | "type_item"
            | "union_item"
    )
}
