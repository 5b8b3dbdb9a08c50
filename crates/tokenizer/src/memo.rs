//! Encodings of texts that come again: most of a prompt stays as it was while one types.

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use lru::LruCache;

/// Shorter texts are encoded faster than they are looked up, and longer ones are no part of a prompt. In bytes.
const LENGTHS: std::ops::RangeInclusive<usize> = 64..=32 * 1024;

/// A prompt has some thirty parts, most of which begin no run.
const MAX_TEXTS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(127);

/// Ids by text, of those that begin no run and of those that begin one; the longest unused are given up first.
type Known = [LruCache<Box<str>, Box<[u32]>>; 2];

#[derive(Debug)]
pub(crate) struct Memo(Mutex<Known>);

impl Default for Memo {
    fn default() -> Self {
        Self(Mutex::new([LruCache::new(MAX_TEXTS), LruCache::new(MAX_TEXTS)]))
    }
}

impl Memo {
    /// What `encode` makes of `text`, or made of it before.
    pub(crate) fn ids(
        &self,
        begins_a_run: bool,
        text: &str,
        encode: impl FnOnce() -> Vec<u32>,
    ) -> Vec<u32> {
        if !LENGTHS.contains(&text.len()) {
            return encode();
        }
        let of_kind = usize::from(begins_a_run);
        if let Some(known) = self.lock()[of_kind].get(text) {
            return known.to_vec();
        }
        let ids = encode();
        self.lock()[of_kind].put(text.into(), ids.as_slice().into());
        ids
    }

    /// A panic while the lock was held leaves a whole cache behind.
    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_encoded_once_for_each_way_it_may_begin() {
        let memo = Memo::default();
        let text = "x".repeat(100);
        assert_eq!(memo.ids(false, &text, || vec![1]), [1]);
        assert_eq!(memo.ids(false, &text, || vec![2]), [1]);
        assert_eq!(memo.ids(true, &text, || vec![3]), [3]);
        assert_eq!(memo.ids(false, "x", || vec![4]), [4]);
        assert_eq!(memo.ids(false, "x", || vec![5]), [5], "too short to be kept");
    }
}
