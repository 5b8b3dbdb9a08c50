//! A document's tree, made when a reader first wants it: the writer of the workspace never parses.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use syntax::{Language, MAX_BYTES, Tree};
use text::{Applied, Buffer};

/// A parse that ran out of time is not tried again at each keystroke: that would spend its whole limit on every one of them.
const CHANGES_BETWEEN_PARSES: usize = 64;

/// Edits that nobody wanted a tree after; a fresh parse is cheaper than to go through more of them.
const MAX_EDITS: usize = 512;

/// The tree of one version of a document. The first reader parses, the others wait for it.
#[derive(Debug)]
pub(crate) struct TreeCell {
    language: Language,
    buffer: Buffer,
    origin: Mutex<Origin>,
    parsed: OnceLock<Parsed>,
}

#[derive(Debug)]
struct Parsed {
    tree: Option<Tree>,
    changes_until_parse: usize,
}

/// What a tree will be made from.
#[derive(Debug, Clone)]
enum Origin {
    /// Nobody has wanted this tree yet: it will follow from that of `base`, which somebody wanted, by `edits` in `n_changes` changes.
    Waiting { base: Option<Arc<TreeCell>>, edits: Vec<Applied>, n_changes: usize },
    /// A reader has begun to parse, and may be done.
    Begun,
}

impl TreeCell {
    pub(crate) fn new(language: Language, buffer: Buffer) -> Self {
        let origin = Origin::Waiting { base: None, edits: Vec::new(), n_changes: 0 };
        Self { language, buffer, origin: Mutex::new(origin), parsed: OnceLock::new() }
    }

    /// The cell of `buffer`, to which `applied` leads from the buffer of this one.
    pub(crate) fn changed(self: &Arc<Self>, applied: &[Applied], buffer: Buffer) -> Self {
        let (base, mut edits, n_changes) = match &*self.lock() {
            Origin::Waiting { base, edits, n_changes } => (base.clone(), edits.clone(), *n_changes),
            Origin::Begun => (Some(Arc::clone(self)), Vec::new(), 0),
        };
        edits.extend_from_slice(applied);
        let origin = match base {
            Some(base) if edits.len() <= MAX_EDITS => {
                Origin::Waiting { base: Some(base), edits, n_changes: n_changes + 1 }
            }
            _ => Origin::Waiting { base: None, edits: Vec::new(), n_changes: 0 },
        };
        let language = self.language;
        Self { language, buffer, origin: Mutex::new(origin), parsed: OnceLock::new() }
    }

    /// `None` when the text is too large, or parsing it took too long.
    pub(crate) fn tree(&self) -> Option<&Tree> {
        self.parsed.get_or_init(|| self.parse()).tree.as_ref()
    }

    pub(crate) fn is_parsed(&self) -> bool {
        self.parsed.get().is_some()
    }

    fn parse(&self) -> Parsed {
        let origin = std::mem::replace(&mut *self.lock(), Origin::Begun);
        if MAX_BYTES < self.buffer.len() {
            // The text is parsed as soon as it is small enough.
            return Parsed { tree: None, changes_until_parse: 0 };
        }
        let Origin::Waiting { base: Some(base), edits, n_changes } = origin else {
            return Parsed::new(Tree::parse(self.language, &self.buffer));
        };
        let base = base.parsed.get_or_init(|| base.parse());
        match &base.tree {
            Some(tree) => Parsed::new(tree.reparse(&edits, &self.buffer)),
            None if n_changes <= base.changes_until_parse => {
                Parsed { tree: None, changes_until_parse: base.changes_until_parse - n_changes }
            }
            None => Parsed::new(Tree::parse(self.language, &self.buffer)),
        }
    }

    /// A panic while the lock was held leaves a whole value behind, for values are only replaced.
    fn lock(&self) -> std::sync::MutexGuard<'_, Origin> {
        self.origin.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Parsed {
    fn new(tree: Option<Tree>) -> Self {
        let changes_until_parse = if tree.is_some() { 0 } else { CHANGES_BETWEEN_PARSES };
        Self { tree, changes_until_parse }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use text::Edit;

    fn typed(cell: &Arc<TreeCell>, text: &str) -> Arc<TreeCell> {
        let mut buffer = cell.buffer.clone();
        let end = buffer.len();
        let applied = buffer.apply(&Edit { range: end..end, text: text.to_owned() });
        Arc::new(cell.changed(&[applied], buffer))
    }

    #[track_caller]
    fn check(cell: &TreeCell) {
        let fresh = Tree::parse(Language::Rust, &cell.buffer).unwrap();
        assert_eq!(cell.tree().unwrap().to_sexp(), fresh.to_sexp());
    }

    #[test]
    fn a_change_parses_nothing_until_someone_looks() {
        let first = Arc::new(TreeCell::new(Language::Rust, Buffer::from("fn f() {}\n")));
        let second = typed(&first, "fn g() {}\n");
        let third = typed(&second, "struct S;\n");
        assert!([&first, &second, &third].iter().all(|cell| cell.parsed.get().is_none()));
        check(&third);
        assert!(first.parsed.get().is_none() && second.parsed.get().is_none());
        // Now there is something to go on from, over versions that nobody looked at.
        let fifth = typed(&typed(&third, "struct T"), ";\n");
        assert!(matches!(&*fifth.lock(), Origin::Waiting { base: Some(_), n_changes: 2, .. }));
        check(&fifth);
        assert!(matches!(&*fifth.lock(), Origin::Begun), "what it was made from is let go");
    }

    #[test]
    fn edits_without_end_are_not_kept() {
        let mut cell = Arc::new(TreeCell::new(Language::Rust, Buffer::from("// ")));
        check(&cell);
        for _ in 0..=MAX_EDITS {
            cell = typed(&cell, "x");
        }
        assert!(matches!(&*cell.lock(), Origin::Waiting { base: None, .. }));
        check(&cell);
    }

    #[test]
    fn readers_of_several_versions_may_parse_at_once() {
        let mut cells = vec![Arc::new(TreeCell::new(Language::Rust, Buffer::from("fn f() {")))];
        for text in [" 1", " + 2", "\n}", "\n", "fn g() {}"] {
            cells.push(typed(&cells[cells.len() - 1], text));
        }
        std::thread::scope(|scope| {
            for cell in cells.iter().rev() {
                scope.spawn(|| check(cell));
            }
        });
    }
}
