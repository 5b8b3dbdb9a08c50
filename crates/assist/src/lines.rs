//! Small questions about lines of text.

/// Columns of leading white space; a tab counts four.
pub(crate) fn indentation(line: &str) -> usize {
    line.chars()
        .take_while(|character| matches!(character, ' ' | '\t'))
        .map(|character| if character == '\t' { 4 } else { 1 })
        .sum()
}

pub(crate) fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

pub(crate) fn n_visible(text: &str) -> usize {
    text.chars().filter(|character| !character.is_whitespace()).count()
}

/// Lines without their line feeds, and where each begins.
pub(crate) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split('\n').map(move |line| {
        let at = start;
        start += line.len() + 1;
        (at, line)
    })
}
