//! The caret's own file out of reach of the window: heads of what encloses the caret, and the signatures of its siblings.

use std::fmt::Write;
use std::ops::Range;

use syntax::{Symbol, SymbolKind};

use workspace::mask;

use crate::gather::Caret;
use crate::gather::excerpt::dedented;
use crate::piece::PieceKind;
use crate::snippet::Snippet;
use crate::window::with_line_feeds;

/// Bytes on either side of the caret that are looked at.
const REACH: usize = 24 * 1024;

/// Signatures shown.
const MAX_SIGNATURES: usize = 40;

/// One snippet: an outline of what the window cannot show, in the order of the file.
pub(crate) fn find(caret: &Caret<'_>) -> Vec<Snippet> {
    outline(caret).into_iter().collect()
}

fn outline(caret: &Caret<'_>) -> Option<Snippet> {
    let tree = caret.document.tree()?;
    let buffer = &caret.document.buffer;
    let line_of = |offset: usize| buffer.line_of(offset);
    let is_shown = |range: &Range<usize>| caret.window.contains(&line_of(range.start));
    let reach = caret.offset.saturating_sub(REACH)..caret.offset.saturating_add(REACH);
    let symbols = tree.symbols_within(reach);
    let encloses =
        |symbol: &Symbol| symbol.range.start < caret.offset && caret.offset <= symbol.range.end;
    let mut wanted: Vec<(usize, &Symbol)> = Vec::new();
    for symbol in &symbols {
        let of_enclosing =
            symbol.parent.and_then(|parent| symbols.get(parent)).is_none_or(encloses);
        let depth = depth(symbol, &symbols);
        let is_signature = encloses(symbol) || (of_enclosing && has_signature(symbol.kind));
        if is_signature && !is_shown(&symbol.range) {
            wanted.push((depth, symbol));
        }
    }
    // What encloses the caret says the most, and then what lies near.
    let distance = |symbol: &Symbol| caret.offset.abs_diff(symbol.range.start);
    wanted.sort_by_key(|(depth, symbol)| {
        (!encloses(symbol), std::cmp::Reverse(*depth), distance(symbol))
    });
    let mut n_left = caret.max_bytes / 2;
    let mut kept: Vec<(usize, &Symbol, String)> = Vec::new();
    for (depth, symbol) in wanted.into_iter().take(MAX_SIGNATURES) {
        let signature = dedented(&with_line_feeds(&buffer.slice(symbol.signature.clone())));
        let n_bytes = signature.len() + 4 * depth;
        if n_bytes <= n_left && n_bytes < 600 {
            n_left -= n_bytes;
            kept.push((depth, symbol, signature));
        }
    }
    kept.sort_by_key(|(_, symbol, _)| symbol.range.start);
    let (first, last) = (kept.first()?, kept.last()?);
    let lines = line_of(first.1.range.start)..line_of(last.1.range.start) + 1;
    let shallowest = kept.iter().map(|(depth, ..)| *depth).min().unwrap_or(0);
    let mut text = String::new();
    for (depth, _, signature) in &kept {
        let indentation = "    ".repeat(depth - shallowest);
        for line in signature.lines() {
            let _ = writeln!(text, "{indentation}{line}");
        }
    }
    let (path, text) = (caret.path.to_owned(), mask(&text).into_owned());
    Some(Snippet { kind: PieceKind::Enclosing, path, lines, text, score: 1.0 })
}

fn depth(symbol: &Symbol, symbols: &[Symbol]) -> usize {
    let parent = |symbol: &Symbol| symbol.parent.and_then(|parent| symbols.get(parent));
    std::iter::successors(parent(symbol), |outer| parent(outer)).count()
}

fn has_signature(kind: SymbolKind) -> bool {
    matches!(
        kind,
        SymbolKind::Class
            | SymbolKind::Constant
            | SymbolKind::Enum
            | SymbolKind::Field
            | SymbolKind::Function
            | SymbolKind::Implementation
            | SymbolKind::Interface
            | SymbolKind::Macro
            | SymbolKind::Method
            | SymbolKind::Struct
            | SymbolKind::Type
    )
}
