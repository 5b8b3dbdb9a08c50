//! Text from elsewhere that may be worth a place in the prompt.
//!
//! Every source looks at a bounded number of candidates, so that gathering takes a few milliseconds in a repository of any size and
//! gives the same for the same snapshot.

use std::cell::OnceCell;
use std::ops::Range;

use workspace::{Document, Snapshot};

use crate::piece::PieceKind;
use crate::snippet::Snippet;
use crate::sources::Sources;

mod texts;

mod excerpt;

mod focus;

mod rank;

mod definitions;

mod enclosing;

mod counterpart;

mod similar;

mod edited;

mod fuse;

use focus::Focus;
use fuse::{Ranked, fuse};
use rank::FileRank;
use texts::Texts;

/// Where the user is.
#[derive(Debug, Clone)]
pub(crate) struct Caret<'a> {
    pub(crate) document: &'a Document,
    /// Path of the document as the model is to see it.
    pub(crate) path: &'a str,
    /// A place where a caret can stand.
    pub(crate) offset: usize,
    /// Zero-based lines of the document that the prompt shows already.
    pub(crate) window: Range<usize>,
    /// Room for all snippets together, in bytes; no snippet is longer.
    pub(crate) max_bytes: usize,
}

/// What each kind of source weighs when ranks are fused: how often a place that it names holds what comes next.
fn weight(kind: PieceKind) -> f64 {
    match kind {
        PieceKind::Definition | PieceKind::Enclosing => 1.0,
        PieceKind::Edited => 0.9,
        PieceKind::Similar => 0.7,
        _ => 0.4,
    }
}

/// Candidates for a place in the prompt, best first.
pub(crate) fn gather(snapshot: &Snapshot, caret: &Caret<'_>, sources: Sources) -> Vec<Snippet> {
    let repository = snapshot.repository(Some(&caret.document.id));
    let focus = Focus::new(caret);
    let rank = FileRank::new(&repository, caret, &focus);
    let mut texts = Texts::new(snapshot);
    let scores = OnceCell::new();
    let scores = || scores.get_or_init(|| repository.scores(&focus.query));
    let mut ranked = Vec::new();
    let mut add = |kind, found: Vec<Snippet>| {
        ranked.push(Ranked { weight: weight(kind), found });
    };
    if sources.contain(PieceKind::Definition) {
        let found = definitions::find(&repository, caret, &focus, &rank, &mut texts);
        add(PieceKind::Definition, found);
    }
    if sources.contain(PieceKind::Enclosing) {
        add(PieceKind::Enclosing, enclosing::find(caret));
    }
    if sources.contain(PieceKind::Test) {
        let found = counterpart::find(&repository, caret, &focus, &scores, &mut texts);
        add(PieceKind::Test, found);
    }
    if sources.contain(PieceKind::Similar) {
        let found = similar::find(&repository, caret, &focus, (scores(), &rank), &mut texts);
        add(PieceKind::Similar, found);
    }
    if sources.contain(PieceKind::Edited) {
        add(PieceKind::Edited, edited::find(snapshot, caret));
    }
    fuse(ranked, caret)
}
