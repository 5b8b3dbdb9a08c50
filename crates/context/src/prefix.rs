//! The text before the caret: whole lines up to the caret, from a start that stays put while the user types.
//!
//! K/V of a prompt can be used again as far as two prompts agree from their first token on. A start that followed the
//! caret would change the first token at every line, so the start line is a multiple of a step, as large a step as
//! leaves half of the budget in use.

use crate::encoder::Encoder;
use crate::window::{BYTES_PER_TOKEN, Cut, begins_inside_character, with_line_feeds};
use text::Buffer;

/// In lines; each divides the one before, so a start on a coarse grid is on the finer ones too.
const STEPS: [usize; 5] = [16, 8, 4, 2, 1];

/// Grid of starts inside a line that is longer than the window, in bytes.
const BYTE_STEP: usize = 1024;

pub(crate) fn prefix(buffer: &Buffer, offset: usize, encoder: Encoder<'_>, n_tokens: usize) -> Cut {
    let caret_line = buffer.line_of(offset);
    let line_start = buffer.line_range(caret_line).start;
    let limit = offset.saturating_sub(n_tokens.saturating_mul(BYTES_PER_TOKEN));
    if line_start < limit {
        return torn_line(buffer, line_start, offset, encoder, n_tokens);
    }

    let n_spared = n_tokens / 8;
    let above = |limit: usize| {
        let first_line = match buffer.line_of(limit) {
            line if buffer.line_range(line).start < limit => line + 1,
            line => line,
        };
        // Decided by the lines above the caret's alone: while a word is typed its tokens become more and fewer again.
        (first_line, tokens_above(buffer, first_line, line_start, encoder))
    };
    // Mostly a shorter stretch has more tokens than there is room for, and what lies above it need not be looked at.
    let near = offset.saturating_sub(n_tokens.saturating_mul(BYTES_PER_TOKEN / 2));
    let fills = |n_above: &[usize]| n_above.first().is_some_and(|n| n_tokens < n + n_spared);
    let (first_line, n_above) = match above(near.min(line_start)) {
        (first_line, n_above) if fills(&n_above) => (first_line, n_above),
        _ => above(limit),
    };
    let first_line = first_line + n_above.iter().take_while(|n| n_tokens < **n + n_spared).count();
    for step in STEPS {
        let line = first_line.next_multiple_of(step);
        if caret_line < line {
            continue;
        }
        let n_used = n_above.get((line + n_above.len()).saturating_sub(caret_line + 1));
        if line == 0 || step == 1 || n_used.is_some_and(|n| n_tokens <= 2 * n) {
            let cut = cut_from(buffer, buffer.line_range(line).start, offset, encoder);
            if cut.tokens.len() <= n_tokens {
                return cut;
            }
        }
    }
    for line in first_line + 1..=caret_line {
        let cut = cut_from(buffer, buffer.line_range(line).start, offset, encoder);
        if cut.tokens.len() <= n_tokens {
            return cut;
        }
    }
    torn_line(buffer, line_start, offset, encoder, n_tokens)
}

fn cut_from(buffer: &Buffer, start: usize, offset: usize, encoder: Encoder<'_>) -> Cut {
    let slice = buffer.slice(start..offset);
    let text = with_line_feeds(&slice);
    Cut { tokens: encoder.encode(&text), text: text.into_owned() }
}

/// For each line from `first_line` on and for the line that starts at `end`: about how many tokens lie between its start
/// and `end`.
fn tokens_above(
    buffer: &Buffer,
    first_line: usize,
    end: usize,
    encoder: Encoder<'_>,
) -> Vec<usize> {
    let window = cut_from(buffer, buffer.line_range(first_line).start, end, encoder);
    let line_feeds = window.text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
    let line_starts = std::iter::once(0).chain(line_feeds.map(|(at, _)| at + 1));
    let mut n_left = window.tokens.len();
    let mut n_bytes = 0;
    let mut tokens = window.tokens.iter();
    line_starts
        .map(|line_start| {
            while n_bytes < line_start
                && let Some(id) = tokens.next()
            {
                n_bytes += encoder.tokenizer.bytes(*id).len();
                n_left -= 1;
            }
            n_left
        })
        .collect()
}

/// The near end of a line that is longer than the whole budget.
fn torn_line(
    buffer: &Buffer,
    line_start: usize,
    offset: usize,
    encoder: Encoder<'_>,
    n_tokens: usize,
) -> Cut {
    let n_surplus = (offset - line_start).saturating_sub(n_tokens.saturating_mul(BYTES_PER_TOKEN));
    let start = line_start + n_surplus.next_multiple_of(BYTE_STEP);
    let start = buffer.floor_char_boundary(start.min(offset));
    let mut tokens = cut_from(buffer, start, offset, encoder).tokens;
    let step = (n_tokens / 4).max(1);
    let n_surplus = tokens.len().saturating_sub(n_tokens).next_multiple_of(step);
    let n_torn = tokens
        .iter()
        .skip(n_surplus)
        .take_while(|id| begins_inside_character(encoder.tokenizer, **id))
        .count();
    tokens.drain(..(n_surplus + n_torn).min(tokens.len()));
    Cut { text: encoder.tokenizer.decode(&tokens), tokens }
}
