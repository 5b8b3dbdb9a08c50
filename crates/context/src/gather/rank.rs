//! Which files matter at the caret: a personalised rank over the graph of uses and definitions.
//!
//! The first steps of personalised PageRank by forward push (Andersen, Chung and Lang 2006): rank flows from the caret to the files
//! that define what is used there, and on from the best of them. Two steps are what can be afforded at every keystroke.
#![expect(clippy::mutable_key_type, reason = "files are compared by their place in a repository")]

use std::collections::HashMap;

use syntax::Import;
use workspace::{File, NameUse, Repository};

use crate::gather::Caret;
use crate::gather::focus::Focus;

/// Names that are defined more often say nothing about where they come from.
pub(crate) const MAX_DEFINITIONS: usize = 24;

/// What an imported file gets, where a used name would give 1 at most.
const IMPORT: f64 = 1.0;

/// Share of a file's rank that flows on.
const FLOW: f64 = 0.5;

/// Files that pass their rank on, and names by which they do.
const MAX_PUSHED: usize = 8;
const MAX_NAMES: usize = 24;

/// Rank of files, 1 for the best.
#[derive(Debug)]
pub(crate) struct FileRank<'r> {
    ranks: HashMap<File<'r>, f64>,
    /// Files that the document imports, in the order of its imports.
    pub(crate) imported: Vec<File<'r>>,
}

impl<'r> FileRank<'r> {
    pub(crate) fn new(
        repository: &'r Repository<'r>,
        caret: &Caret<'_>,
        focus: &Focus,
        imports: &[Import],
    ) -> Self {
        let mut ranks: HashMap<File<'r>, f64> = HashMap::new();
        let imported = imported(repository, caret, imports);
        for file in &imported {
            *ranks.entry(*file).or_default() += IMPORT;
        }
        for (name, weight) in &focus.names {
            push(repository, name, *weight, &mut ranks);
        }
        let mut best: Vec<(File<'r>, f64)> =
            ranks.iter().map(|(file, rank)| (*file, *rank)).collect();
        best.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        for (file, rank) in best.into_iter().take(MAX_PUSHED) {
            let mut used: Vec<_> = file.uses().collect();
            let most_used = |one: &NameUse<'r>, other: &NameUse<'r>| {
                other.count.cmp(&one.count).then_with(|| one.name.cmp(other.name))
            };
            if MAX_NAMES < used.len() {
                used.select_nth_unstable_by(MAX_NAMES, most_used);
                used.truncate(MAX_NAMES);
            }
            used.sort_by(most_used);
            let n_uses: usize = used.iter().map(|used| used.count).sum();
            for used in used {
                let share = used.count as f64 / n_uses.max(1) as f64;
                push(repository, used.name, FLOW * rank * share, &mut ranks);
            }
        }
        let most = ranks.values().copied().fold(0.0, f64::max);
        ranks.values_mut().for_each(|rank| *rank /= most.max(f64::MIN_POSITIVE));
        Self { ranks, imported }
    }

    /// From 0 to 1.
    pub(crate) fn of(&self, file: File<'r>) -> f64 {
        self.ranks.get(&file).copied().unwrap_or(0.0)
    }
}

fn push<'r>(
    repository: &'r Repository<'r>,
    name: &str,
    weight: f64,
    ranks: &mut HashMap<File<'r>, f64>,
) {
    let Some(files) = repository.files_of_few_definitions(name, MAX_DEFINITIONS) else { return };
    let share = weight / files.len().max(1) as f64;
    for file in files {
        *ranks.entry(file).or_default() += share;
    }
}

fn imported<'r>(
    repository: &'r Repository<'r>,
    caret: &Caret<'_>,
    imports: &[Import],
) -> Vec<File<'r>> {
    let Some(language) = caret.document.language else { return Vec::new() };
    let mut files = Vec::new();
    for import in imports {
        let names: Vec<&str> = import.names.iter().map(|name| name.name.as_str()).collect();
        for file in repository.resolve_from(caret.path, language, &import.path, &names) {
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    files
}
