//! Text of other files that the names around the caret lead to.

use std::cell::OnceCell;

use syntax::Import;
use workspace::Repository;

use crate::gather::rank::FileRank;
use crate::gather::texts::Texts;
use crate::gather::{Caret, Focus, counterpart, definitions, similar};
use crate::piece::PieceKind;
use crate::snippet::Snippet;
use crate::sources::Sources;

/// What each of these sources found, best first; empty for one that was not asked.
#[derive(Debug, Default)]
pub(crate) struct Far {
    pub(crate) definitions: Vec<Snippet>,
    pub(crate) tests: Vec<Snippet>,
    pub(crate) similar: Vec<Snippet>,
}

/// The sources that look here.
pub(crate) const FAR: Sources = Sources::only(PieceKind::Definition)
    .and(Sources::only(PieceKind::Test))
    .and(Sources::only(PieceKind::Similar));

/// Of the caret's document only its path, its language and its `imports` count.
pub(crate) fn find<'r>(
    repository: &'r Repository<'r>,
    caret: &Caret<'_>,
    focus: &Focus,
    imports: &[Import],
    sources: Sources,
    texts: &mut Texts<'r>,
) -> Far {
    let rank = FileRank::new(repository, caret, focus, imports);
    let scores = OnceCell::new();
    let scores = || scores.get_or_init(|| repository.scores(&focus.query));
    let mut far = Far::default();
    if sources.contain(PieceKind::Definition) {
        far.definitions = definitions::find(repository, caret, focus, &rank, texts);
    }
    if sources.contain(PieceKind::Test) {
        far.tests = counterpart::find(repository, caret, focus, &scores, texts);
    }
    if sources.contain(PieceKind::Similar) {
        far.similar = similar::find(repository, caret, focus, (scores(), &rank), texts);
    }
    far
}
