//! Text from elsewhere that may be worth a place in the prompt.
//!
//! Every source looks at a bounded number of candidates, so that gathering takes a few milliseconds in a repository of any size and
//! gives the same for the same snapshot.

use std::cell::OnceCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use syntax::Import;
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

mod far;

mod fuse;

mod memo;

use far::FAR;
use fuse::{Ranked, fuse};
use memo::Asked;
use places::Places;
use texts::Texts;

pub(crate) use focus::Focus;
pub use memo::Memo;

/// Imports stand at the top.
const MAX_IMPORT_BYTES: usize = 8 * 1024;

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

/// Where candidates come from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) sources: Sources,
    /// Places of which the text is wanted in any case, each a file and a zero-based line.
    pub(crate) related: &'a [(PathBuf, usize)],
    /// The caret's own document is looked through like any other.
    pub(crate) own: bool,
    pub(crate) memo: Option<&'a Memo>,
}

/// Candidates for a place in the prompt, best first.
pub(crate) fn gather(
    snapshot: &Snapshot,
    caret: &Caret<'_>,
    focus: &Focus,
    wanted: Wanted<'_>,
) -> Vec<Snippet> {
    let Wanted { sources, related, own, memo } = wanted;
    let repository = OnceCell::new();
    let repository = || -> &Repository<'_> {
        repository.get_or_init(|| snapshot.repository((!own).then_some(&caret.document.id)))
    };
    let mut texts = Texts::new(snapshot);
    let mut ranked = Vec::new();
    let mut add = |kind, found: Vec<Snippet>| {
        ranked.push(Ranked { weight: weight(kind), found });
    };
    let mut places = Places { snapshot, repository: &repository, caret, texts: &mut texts };
    add(PieceKind::Related, places.find(related.iter().map(place), PieceKind::Related));
    let sought = sources.common(FAR);
    let far = if sought == Sources::NONE {
        Arc::default()
    } else {
        let imports = imports(caret);
        let mut seek = || far::find(repository(), caret, focus, &imports, sought, &mut texts);
        match memo {
            Some(memo) => memo.far(Asked::new(snapshot, caret, focus, &imports, sought), seek),
            None => Arc::new(seek()),
        }
    };
    add(PieceKind::Definition, far.definitions.clone());
    if sources.contain(PieceKind::Enclosing) {
        add(PieceKind::Enclosing, enclosing::find(caret));
    }
    add(PieceKind::Test, far.tests.clone());
    add(PieceKind::Similar, far.similar.clone());
    if sources.contain(PieceKind::Edited) {
        add(PieceKind::Edited, edited::find(snapshot, caret));
    }
    if sources.contain(PieceKind::Viewed) {
        let mut places = Places { snapshot, repository: &repository, caret, texts: &mut texts };
        let visits = snapshot.visits().iter().map(|visit| (visit.path.as_path(), visit.line));
        add(PieceKind::Viewed, places.find(visits, PieceKind::Viewed));
    }
    fuse(ranked, caret)
}

fn imports(caret: &Caret<'_>) -> Vec<Import> {
    let tree = caret.document.tree();
    tree.map(|tree| tree.imports_within(0..MAX_IMPORT_BYTES)).unwrap_or_default()
}

fn place((path, line): &(PathBuf, usize)) -> (&Path, usize) {
    (path, *line)
}
