//! How broken a text is.

use text::Buffer;

use crate::{Language, Tree};

/// Number of error and missing nodes in `text`; 0 means that it parses. A text that is too large or too slow to parse counts as one error.
pub fn n_errors(language: Language, text: &str) -> usize {
    match Tree::parse(language, &Buffer::from(text)) {
        Some(tree) => tree.n_errors(),
        None => 1,
    }
}

impl Tree {
    /// Number of error and missing nodes.
    pub fn n_errors(&self) -> usize {
        let mut cursor = self.root().walk();
        let mut n_errors = 0;
        loop {
            let node = cursor.node();
            n_errors += usize::from(node.is_error() || node.is_missing());
            if node.has_error() && cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return n_errors;
                }
            }
        }
    }
}
