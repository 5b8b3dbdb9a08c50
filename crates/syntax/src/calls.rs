//! Calls and what is passed in them.

use std::ops::Range;

use crate::Tree;

impl Tree {
    /// Bytes between the parentheses of every call, in the order of the text; a list that is not closed is left out.
    pub fn argument_lists(&self) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        let mut cursor = self.root().walk();
        loop {
            let node = cursor.node();
            if let Some(arguments) = node.child_by_field_name("arguments") {
                let range = arguments.byte_range();
                let text = self.buffer.slice(range.clone());
                if text.len() >= 2 && text.starts_with('(') && text.ends_with(')') {
                    found.push(range.start + 1..range.end - 1);
                }
            }
            if cursor.goto_first_child() {
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    found.sort_unstable_by_key(|range| (range.start, range.end));
                    return found;
                }
            }
        }
    }
}
