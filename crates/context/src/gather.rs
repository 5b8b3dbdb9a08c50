//! Text from elsewhere that may be worth a place in the prompt.
//!
//! Every source looks at a bounded number of candidates, so that gathering takes a few milliseconds in a repository of any size and
//! gives the same for the same snapshot.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};

use workspace::{Document, Repository, Snapshot};

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

mod around;

mod edited;

mod places;

mod fuse;

use fuse::{Ranked, fuse};
use places::Places;
use rank::FileRank;
use texts::Texts;

pub(crate) use focus::Focus;

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
        PieceKind::Related => 1.5,
        PieceKind::Definition | PieceKind::Enclosing => 1.0,
        PieceKind::Edited => 0.9,
        PieceKind::Similar => 0.7,
        PieceKind::Viewed => 0.5,
        _ => 0.4,
    }
}

/// Candidates for a place in the prompt, best first: from `sources`, and what lies at the `related` places, each a file and a zero-based line.
pub(crate) fn gather(
    snapshot: &Snapshot,
    repository: &Repository<'_>,
    caret: &Caret<'_>,
    focus: &Focus,
    related: &[(PathBuf, usize)],
    sources: Sources,
) -> Vec<Snippet> {
    let rank = FileRank::new(repository, caret, focus);
    let mut texts = Texts::new(snapshot);
    let scores = OnceCell::new();
    let scores = || scores.get_or_init(|| repository.scores(&focus.query));
    let mut ranked = Vec::new();
    let mut add = |kind, found: Vec<Snippet>| {
        ranked.push(Ranked { weight: weight(kind), found });
    };
    let mut places = Places { snapshot, repository, caret, texts: &mut texts };
    add(PieceKind::Related, places.find(related.iter().map(place), PieceKind::Related));
    if sources.contain(PieceKind::Definition) {
        let found = definitions::find(repository, caret, focus, &rank, &mut texts);
        add(PieceKind::Definition, found);
    }
    if sources.contain(PieceKind::Enclosing) {
        add(PieceKind::Enclosing, enclosing::find(caret));
    }
    if sources.contain(PieceKind::Test) {
        let found = counterpart::find(repository, caret, focus, &scores, &mut texts);
        add(PieceKind::Test, found);
    }
    if sources.contain(PieceKind::Similar) {
        let found = similar::find(repository, caret, focus, (scores(), &rank), &mut texts);
        add(PieceKind::Similar, found);
    }
    if sources.contain(PieceKind::Edited) {
        add(PieceKind::Edited, edited::find(snapshot, caret));
    }
    if sources.contain(PieceKind::Viewed) {
        let mut places = Places { snapshot, repository, caret, texts: &mut texts };
        let visits = snapshot.visits().iter().map(|visit| (visit.path.as_path(), visit.line));
        add(PieceKind::Viewed, places.find(visits, PieceKind::Viewed));
    }
    fuse(ranked, caret)
}

fn place((path, line): &(PathBuf, usize)) -> (&Path, usize) {
    (path, *line)
}
