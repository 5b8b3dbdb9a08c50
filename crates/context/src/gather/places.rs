//! What lies at given places, as it stands now, in open files and in others.

use std::path::Path;

use workspace::{Document, Repository, Snapshot};

use crate::gather::Caret;
use crate::gather::around::{around, around_in};
use crate::gather::excerpt::Excerpt;
use crate::gather::texts::Texts;
use crate::piece::PieceKind;
use crate::snippet::Snippet;

/// Places looked at, and pieces made of them.
const MAX_PLACES: usize = 12;
const MAX_FOUND: usize = 4;

pub(crate) struct Places<'a, 'r> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) repository: &'a dyn Fn() -> &'r Repository<'r>,
    pub(crate) caret: &'a Caret<'a>,
    pub(crate) texts: &'a mut Texts<'r>,
}

impl Places<'_, '_> {
    /// One piece for each of the first places, each a file and a zero-based line, that the window does not show.
    pub(crate) fn find<'p>(
        &mut self,
        places: impl Iterator<Item = (&'p Path, usize)>,
        kind: PieceKind,
    ) -> Vec<Snippet> {
        let mut found: Vec<Snippet> = Vec::new();
        for (path, line) in places.take(MAX_PLACES) {
            if found.len() == MAX_FOUND {
                break;
            }
            let source = self.snapshot.relative_path(path);
            let is_known = |known: &Snippet| known.path == source && known.lines.contains(&line);
            if found.iter().any(is_known) {
                continue;
            }
            let Some(Excerpt { lines, text }) = self.around(path, line) else { continue };
            let score = 1.0 / (1.0 + found.len() as f64);
            found.push(Snippet { kind, path: source, lines, text, score });
        }
        found
    }

    fn around(&mut self, path: &Path, line: usize) -> Option<Excerpt> {
        let is_at = |document: &Document| document.path.as_deref() == Some(path);
        let is_own = is_at(self.caret.document);
        if self.snapshot.withholds(path) || is_own && self.caret.window.contains(&line) {
            return None;
        }
        let open = match is_own {
            true => Some(self.caret.document),
            false => self.snapshot.documents().map(|it| &**it).find(|it| is_at(it)),
        };
        match open {
            Some(document) if document.is_large() => None,
            Some(document) => around(document, line),
            None => {
                let file = (self.repository)().file(path)?;
                around_in(file, self.texts.of(file)?, line)
            }
        }
    }
}
