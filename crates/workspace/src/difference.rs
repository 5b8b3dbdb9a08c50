//! The one edit that turns a buffer into a text.

use text::{Buffer, Edit};

/// The edit between the longest common head and tail; `None` when nothing differs.
///
/// Editors without incremental sync send whole texts for a keystroke; as small edits they keep the tree and the log useful.
pub(crate) fn difference(buffer: &Buffer, text: &str) -> Option<Edit> {
    let head = floor_char_boundary(text, common_head(buffer, text.as_bytes()));
    if head == buffer.len() && head == text.len() {
        return None;
    }
    let longest = buffer.len().min(text.len()) - head;
    let tail = common_tail(buffer, text.as_bytes(), longest);
    let tail_start = ceil_char_boundary(text, text.len() - tail);
    let old_end = buffer.len() - (text.len() - tail_start);
    Some(Edit { range: head..old_end, text: text.get(head..tail_start)?.to_owned() })
}

fn common_head(buffer: &Buffer, text: &[u8]) -> usize {
    let mut rest = text;
    let mut n_common = 0;
    for chunk in buffer.chunks() {
        let n_equal = chunk.bytes().zip(rest).take_while(|(old, new)| old == *new).count();
        n_common += n_equal;
        rest = rest.get(n_equal..).unwrap_or_default();
        if n_equal < chunk.len() {
            break;
        }
    }
    n_common
}

fn common_tail(buffer: &Buffer, text: &[u8], longest: usize) -> usize {
    let mut n_common = 0;
    while n_common < longest {
        let end = buffer.len() - n_common;
        let (chunk, start) = buffer.chunk_at(end - 1);
        let chunk = chunk.as_bytes().get(..end - start).unwrap_or_default();
        let rest = text.get(..text.len() - n_common).unwrap_or_default();
        let n_equal =
            chunk.iter().rev().zip(rest.iter().rev()).take_while(|(old, new)| old == new).count();
        n_common += n_equal;
        if n_equal < chunk.len() || n_equal == 0 {
            break;
        }
    }
    n_common.min(longest)
}

fn floor_char_boundary(text: &str, offset: usize) -> usize {
    (0..=offset).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

fn ceil_char_boundary(text: &str, offset: usize) -> usize {
    (offset..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len())
}
