//! Code with the same words as the surroundings of the caret.

use workspace::{Chunk, Repository, Scores};

use crate::gather::Caret;
use crate::gather::definitions::is_known_to;
use crate::gather::excerpt::excerpt;
use crate::gather::focus::Focus;
use crate::gather::rank::FileRank;
use crate::gather::texts::Texts;
use crate::piece::PieceKind;
use crate::snippet::Snippet;

/// Chunks taken from the search, and those whose text is looked at.
const MAX_SEARCHED: usize = 24;
const MAX_FOUND: usize = 8;

pub(crate) fn find<'r>(
    repository: &'r Repository<'r>,
    caret: &Caret<'_>,
    focus: &Focus,
    (scores, rank): (&Scores, &FileRank<'r>),
    texts: &mut Texts<'r>,
) -> Vec<Snippet> {
    let language = caret.document.language;
    let mut found: Vec<(Chunk<'r>, f64)> = scores
        .best(repository, MAX_SEARCHED, |file| is_known_to(language, file.language()))
        .into_iter()
        .map(|(chunk, score)| (chunk, f64::from(score) * (1.0 + rank.of(chunk.file()))))
        .collect();
    found.sort_by(|(one, score), (other, other_score)| {
        other_score
            .total_cmp(score)
            .then_with(|| one.file().cmp(&other.file()))
            .then_with(|| one.range().start.cmp(&other.range().start))
    });
    found.retain(|(chunk, _)| !texts.withholds(chunk.file()));
    found.truncate(MAX_FOUND);
    found
        .into_iter()
        .filter_map(|(chunk, score)| {
            let text = texts.of(chunk.file())?;
            let cut = excerpt(text, chunk.range())?;
            let (lines, text) = focus.nearest(&cut, caret.max_bytes)?;
            let path = chunk.file().path().to_owned();
            Some(Snippet { kind: PieceKind::Similar, path, lines, text, score })
        })
        .collect()
}
