//! A sorted table of strings, each kept once, named by its place.

use serde::{Deserialize, Serialize};

/// Strings in ascending order without duplicates.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Strings {
    text: String,
    /// Where each string ends in `text`.
    ends: Vec<u32>,
}

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
        let mut range = 0..self.ends.len();
        while !range.is_empty() {
            let middle = range.start + range.len() / 2;
            let id = u32::try_from(middle).ok()?;
            match self.get(id).cmp(string) {
                std::cmp::Ordering::Less => range.start = middle + 1,
                std::cmp::Ordering::Equal => return Some(id),
                std::cmp::Ordering::Greater => range.end = middle,
            }
        }
        None
    }

    pub(crate) fn n_bytes(&self) -> usize {
        self.text.len() + 4 * self.ends.len()
    }
}
