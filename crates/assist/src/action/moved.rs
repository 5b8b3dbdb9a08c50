//! Edits made for one text, carried over to what the user has made of it since.

use std::ops::Range;
use std::time::{Duration, Instant};

use similar::{Algorithm, DiffTag, TextDiffConfig};
use text::{Buffer, Edit};
use workspace::Document;

use crate::action::change::{Change, Target};
use crate::action::parses;

/// Comparing two texts stands between the model's last word and the user; when it takes longer, a coarser answer does.
const LIMIT: Duration = Duration::from_millis(100);

/// The text was changed where the edits go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved;

/// A run of lines that was replaced: bytes before, and how many bytes there are now.
struct Hunk {
    old: Range<usize>,
    n_new: usize,
}

/// `edits` for `from`, as edits for `to`.
///
/// # Errors
/// [`Moved`] where a line that an edit touches was itself changed.
pub(crate) fn rebase(edits: &[Edit], from: &Buffer, to: &Buffer) -> Result<Vec<Edit>, Moved> {
    let (from, to) = (from.to_string(), to.to_string());
    if from == to {
        return Ok(edits.to_vec());
    }
    let hunks = hunks(&from, &to);
    edits
        .iter()
        .map(|edit| {
            if hunks.iter().any(|hunk| meets(&hunk.old, &edit.range)) {
                return Err(Moved);
            }
            let before = hunks.iter().filter(|hunk| hunk.old.end <= edit.range.start);
            let (n_old, n_new) = before
                .fold((0, 0), |(n_old, n_new), hunk| (n_old + hunk.old.len(), n_new + hunk.n_new));
            let moved = |offset: usize| offset - n_old + n_new;
            let range = moved(edit.range.start)..moved(edit.range.end);
            Ok(Edit { range, text: edit.text.clone() })
        })
        .collect()
}

/// `change` for the text as it is now, and whether that still parses with it. Parses, so call it where that is allowed.
///
/// # Errors
/// [`Moved`] where the same lines were changed.
pub fn reanchored(change: &Change, now: &Document) -> Result<Change, Moved> {
    let edits = rebase(&change.edits, &change.before, &now.buffer)?;
    let concern = match now.tree() {
        Some(tree) => parses::concern(Some(tree), &now.buffer, &edits),
        None => change.concern,
    };
    let target = Target::Open { document: now.id.clone(), version: now.version };
    Ok(Change { target, before: now.buffer.clone(), edits, concern })
}

/// Both at the same place, or one inside the other; side by side is well.
fn meets(one: &Range<usize>, other: &Range<usize>) -> bool {
    match (one.is_empty(), other.is_empty()) {
        (true, true) => one.start == other.start,
        _ => one.start < other.end && other.start < one.end,
    }
}

fn hunks(from: &str, to: &str) -> Vec<Hunk> {
    let diff = TextDiffConfig::default()
        .algorithm(Algorithm::Myers)
        .deadline(Instant::now() + LIMIT)
        .diff_lines(from, to);
    let (mut old_at, mut hunks) = (0, Vec::new());
    for op in diff.ops() {
        let n_old: usize =
            op.old_range().filter_map(|line| diff.old_slice(line)).map(str::len).sum();
        let n_new = op.new_range().filter_map(|line| diff.new_slice(line)).map(str::len).sum();
        if op.tag() != DiffTag::Equal {
            hunks.push(Hunk { old: old_at..old_at + n_old, n_new });
        }
        old_at += n_old;
    }
    hunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(from: &str, to: &str, old: &str, new: &str, expected: Option<&str>) {
        let start = from.find(old).unwrap();
        let edit = Edit { range: start..start + old.len(), text: new.to_owned() };
        let mut buffer = Buffer::from(to);
        let rebased = rebase(&[edit], &Buffer::from(from), &buffer);
        let found = rebased.ok().map(|edits| {
            buffer.apply(&edits[0]);
            buffer.to_string()
        });
        assert_eq!(found.as_deref(), expected);
    }

    #[test]
    fn edits_follow_their_lines() {
        check("a\nb\nc\n", "a\nb\nc\n", "b", "B", Some("a\nB\nc\n"));
        check("a\nb\nc\n", "x\ny\na\nb\nc\n", "b", "B", Some("x\ny\na\nB\nc\n"));
        check("a\nb\nc\n", "A\nb\nC\n", "b", "B", Some("A\nB\nC\n"));
        check("a\nb\nc\n", "b\nc\n", "b", "B", Some("B\nc\n"));
        check("é\nb\n", "éé\nb\n", "b", "B", Some("éé\nB\n"));
    }

    #[test]
    fn a_changed_line_is_left_alone() {
        check("a\nb b\nc\n", "a\nb c\nc\n", "b", "B", None);
        check("a\nb\nc\n", "a\nc\n", "b", "B", None);
        check("a\nb\nc\n", "", "b", "B", None);
        check("a\nb\nc\n", "a\nx\nb\nc\n", "a\nb", "B", None);
    }

    proptest! {
        /// Whatever was typed elsewhere, either the same line is edited or none.
        #[test]
        fn the_same_line_or_none(lines in prop::collection::vec("[a-c]{0,2}", 1..8), others in prop::collection::vec("[a-c]{0,2}", 0..4), at in 0_usize..8, cut in 0_usize..8) {
            let at = at % lines.len();
            let start: usize = lines.iter().take(at).map(|line| line.len() + 1).sum();
            let from = lines.join("\n");
            let cut = cut % (lines.len() + 1);
            let mut changed = lines.clone();
            changed.splice(cut..cut, others.iter().cloned());
            let mut buffer = Buffer::from(changed.join("\n").as_str());
            let edit = Edit { range: start..start + lines[at].len(), text: "X".to_owned() };
            if let Ok(edits) = rebase(&[edit], &Buffer::from(from.as_str()), &buffer) {
                buffer.apply(&edits[0]);
                let after = buffer.to_string();
                let without: Vec<&str> = after.split('\n').filter(|line| *line != "X").collect();
                prop_assert_eq!(without.len(), changed.len() - 1);
            }
        }
    }
}
