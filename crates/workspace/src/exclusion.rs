//! Files that the user keeps from the model, whatever is in them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

type Rule = dyn Fn(&Path) -> bool + Send + Sync;

/// Tells which files' text belongs into no prompt; a clone is cheap. Without a rule it is none.
#[derive(Clone, Default)]
pub struct Exclusion(Option<Arc<Rule>>);

impl Exclusion {
    /// `excludes` is asked some thirty times for each prompt, with absolute paths.
    pub fn new(excludes: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(excludes)))
    }

    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (one, other) => one.is_none() && other.is_none(),
        }
    }

    /// Whether the file is kept from the model.
    pub fn covers(&self, path: &Path) -> bool {
        self.0.as_ref().is_some_and(|excludes| excludes(path))
    }
}

impl fmt::Debug for Exclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exclusion").field("has_rule", &self.0.is_some()).finish()
    }
}
