//! Asks an assistant for every hole, as an editor would.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use assist::{Assistant, CancelFlag, Completion, Outcome, Trigger};
use workspace::{DocumentId, Index, MemorySystem, OsSystem, Scan, System, Workspace};

use crate::hole::Hole;
use crate::score::{Score, score};

/// Where the files of a hole that has no directory are said to be.
const NO_ROOT: &str = "/repository";

/// What came of one hole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// With line feeds; `None` when nothing was shown.
    pub text: Option<String>,
    /// Why nothing was shown.
    pub reason: Option<&'static str>,
    /// What ended the text, as in [`Completion::stopped_by`].
    pub stopped_by: &'static str,
    /// How likely the model finds what is shown, 0 to 1; see [`Completion::confidence`].
    pub confidence: Option<f32>,
    pub score: Score,
    /// From the request to the answer.
    pub latency: Duration,
    /// `None` when the model was not asked.
    pub outcome: Option<Outcome>,
}

/// The answers of each assistant, in the order of the holes. The assistants take turns at every hole, so that a slow
/// moment of the machine strikes all of them; `progress` is told how many holes are done.
pub fn run(
    holes: &[Hole],
    assistants: &[Assistant],
    trigger: Trigger,
    progress: &mut dyn FnMut(usize),
) -> Vec<Vec<Answer>> {
    let mut answers: Vec<Vec<Answer>> = assistants.iter().map(|_| Vec::new()).collect();
    let mut repositories = Repositories::default();
    warm_up(holes, assistants);
    for (idx, hole) in holes.iter().enumerate() {
        progress(idx);
        // A name of its own keeps what was remembered of one hole out of the next.
        let id = DocumentId(format!("{idx}:{}", hole.id).into());
        let workspace = repositories.open(hole, &id);
        let snapshot = workspace.snapshot();
        // Whoever comes second finds what both prompts begin with computed, so each comes first in turn.
        let turns = assistants.len();
        for turn in (0..turns).map(|turn| (turn + idx) % turns) {
            let (Some(assistant), Some(answers)) = (assistants.get(turn), answers.get_mut(turn))
            else {
                continue;
            };
            let started = Instant::now();
            let completion = assistant.complete(
                &snapshot,
                &id,
                hole.prompt.len(),
                trigger,
                &CancelFlag::default(),
            );
            answers.push(answer(hole, completion, started.elapsed()));
        }
    }
    progress(holes.len());
    answers
}

/// Reads the weights, which is no part of any answer.
fn warm_up(holes: &[Hole], assistants: &[Assistant]) {
    let Some(hole) = holes.first() else { return };
    let id = DocumentId("warm-up".into());
    let snapshot = open(hole, &id).snapshot();
    for assistant in assistants {
        let cancel = CancelFlag::default();
        assistant.complete(&snapshot, &id, hole.prompt.len(), Trigger::Invoked, &cancel);
    }
}

/// The indexes of the directories that holes were cut in.
#[derive(Debug, Default)]
struct Repositories(HashMap<PathBuf, Index>);

impl Repositories {
    /// The hole's file open, in its repository.
    fn open(&mut self, hole: &Hole, id: &DocumentId) -> Workspace {
        let mut workspace = open(hole, id);
        if let Some(index) = self.index(hole) {
            workspace.set_index(index);
        }
        workspace
    }

    /// `None` for a hole that stands by itself.
    fn index(&mut self, hole: &Hole) -> Option<Index> {
        if let Some(root) = &hole.root {
            let index = self.0.entry(root.clone());
            return Some(index.or_insert_with(|| scan(Arc::new(OsSystem), &real(root))).clone());
        }
        if hole.files.is_empty() {
            return None;
        }
        let files = hole.files.iter();
        let files = files.map(|(path, text)| (Path::new(NO_ROOT).join(path), text.clone()));
        Some(scan(Arc::new(MemorySystem::new(files)), Path::new(NO_ROOT)))
    }
}

fn scan(system: Arc<dyn System>, root: &Path) -> Index {
    let scan = Scan { n_threads: 2, cancel: &AtomicBool::new(false), progress: &|_| {} };
    Index::empty(system, root.to_owned()).scan(&scan)
}

/// An index speaks of files by the paths that its root leads to.
fn real(root: &Path) -> PathBuf {
    root.canonicalize().unwrap_or_else(|_| root.to_owned())
}

/// A workspace in which the file with the hole is open.
fn open(hole: &Hole, id: &DocumentId) -> Workspace {
    let root = hole.root.as_deref().map_or_else(|| PathBuf::from(NO_ROOT), real);
    let path = hole.path.as_ref().map(|path| root.join(path));
    let mut workspace = Workspace::new(vec![root]);
    let text = format!("{}{}", hole.prompt, hole.suffix);
    workspace.open(id.clone(), path, Some(hole.language), 0, &text);
    workspace
}

fn answer(hole: &Hole, completion: Completion, latency: Duration) -> Answer {
    let (text, reason) = match completion.suggestion {
        Ok(suggestion) => (Some(suggestion.text.replace("\r\n", "\n")), None),
        Err(reason) => (None, Some(reason.code())),
    };
    Answer {
        score: score(hole, text.as_deref().unwrap_or_default()),
        text,
        reason,
        stopped_by: completion.stopped_by,
        confidence: completion.confidence,
        latency,
        outcome: completion.outcome,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use syntax::Language;

    use super::*;
    use crate::hole::Kind;

    const NEAR: &str = "def near():\n    return 1\n";
    const BEFORE: &str = "from near import near\n\n";
    const REFERENCE: &str = "def wanted():\n    return near()\n";

    fn hole(files: BTreeMap<String, String>, root: Option<PathBuf>) -> Hole {
        Hole {
            id: "a".to_owned(),
            language: Language::Python,
            kind: Kind::Other,
            prompt: BEFORE.to_owned(),
            suffix: String::new(),
            reference: REFERENCE.to_owned(),
            path: Some("user.py".to_owned()),
            files,
            root,
        }
    }

    /// The repository is known, and what was cut out is not.
    #[track_caller]
    fn check(hole: &Hole) {
        let id = DocumentId("a".into());
        let snapshot = Repositories::default().open(hole, &id).snapshot();
        let repository = snapshot.repository(None);
        assert_eq!(repository.definitions("near").len(), 1);
        assert_eq!(repository.definitions("wanted").len(), 0);
        assert_eq!(repository.files().count(), 2);
    }

    #[test]
    fn the_answer_is_not_in_the_repository() {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("near.py"), NEAR).expect("a file");
        let whole = format!("{BEFORE}{REFERENCE}");
        std::fs::write(directory.path().join("user.py"), &whole).expect("a file");
        check(&hole(BTreeMap::new(), Some(directory.path().to_owned())));
        check(&hole(BTreeMap::from([("near.py".to_owned(), NEAR.to_owned())]), None));
        let both = [("near.py".to_owned(), NEAR.to_owned()), ("user.py".to_owned(), whole)];
        check(&hole(BTreeMap::from(both), None));
    }
}
