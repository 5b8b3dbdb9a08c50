//! Encodings of texts that come again: most of a prompt stays as it was while one types.

use std::sync::{Mutex, PoisonError};

use lru::LruCache;

/// A longer text is no part of a prompt. In bytes.
const MAX_TEXT: usize = 32 * 1024;

/// Of texts and ids together: more than the prompts of a few documents hold, in bytes.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// Ids by text, of those that begin no run and of those that begin one; the longest unused are given up first.
#[derive(Debug)]
struct Known {
    ids: [LruCache<Box<str>, Box<[u32]>>; 2],
    n_bytes: usize,
}

#[derive(Debug)]
pub(crate) struct Memo(Mutex<Known>);

impl Default for Memo {
    fn default() -> Self {
        let ids = [LruCache::unbounded(), LruCache::unbounded()];
        Self(Mutex::new(Known { ids, n_bytes: 0 }))
    }
}

impl Memo {
    /// Appends to `ids` what `encode` makes of `text`, or made of it before.
    pub(crate) fn extend(
        &self,
        ids: &mut Vec<u32>,
        begins_a_run: bool,
        text: &str,
        encode: impl FnOnce() -> Vec<u32>,
    ) {
        let of_kind = usize::from(begins_a_run);
        if let Some(known) = self.lock().ids[of_kind].get(text) {
            ids.extend_from_slice(known);
            return;
        }
        let new = encode();
        ids.extend_from_slice(&new);
        if text.len() <= MAX_TEXT {
            self.lock().keep(of_kind, text.into(), new.into());
        }
    }

    /// A panic while the lock was held leaves a whole cache behind.
    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn keep(&mut self, of_kind: usize, text: Box<str>, ids: Box<[u32]>) {
        self.n_bytes += n_bytes(&text, &ids);
        if let Some((text, ids)) = self.ids[of_kind].push(text, ids) {
            self.n_bytes -= n_bytes(&text, &ids);
        }
        while MAX_BYTES < self.n_bytes {
            let Some((text, ids)) =
                self.ids[of_kind].pop_lru().or_else(|| self.ids[1 - of_kind].pop_lru())
            else {
                return;
            };
            self.n_bytes -= n_bytes(&text, &ids);
        }
    }
}

/// With what the tables take for each.
fn n_bytes(text: &str, ids: &[u32]) -> usize {
    64 + text.len() + size_of_val(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(memo: &Memo, begins_a_run: bool, text: &str, new: u32, expected: u32) {
        let mut ids = vec![0];
        memo.extend(&mut ids, begins_a_run, text, || vec![new]);
        assert_eq!(ids, [0, expected]);
    }

    #[test]
    fn a_text_is_encoded_once_for_each_way_it_may_begin() {
        let memo = Memo::default();
        check(&memo, false, "x", 1, 1);
        check(&memo, false, "x", 2, 1);
        check(&memo, true, "x", 3, 3);
        check(&memo, false, "x", 4, 1);
    }

    #[test]
    fn what_was_not_used_for_long_is_given_up() {
        let memo = Memo::default();
        check(&memo, false, "first", 1, 1);
        check(&memo, false, "second", 1, 1);
        for idx in 0..MAX_BYTES / MAX_TEXT {
            check(&memo, false, "first", 2, 1);
            let text = format!("{idx:0>width$}", width = MAX_TEXT);
            check(&memo, false, &text, 1, 1);
        }
        assert!(memo.lock().n_bytes <= MAX_BYTES);
        check(&memo, false, "first", 3, 1);
        check(&memo, false, "second", 3, 3);
        let long = "x".repeat(MAX_TEXT + 1);
        check(&memo, true, &long, 1, 1);
        check(&memo, true, &long, 2, 2);
    }
}
