//! Where an edit of the log lies now.

use workspace::LoggedEdit;

/// The line of `edit` after the edits that came later.
pub(crate) fn line_now(edit: &LoggedEdit, later: &[LoggedEdit]) -> usize {
    let mut line = edit.line;
    for other in later.iter().filter(|other| other.document == edit.document) {
        if other.line < line {
            let removed = n_lines(&other.removed);
            line = (line + n_lines(&other.inserted)).saturating_sub(removed).max(other.line);
        }
    }
    line
}

/// Line ends; a CRLF is one.
fn n_lines(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_end = |(at, byte): &(usize, &u8)| match byte {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    };
    bytes.iter().enumerate().filter(is_end).count()
}
