//! Texts of files, each read once.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use workspace::{File, Snapshot};

/// Longer files are read for no snippet: they are data more often than not, and cost more than the rest of a prompt.
const MAX_FILE_BYTES: usize = 256 * 1024;

/// Files read for one prompt.
const MAX_FILES: usize = 20;

/// Texts with secrets masked; what cannot be read, or would be one too many, is not there.
#[derive(Debug)]
pub(crate) struct Texts<'r> {
    snapshot: &'r Snapshot,
    read: HashMap<File<'r>, Option<Arc<str>>>,
}

impl<'r> Texts<'r> {
    pub(crate) fn new(snapshot: &'r Snapshot) -> Self {
        Self { snapshot, read: HashMap::new() }
    }

    /// [`Self::of`] gives no text, whatever room there is.
    pub(crate) fn withholds(&self, file: File<'r>) -> bool {
        self.snapshot.withholds(&file.absolute_path())
    }

    pub(crate) fn of(&mut self, file: File<'r>) -> Option<&str> {
        let is_full = MAX_FILES <= self.read.len();
        match self.read.entry(file) {
            Entry::Occupied(known) => known.into_mut().as_deref(),
            Entry::Vacant(_) if is_full || MAX_FILE_BYTES < file.n_bytes() => None,
            Entry::Vacant(_) if self.snapshot.withholds(&file.absolute_path()) => None,
            Entry::Vacant(new) => new.insert(file.text()).as_deref(),
        }
    }
}
