//! Texts of files that were wanted a short while ago, masked: what goes into one prompt goes into the next, too.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use crate::index::segment::Hash;

/// A prompt looks at twenty files at most, few of them longer than some tens of kilobytes.
const MAX_TEXTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(95);

/// Longer texts are not kept, in bytes.
const MAX_TEXT: usize = 128 * 1024;

/// Masked texts by the hash of what they were before; the longest unused are given up first.
#[derive(Debug)]
pub(crate) struct Texts(Mutex<LruCache<Hash, Arc<str>>>);

impl Default for Texts {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(MAX_TEXTS)))
    }
}

impl Texts {
    pub(crate) fn get(&self, hash: &Hash) -> Option<Arc<str>> {
        self.lock().get(hash).map(Arc::clone)
    }

    pub(crate) fn insert(&self, hash: Hash, text: &Arc<str>) {
        if text.len() <= MAX_TEXT {
            self.lock().put(hash, Arc::clone(text));
        }
    }

    /// A panic while the lock was held leaves a whole cache behind.
    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Hash, Arc<str>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
