//! Enclosing functions, types and blocks.

use std::ops::Range;

use tree_sitter::Node;

use crate::Tree;

/// Deeper nesting than this is no program a person reads; the innermost scopes are kept.
const MAX_SCOPES: usize = 64;

/// A syntax node that gives the caret its context (function, class, impl, block ...).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Grammar node kind, e.g. `function_item`; a block that is the body of such a node is not listed beside it.
    pub kind: String,
    /// Bytes of the whole node.
    pub range: Range<usize>,
    /// Bytes of its body with the brackets where it has some; for a bare block the block itself.
    pub body: Option<Range<usize>>,
}

impl Tree {
    /// Enclosing scopes of `offset`, innermost first.
    ///
    /// A scope whose closing bracket is missing reaches to the next token. Where blocks are delimited by indentation, a caret on a blank line
    /// also belongs to the scopes above it whose headers are indented less than the caret.
    pub fn scopes(&self, offset: usize) -> Vec<Scope> {
        let offset = self.buffer.floor_char_boundary(offset);
        let Some(anchor) = self.trim_end(offset).checked_sub(1) else { return Vec::new() };
        let mut nodes: Vec<(Node<'_>, Option<Range<usize>>)> = Vec::new();
        // The root is the file, which is no scope of its own.
        for node in self.path(anchor).into_iter().skip(1) {
            if !node.is_named() || !self.encloses(node, offset) {
                continue;
            }
            if is_construct(node.kind()) {
                nodes.push((node, body(node)));
            } else if is_block(node.kind()) {
                let range = node.byte_range();
                if nodes.last().is_none_or(|(_, body)| body.as_ref() != Some(&range)) {
                    nodes.push((node, Some(range)));
                }
            }
        }
        let scope = |(node, body): (Node<'_>, _)| Scope {
            kind: node.kind().to_owned(),
            range: node.byte_range(),
            body,
        };
        nodes.into_iter().rev().take(MAX_SCOPES).map(scope).collect()
    }

    fn encloses(&self, node: Node<'_>, offset: usize) -> bool {
        if offset <= node.start_byte() {
            return false;
        }
        if offset < node.end_byte() {
            return true;
        }
        if !self.language().indentation_blocks() {
            return is_unclosed(node);
        }
        let line = self.buffer.line_range(self.buffer.line_of(offset));
        let before_caret = self.buffer.slice(line.start..offset);
        match before_caret.trim().is_empty() {
            true => self.indentation(node.start_byte()) < before_caret.len(),
            false => node.end_byte() == offset,
        }
    }

    /// White space in bytes that begins the line of `offset`.
    pub(crate) fn indentation(&self, offset: usize) -> usize {
        let line = self.buffer.line_range(self.buffer.line_of(offset));
        self.trim_start(line.start).min(line.end) - line.start
    }
}

/// The last token below `node` is one that the parser supplied.
fn is_unclosed(mut node: Node<'_>) -> bool {
    while let Some(last) = node.child_count().checked_sub(1).and_then(|last| node.child(last)) {
        node = last;
    }
    node.is_missing()
}

fn body(node: Node<'_>) -> Option<Range<usize>> {
    let named =
        node.child_by_field_name("body").or_else(|| node.child_by_field_name("consequence"));
    let body = named
        .or_else(|| node.named_children(&mut node.walk()).find(|child| is_block(child.kind())));
    body.map(|body| body.byte_range())
}

fn is_block(kind: &str) -> bool {
    matches!(
        kind,
        "block"
            | "class_body"
            | "compound_statement"
            | "declaration_list"
            | "field_declaration_list"
            | "statement_block"
    )
}

fn is_construct(kind: &str) -> bool {
    matches!(
        kind,
        "abstract_class_declaration"
            | "arrow_function"
            | "async_block"
            | "case_clause"
            | "case_statement"
            | "catch_clause"
            | "class"
            | "class_declaration"
            | "class_definition"
            | "closure_expression"
            | "communication_case"
            | "default_case"
            | "do_statement"
            | "elif_clause"
            | "else_clause"
            | "enum_declaration"
            | "enum_item"
            | "enum_specifier"
            | "except_clause"
            | "expression_case"
            | "expression_switch_statement"
            | "finally_clause"
            | "for_expression"
            | "for_in_statement"
            | "for_statement"
            | "foreign_mod_item"
            | "func_literal"
            | "function_declaration"
            | "function_definition"
            | "function_expression"
            | "function_item"
            | "generator_function"
            | "generator_function_declaration"
            | "if_expression"
            | "if_statement"
            | "impl_item"
            | "interface_declaration"
            | "interface_type"
            | "internal_module"
            | "loop_expression"
            | "macro_definition"
            | "match_arm"
            | "match_expression"
            | "match_statement"
            | "method_declaration"
            | "method_definition"
            | "mod_item"
            | "module"
            | "select_statement"
            | "struct_item"
            | "struct_specifier"
            | "struct_type"
            | "switch_case"
            | "switch_default"
            | "switch_statement"
            | "trait_item"
            | "try_statement"
            | "type_case"
            | "type_switch_statement"
            | "union_item"
            | "union_specifier"
            | "unsafe_block"
            | "while_expression"
            | "while_statement"
            | "with_statement"
    )
}
