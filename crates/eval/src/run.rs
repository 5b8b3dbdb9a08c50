//! Asks an assistant for every hole, as an editor would.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use assist::{Assistant, CancelFlag, Completion, Outcome, Trigger};
use serde::Deserialize;
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

/// What something else said to one hole.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Given {
    /// Of the hole.
    pub id: String,
    /// `None` when it showed nothing; to leave it out is a mistake, so that no other file is taken for answers.
    #[serde(deserialize_with = "Option::deserialize")]
    pub answer: Option<String>,
    #[serde(default)]
    pub latency_ms: f64,
}

/// Answers that something else gave, scored like those of a model; a hole without one got nothing.
pub fn scored(holes: &[Hole], given: &[Given]) -> Vec<Answer> {
    let by_id: HashMap<&str, &Given> =
        given.iter().map(|given| (given.id.as_str(), given)).collect();
    let scored = |hole: &Hole| {
        let given = by_id.get(hole.id.as_str());
        let text = given.and_then(|given| given.answer.clone()).filter(|text| !text.is_empty());
        let seconds = given.map_or(0.0, |given| given.latency_ms / 1000.0);
        Answer {
            score: score(hole, text.as_deref().unwrap_or_default()),
            reason: text.is_none().then_some("nothing_given"),
            text,
            stopped_by: "given",
            confidence: None,
            latency: Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            outcome: None,
        }
    };
    holes.iter().map(scored).collect()
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

    #[test]
    fn answers_of_others_are_scored() {
        let given = |answer: Option<&str>| {
            let answer = answer.map(str::to_owned);
            [Given { id: "a".to_owned(), answer, latency_ms: 2.5 }]
        };
        let holes = [hole(BTreeMap::new(), None)];
        let answers = scored(&holes, &given(Some(REFERENCE)));
        assert!(answers[0].score.exact);
        assert_eq!((answers[0].latency.as_micros(), answers[0].reason), (2500, None));
        for nothing in [&given(None)[..], &given(Some("")), &[]] {
            let answers = scored(&holes, nothing);
            assert!(!answers[0].score.exact);
            assert_eq!((&answers[0].text, answers[0].reason), (&None, Some("nothing_given")));
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
