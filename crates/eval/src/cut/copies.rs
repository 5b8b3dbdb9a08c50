//! Lines that stand in more than one file of a repository.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::repository::Repository;

/// Shorter lines are the same in many files by chance, in characters that are not white space.
const MIN_LINE: usize = 12;

/// Which files hold which lines.
#[derive(Debug)]
pub(crate) struct Copies {
    files_by_line: HashMap<String, HashSet<usize>>,
}

impl Copies {
    pub(crate) fn of(repository: &Repository) -> Self {
        let mut files_by_line: HashMap<String, HashSet<usize>> = HashMap::new();
        for (file_idx, file) in repository.files.iter().enumerate() {
            for line in file.text.lines().filter_map(normal) {
                files_by_line.entry(line).or_default().insert(file_idx);
            }
        }
        files_by_line.retain(|_, files| 1 < files.len());
        Self { files_by_line }
    }

    /// Every line that `place` touches stands in one other file, short lines aside.
    pub(crate) fn has_another(&self, file_idx: usize, text: &str, place: &Range<usize>) -> bool {
        let start = text.get(..place.start).and_then(|before| before.rfind('\n'));
        let end = text.get(place.end..).and_then(|after| after.find('\n'));
        let start = start.map_or(0, |line_feed| line_feed + 1);
        let end = end.map_or(text.len(), |line_feed| place.end + line_feed);
        let mut others: Option<HashSet<usize>> = None;
        for line in text.get(start..end).unwrap_or_default().lines().filter_map(normal) {
            let Some(files) = self.files_by_line.get(&line) else { return false };
            let files = files.iter().copied().filter(|other| *other != file_idx);
            others = Some(match others {
                None => files.collect(),
                Some(others) => files.filter(|other| others.contains(other)).collect(),
            });
        }
        others.is_some_and(|others| !others.is_empty())
    }
}

/// Without white space; `None` when the line is too short to tell.
fn normal(line: &str) -> Option<String> {
    let line: String = line.chars().filter(|character| !character.is_whitespace()).collect();
    (MIN_LINE <= line.chars().count()).then_some(line)
}
