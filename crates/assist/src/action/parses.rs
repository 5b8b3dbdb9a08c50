//! Whether a text still parses after edits.

use syntax::Tree;
use text::{Buffer, Edit};

use crate::action::change::Concern;

/// Compares the syntax errors before and after; no concern where there is no tree, or parsing takes too long.
pub(crate) fn concern(tree: Option<&Tree>, buffer: &Buffer, edits: &[Edit]) -> Option<Concern> {
    let tree = tree?;
    let mut after = buffer.clone();
    let applied: Vec<_> = edits.iter().rev().map(|edit| after.apply(edit)).collect();
    let reparsed = tree.reparse(&applied, &after)?;
    (tree.n_errors() < reparsed.n_errors()).then_some(Concern::NoLongerParses)
}

#[cfg(test)]
mod tests {
    use syntax::Language;

    use super::*;

    #[track_caller]
    fn check(text: &str, edits: &[Edit], expected: Option<Concern>) {
        let buffer = Buffer::from(text);
        let tree = Tree::parse(Language::Rust, &buffer).unwrap();
        assert_eq!(concern(Some(&tree), &buffer, edits), expected);
    }

    fn edit(range: std::ops::Range<usize>, text: &str) -> Edit {
        Edit { range, text: text.to_owned() }
    }

    #[test]
    fn only_new_errors_are_of_concern() {
        check("fn f() {}", &[edit(8..8, " g(); ")], None);
        check("fn f() {}", &[edit(8..8, " g(; ")], Some(Concern::NoLongerParses));
        check("fn f() {} }", &[edit(8..8, " g(); ")], None);
        check(
            "fn f() {}\nfn g() {}",
            &[edit(3..4, "h"), edit(18..19, "")],
            Some(Concern::NoLongerParses),
        );
    }
}
