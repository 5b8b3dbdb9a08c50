//! The log of recent edits: few, short, and typing joined into one entry.

use std::ops::Range;
use std::sync::Arc;

use text::{Applied, Buffer, Edit};

use crate::DocumentId;

/// Entries kept.
pub(crate) const MAX_EDITS: usize = 64;

/// Longer replacements are files being loaded or reformatted, not something a person typed.
pub(crate) const MAX_BYTES: usize = 4096;

/// One replacement a user made, kept for the log of recent edits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedEdit {
    pub document: DocumentId,
    /// Version of the document after the edit.
    pub version: i32,
    /// Zero-based line on which the edit begins.
    pub line: usize,
    pub removed: String,
    pub inserted: String,
    /// The whole lines that the edit touches, as they were before it, without the last line end; empty when they are very long.
    pub before: String,
    /// The same lines after it.
    pub after: String,
}

#[derive(Debug, Default)]
pub(crate) struct EditLog {
    edits: Arc<[LoggedEdit]>,
    /// Byte offset at which the last entry begins, while the next edit may still join it.
    last_start: Option<usize>,
}

impl EditLog {
    /// Oldest first.
    pub(crate) fn edits(&self) -> Arc<[LoggedEdit]> {
        Arc::clone(&self.edits)
    }

    /// Records `edit`, which is about to be applied to `before`.
    pub(crate) fn record(
        &mut self,
        document: &DocumentId,
        version: i32,
        before: &Buffer,
        edit: &Edit,
    ) {
        let start = before.floor_char_boundary(edit.range.start);
        let end = before.floor_char_boundary(edit.range.end).max(start);
        if MAX_BYTES < end - start || MAX_BYTES < edit.text.len() {
            self.last_start = None;
            return;
        }
        let logged = LoggedEdit {
            document: document.clone(),
            version,
            line: before.line_of(start),
            removed: before.slice(start..end).into_owned(),
            inserted: edit.text.clone(),
            before: String::new(),
            after: String::new(),
        };
        let logged = with_lines(logged, before, start..end);
        if logged.removed == logged.inserted {
            return;
        }
        let mut edits = self.edits.to_vec();
        let applied = Applied { start, old_end: end, new_end: start + edit.text.len() };
        match self
            .last_start
            .zip(edits.last())
            .and_then(|(last_start, last)| join(last, last_start, &logged, &applied))
        {
            // What was typed and taken back again is no edit.
            Some((joined, _)) if joined.removed == joined.inserted => {
                edits.pop();
                self.last_start = None;
            }
            Some((joined, joined_start)) => {
                edits.pop();
                edits.push(joined);
                self.last_start = Some(joined_start);
            }
            None => {
                edits.push(logged);
                self.last_start = Some(start);
            }
        }
        edits.drain(..edits.len().saturating_sub(MAX_EDITS));
        self.edits = edits.into();
    }

    pub(crate) fn forget(&mut self, document: &DocumentId) {
        self.edits = self.edits.iter().filter(|edit| edit.document != *document).cloned().collect();
        self.last_start = None;
    }
}

/// `edit` with the lines that `range` of `buffer` touches.
fn with_lines(edit: LoggedEdit, buffer: &Buffer, range: Range<usize>) -> LoggedEdit {
    let start = buffer.line_range(buffer.line_of(range.start)).start;
    let end = buffer.line_range(buffer.line_of(range.end)).end.max(range.end);
    if MAX_BYTES < end - start {
        return edit;
    }
    let before = buffer.slice(start..end).into_owned();
    let after =
        [&*buffer.slice(start..range.start), &edit.inserted, &*buffer.slice(range.end..end)];
    LoggedEdit { after: after.concat(), before, ..edit }
}

/// Both edits as one, and where it begins, if the second touches what the first left behind and neither breaks a line.
fn join(
    first: &LoggedEdit,
    first_start: usize,
    second: &LoggedEdit,
    applied: &Applied,
) -> Option<(LoggedEdit, usize)> {
    let first_end = first_start + first.inserted.len();
    let touches = applied.start <= first_end && first_start <= applied.old_end;
    if first.document != second.document || !touches {
        return None;
    }
    if [&first.removed, &first.inserted, &second.removed, &second.inserted]
        .iter()
        .any(|text| text.contains(['\n', '\r']))
    {
        return None;
    }
    let kept_before = first.inserted.get(..applied.start.saturating_sub(first_start))?;
    let kept_after =
        first.inserted.get(first.inserted.len() - first_end.saturating_sub(applied.old_end)..)?;
    let removed_before = second.removed.get(..first_start.saturating_sub(applied.start))?;
    let removed_after =
        second.removed.get(second.removed.len() - applied.old_end.saturating_sub(first_end)..)?;
    let joined = LoggedEdit {
        document: second.document.clone(),
        version: second.version,
        line: second.line,
        removed: [removed_before, &first.removed, removed_after].concat(),
        inserted: [kept_before, &second.inserted, kept_after].concat(),
        before: first.before.clone(),
        after: second.after.clone(),
    };
    let short = joined.removed.len() <= MAX_BYTES && joined.inserted.len() <= MAX_BYTES;
    short.then_some((joined, first_start.min(applied.start)))
}
