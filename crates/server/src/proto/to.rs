//! From our types to the wire's.

use std::ops::Range;
use std::time::Duration;

use assist::{Completion, Outcome, Piece, Reason};
use text::{Buffer, Encoding};
use tower_lsp_server::ls_types::{self, Position, PositionEncodingKind};
use workspace::Document;

use crate::proto::ext::{
    ExplainedLines, ExplainedPiece, ExplainedReason, ExplainedSuggestion, Explanation,
    PromptTokens, Timings,
};

pub(crate) fn position_encoding(encoding: Encoding) -> PositionEncodingKind {
    match encoding {
        Encoding::Utf8 => PositionEncodingKind::UTF8,
        Encoding::Utf16 => PositionEncodingKind::UTF16,
        Encoding::Utf32 => PositionEncodingKind::UTF32,
    }
}

pub(crate) fn position(buffer: &Buffer, encoding: Encoding, offset: usize) -> Position {
    let position = buffer.position(offset, encoding);
    Position { line: position.line, character: position.column }
}

pub(crate) fn range(buffer: &Buffer, encoding: Encoding, range: &Range<usize>) -> ls_types::Range {
    ls_types::Range {
        start: position(buffer, encoding, range.start),
        end: position(buffer, encoding, range.end),
    }
}

pub(crate) fn explanation(
    document: &Document,
    encoding: Encoding,
    completion: Completion,
) -> Explanation {
    let outcome = completion.outcome;
    let (suggestion, reason) = match completion.suggestion {
        Ok(suggestion) => {
            let range = range(&document.buffer, encoding, &suggestion.range);
            (
                Some(ExplainedSuggestion {
                    text: suggestion.text,
                    range,
                    version: suggestion.version,
                }),
                None,
            )
        }
        Err(reason) => (None, Some(self::reason(&reason))),
    };
    Explanation {
        suggestion,
        reason,
        raw: completion.raw,
        stopped_by: completion.stopped_by,
        pieces: completion.pieces.into_iter().map(piece).collect(),
        timings: outcome.map(timings),
        prompt_tokens: outcome.map(|outcome| PromptTokens {
            new: outcome.n_prompt.saturating_sub(outcome.n_reused),
            reused: outcome.n_reused,
        }),
    }
}

/// An answer for which nothing was asked of the model.
pub(crate) fn no_explanation(code: &'static str, message: String) -> Explanation {
    Explanation {
        suggestion: None,
        reason: Some(ExplainedReason { code, message }),
        raw: String::new(),
        stopped_by: "not-asked",
        pieces: Vec::new(),
        timings: None,
        prompt_tokens: None,
    }
}

fn reason(reason: &Reason) -> ExplainedReason {
    ExplainedReason { code: reason.code(), message: reason.to_string() }
}

fn piece(piece: Piece) -> ExplainedPiece {
    ExplainedPiece {
        kind: piece.kind.name(),
        source: piece.source,
        lines: piece.lines.map(|lines| ExplainedLines { start: lines.start, end: lines.end }),
        text: piece.text,
        tokens: piece.n_tokens,
        score: piece.score,
    }
}

fn timings(outcome: Outcome) -> Timings {
    let milliseconds = |duration: Duration| duration.as_secs_f64() * 1e3;
    Timings {
        queued_ms: milliseconds(outcome.queued),
        prefill_ms: milliseconds(outcome.prefill),
        decode_ms: milliseconds(outcome.decode),
    }
}
