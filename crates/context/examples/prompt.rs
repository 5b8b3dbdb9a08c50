//! Builds prompts as one types in a repository, and prints what that took: `cargo run --release -p context --example prompt -- FOLDER
//! [TOKENS] [TOKENIZER]`.
#![expect(clippy::print_stdout, reason = "an example is run by a person")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use context::{Memo, Piece, Settings, Sources, prompt};
use text::Encoding;
use tokenizer::Tokenizer;
use workspace::{Change, DocumentId, Index, Language, OsSystem, Scan, Snapshot, Workspace};

/// Documents that are open at once.
const N_OPEN: usize = 60;

/// Places at which something is typed, and characters typed at each.
const N_PLACES: usize = 300;
const TYPED: &str = "let x";

type Times = BTreeMap<&'static str, Vec<Duration>>;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        println!("usage: prompt FOLDER [TOKENS] [TOKENIZER]");
        return;
    };
    let n_tokens = arguments.next().and_then(|number| number.parse().ok()).unwrap_or(2048);
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/default");
    let model = arguments.next().unwrap_or_else(|| default.to_owned());
    let tokenizer = match Tokenizer::from_directory(Path::new(&model)) {
        Ok(tokenizer) => tokenizer,
        Err(error) => {
            println!("{model}: {error}");
            return;
        }
    };
    let root = std::path::absolute(&folder).unwrap_or_else(|_| PathBuf::from(&folder));
    let cancel = AtomicBool::new(false);
    let scan = Scan { n_threads: 2, cancel: &cancel, progress: &|_| {} };
    let index = Index::empty(Arc::new(OsSystem), root.clone()).scan(&scan);
    let size = index.size();
    println!("{} files, {} lines, prompts of {n_tokens} tokens", size.n_files, size.n_lines);

    let mut workspace = Workspace::new(vec![root]);
    workspace.set_index(index);
    let ids = open_some(&mut workspace);
    let started = Instant::now();
    let n_known = workspace.snapshot().repository(None).files().count();
    println!(
        "{} documents opened; to analyse them all: {:.0} ms ({n_known} files)",
        ids.len(),
        started.elapsed().as_secs_f64() * 1e3
    );
    let memo = Memo::default();
    let mut times = Times::new();
    let mut random = Random(1);
    let (mut n_prompts, mut n_used, mut n_snippets) = (0, 0, 0);
    for place in 0..N_PLACES {
        let Some(id) = ids.get(random.below(ids.len())) else { return };
        let mut previous: Vec<Piece> = Vec::new();
        let Some(mut offset) = place_in(&workspace, id, &mut random) else { continue };
        for (version, character) in (1..).zip(TYPED.chars()) {
            type_at(&mut workspace, id, version, offset, character);
            offset += 1;
            let started = Instant::now();
            workspace.visit(id, offset);
            let snapshot = workspace.snapshot();
            times.entry("snapshot").or_default().push(started.elapsed());
            let settings = Settings {
                previous: &previous,
                memo: Some(&memo),
                ..Settings::new(&tokenizer, n_tokens)
            };
            let whole = if version == 1 { "prompt at a new place" } else { "prompt while typing" };
            let pieces = build(&snapshot, id, offset, &tokenizer, &settings, (whole, &mut times));
            n_prompts += 1;
            n_used += pieces.iter().map(|piece| piece.n_tokens).sum::<usize>();
            n_snippets += pieces.iter().filter(|piece| piece.kind.is_snippet()).count();
            // The parts, once the tree and the segments are there; each with the window around the caret.
            if place % 3 == 0 && version == 3 {
                let started = Instant::now();
                let repository = snapshot.repository(Some(id));
                times.entry("part: view of the repository").or_default().push(started.elapsed());
                drop(repository);
                for (part, names) in PARTS {
                    let Ok(sources) = Sources::from_names(names) else { continue };
                    let settings = Settings { sources, memo: None, ..settings };
                    build(&snapshot, id, offset, &tokenizer, &settings, (part, &mut times));
                }
            }
            previous = pieces;
        }
    }
    println!(
        "{n_prompts} prompts of {} tokens and {:.1} pieces from elsewhere in the mean",
        n_used / n_prompts.max(1),
        n_snippets as f64 / n_prompts.max(1) as f64
    );
    times.iter_mut().for_each(|(what, times)| show(what, times));
}

const PARTS: [(&str, &str); 8] = [
    ("part: window alone", "none"),
    ("part: window, definitions", "definition"),
    ("part: window, enclosing", "enclosing"),
    ("part: window, tests", "test"),
    ("part: window, similar", "similar"),
    ("part: window, viewed", "viewed"),
    ("part: window, edited", "edited"),
    ("part: all, once more", "all"),
];

fn build(
    snapshot: &Snapshot,
    id: &DocumentId,
    offset: usize,
    tokenizer: &Tokenizer,
    settings: &Settings<'_>,
    (what, times): (&'static str, &mut Times),
) -> Vec<Piece> {
    let Some(document) = snapshot.document(id) else { return Vec::new() };
    let started = Instant::now();
    let prompt = prompt(snapshot, document, offset, tokenizer, settings);
    times.entry(what).or_default().push(started.elapsed());
    prompt.map(|prompt| prompt.pieces).unwrap_or_default()
}

/// Files of at least 40 lines, from all over the folder.
fn open_some(workspace: &mut Workspace) -> Vec<DocumentId> {
    let snapshot = workspace.snapshot();
    let repository = snapshot.repository(None);
    let mut files: Vec<PathBuf> = repository
        .files()
        .filter(|file| file.language().is_some() && 40 <= file.n_lines())
        .map(|file| file.absolute_path())
        .collect();
    files.sort();
    let step = (files.len() / N_OPEN).max(1);
    let mut ids = Vec::new();
    for path in files.into_iter().step_by(step).take(N_OPEN) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let id = DocumentId(path.to_string_lossy().into());
        let language = Language::from_path(&path);
        workspace.open(id.clone(), Some(path), language, 0, &text);
        ids.push(id);
    }
    ids
}

/// The end of a line that is not empty.
fn place_in(workspace: &Workspace, id: &DocumentId, random: &mut Random) -> Option<usize> {
    let buffer = &workspace.document(id)?.buffer;
    let n_lines = buffer.n_lines();
    let first = random.below(n_lines);
    let lines = (first..n_lines).chain(0..first).map(|line| buffer.line_range(line));
    lines.into_iter().find(|line| !line.is_empty()).map(|line| line.end)
}

fn type_at(
    workspace: &mut Workspace,
    id: &DocumentId,
    version: i32,
    offset: usize,
    character: char,
) {
    let Some(document) = workspace.document(id) else { return };
    let at = document.buffer.position(offset, Encoding::Utf8);
    let change = Change::Range { start: at, end: at, text: character.to_string() };
    if let Err(error) = workspace.change(id, version, Encoding::Utf8, [change]) {
        println!("{error}");
    }
}

/// Steele and Vigna's SplitMix64: the same places in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

fn show(what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |share: f64| {
        let idx = ((times.len() as f64 - 1.0) * share) as usize;
        times.get(idx).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    };
    println!(
        "{what}: median {:.2} ms, p95 {:.2} ms, worst {:.2} ms of {}",
        at(0.5),
        at(0.95),
        at(1.0),
        times.len()
    );
}
