//! What an action does: edits to one text, or words to show.

use std::path::PathBuf;

use engine::Outcome;
use text::{Buffer, Edit};
use workspace::DocumentId;

use crate::action::refusal::Refusal;

/// Where edits go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    Open {
        document: DocumentId,
        version: i32,
    },
    /// A file that nobody has open.
    File {
        path: PathBuf,
        exists: bool,
    },
}

/// Why a person should look at a change before it is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    /// The text has more syntax errors with it than without.
    NoLongerParses,
}

/// Edits to one text.
#[derive(Debug, Clone)]
pub struct Change {
    pub target: Target,
    /// The text that the edits are for; empty for a file that is yet to be created.
    pub before: Buffer,
    /// In ascending order; none overlaps another.
    pub edits: Vec<Edit>,
    pub concern: Option<Concern>,
}

impl Change {
    /// The text with the edits done.
    pub fn after(&self) -> Buffer {
        let mut after = self.before.clone();
        for edit in self.edits.iter().rev() {
            after.apply(edit);
        }
        after
    }
}

#[derive(Debug, Clone)]
pub enum Effect {
    Edit(Change),
    /// Markdown.
    Show(String),
}

/// Answer to a request, with what led to it.
#[derive(Debug, Clone)]
pub struct ActionAnswer {
    pub effect: Result<Effect, Refusal>,
    /// What the model wrote last, before anything was taken from it.
    pub raw: String,
    /// Of the last generation; `None` when the model was not asked, or failed.
    pub outcome: Option<Outcome>,
}

impl<R: Into<Refusal>> From<R> for ActionAnswer {
    fn from(refusal: R) -> Self {
        Self { effect: Err(refusal.into()), raw: String::new(), outcome: None }
    }
}
