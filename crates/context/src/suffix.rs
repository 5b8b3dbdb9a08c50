//! The text after the caret: whole lines from the caret on, as many as the budget holds.

use crate::encoder::Encoder;
use crate::window::{BYTES_PER_TOKEN, Cut, begins_inside_character, with_line_feeds};
use text::Buffer;

/// Depends on nothing before the caret, so that it stays as it is while the user types.
pub(crate) fn suffix(buffer: &Buffer, offset: usize, encoder: Encoder<'_>, n_tokens: usize) -> Cut {
    let limit = offset.saturating_add(n_tokens.saturating_mul(BYTES_PER_TOKEN)).min(buffer.len());
    let end = text_end(buffer, limit);
    let slice = buffer.slice(offset..end);
    let text = with_line_feeds(&slice);
    let tokens = encoder.encode(&text);
    if end == buffer.len() && tokens.len() <= n_tokens {
        return Cut { text: text.into_owned(), tokens };
    }
    whole_lines(&text, &tokens, encoder, n_tokens)
        .unwrap_or_else(|| torn_line(tokens, encoder, n_tokens))
}

/// Never between the two halves of a CRLF, which would show as two line ends.
fn text_end(buffer: &Buffer, limit: usize) -> usize {
    let limit = buffer.floor_char_boundary(limit);
    if limit < buffer.len() && buffer.slice(limit.saturating_sub(1)..limit) == "\r" {
        limit - 1
    } else {
        limit
    }
}

/// The longest run of terminated lines that fits; `None` when not even the first does.
fn whole_lines(text: &str, tokens: &[u32], encoder: Encoder<'_>, n_tokens: usize) -> Option<Cut> {
    // The cut text may take a token more or less than it does here, hence the check below.
    let n_bytes: usize =
        tokens.iter().take(n_tokens + 1).map(|id| encoder.tokenizer.bytes(*id).len()).sum();
    let mut rest = text.get(..text.floor_char_boundary(n_bytes))?;
    while let Some(line_feed) = rest.rfind('\n') {
        let kept = text.get(..=line_feed)?;
        let tokens = encoder.encode(kept);
        if tokens.len() <= n_tokens {
            return Some(Cut { text: kept.to_owned(), tokens });
        }
        rest = text.get(..line_feed)?;
    }
    None
}

/// The near end of a line that is longer than the whole budget.
fn torn_line(mut tokens: Vec<u32>, encoder: Encoder<'_>, n_tokens: usize) -> Cut {
    while tokens.len() > n_tokens
        || tokens.last().is_some_and(|last| ends_inside_character(encoder, &tokens, *last))
    {
        tokens.pop();
    }
    Cut { text: encoder.tokenizer.decode(&tokens), tokens }
}

fn ends_inside_character(encoder: Encoder<'_>, tokens: &[u32], last: u32) -> bool {
    if !begins_inside_character(encoder.tokenizer, last) && encoder.tokenizer.bytes(last).is_ascii()
    {
        return false;
    }
    // A character takes at most four bytes, so four tokens hold all of the last one.
    let tail: Vec<u8> = tokens
        .iter()
        .skip(tokens.len().saturating_sub(4))
        .flat_map(|id| encoder.tokenizer.bytes(*id))
        .copied()
        .collect();
    tail.utf8_chunks().last().is_some_and(|chunk| {
        std::str::from_utf8(chunk.invalid()).is_err_and(|error| error.error_len().is_none())
    })
}
