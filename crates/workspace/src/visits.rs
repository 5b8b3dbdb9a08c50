//! The log of places that the user was at: few, one for each stretch of a file, on the line where that stretch lies now.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Places kept.
pub(crate) const MAX_VISITS: usize = 32;

/// Lines that are on the screen with a caret in their midst: a place this near is the same.
pub(crate) const NEAR: usize = 20;

/// A place that the user was at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visit {
    /// The file may be closed by now.
    pub path: PathBuf,
    /// Zero-based.
    pub line: usize,
}

#[derive(Debug, Default)]
pub(crate) struct VisitLog {
    visits: Arc<[Visit]>,
}

impl VisitLog {
    /// Latest first.
    pub(crate) fn visits(&self) -> Arc<[Visit]> {
        Arc::clone(&self.visits)
    }

    pub(crate) fn record(&mut self, path: &Path, line: usize) {
        let is_same = |visit: &Visit| visit.path == path && visit.line.abs_diff(line) <= NEAR;
        // Most requests come from where the last one came from.
        if self.visits.first().is_some_and(|visit| visit.path == path && visit.line == line) {
            return;
        }
        let others = self.visits.iter().filter(|visit| !is_same(visit)).cloned();
        let visit = Visit { path: path.to_owned(), line };
        self.visits = std::iter::once(visit).chain(others).take(MAX_VISITS).collect();
    }

    /// Takes places along with the text that they are in: on `line` an edit turned `n_before` lines of the document into `n_after`.
    pub(crate) fn edited(&mut self, path: &Path, line: usize, n_before: usize, n_after: usize) {
        let is_behind = |visit: &Visit| visit.path == path && line < visit.line;
        if n_before == n_after || !self.visits.iter().any(is_behind) {
            return;
        }
        let moved = |visit: &Visit| match is_behind(visit) {
            true => {
                let now = (visit.line + n_after).saturating_sub(n_before);
                Visit { line: now.max(line), ..visit.clone() }
            }
            false => visit.clone(),
        };
        self.visits = self.visits.iter().map(moved).collect();
    }
}
