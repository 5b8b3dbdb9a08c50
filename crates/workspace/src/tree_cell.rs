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
