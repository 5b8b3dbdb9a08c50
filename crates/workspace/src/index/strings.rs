//! A sorted table of strings, each kept once, named by its place.

use std::hash::BuildHasher;
use std::sync::OnceLock;

use rustc_hash::FxBuildHasher;
use serde::{Deserialize, Serialize};

/// Strings in ascending order without duplicates.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Strings {
    text: String,
    /// Where each string ends in `text`.
    ends: Vec<u32>,
    /// Where each string is by its hash, with open addressing; [`FREE`] where there is none. It is made when it is first wanted.
    #[serde(skip)]
    places: OnceLock<Box<[u32]>>,
}

const FREE: u32 = u32::MAX;

impl Strings {
    /// `sorted` is in ascending order without duplicates.
    pub(crate) fn from_sorted<'a>(sorted: impl Iterator<Item = &'a str>) -> Self {
        let mut strings = Self::default();
        for string in sorted {
            strings.text.push_str(string);
            strings.ends.push(u32::try_from(strings.text.len()).unwrap_or(u32::MAX));
        }
        strings.text.shrink_to_fit();
        strings.ends.shrink_to_fit();
        strings
    }

    /// Empty for a number that names none.
    pub(crate) fn get(&self, id: u32) -> &str {
        let idx = id as usize;
        let Some(&end) = self.ends.get(idx) else { return "" };
        let start =
            idx.checked_sub(1).and_then(|before| self.ends.get(before)).map_or(0, |end| *end);
        self.text.get(start as usize..end as usize).unwrap_or_default()
    }

    pub(crate) fn find(&self, string: &str) -> Option<u32> {
        let places = self.places();
        let mask = places.len() - 1;
        let mut at = hash(string) & mask;
        loop {
            match *places.get(at)? {
                FREE => return None,
                id if self.get(id) == string => return Some(id),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// [`Self::find`] goes by it; at most half full, so that a search ends soon.
    pub(crate) fn places(&self) -> &[u32] {
        self.places.get_or_init(|| {
            // Small tables, of which there is one for each open document, are mostly asked for what they do not have.
            let share = if self.ends.len() < 4096 { 8 } else { 2 };
            let n_places = (share * self.ends.len() + 1).next_power_of_two();
            let mut places = vec![FREE; n_places].into_boxed_slice();
            for id in 0..u32::try_from(self.ends.len()).unwrap_or(FREE) {
                let mut at = hash(self.get(id)) & (n_places - 1);
                while places.get(at).is_some_and(|place| *place != FREE) {
                    at = (at + 1) & (n_places - 1);
                }
                if let Some(place) = places.get_mut(at) {
                    *place = id;
                }
            }
            places
        })
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.text.len() + 4 * self.ends.len() + 4 * self.places.get().map_or(0, |it| it.len())
    }
}

fn hash(string: &str) -> usize {
    // The low bits of this hash are the best mixed.
    FxBuildHasher.hash_one(string) as usize
}
