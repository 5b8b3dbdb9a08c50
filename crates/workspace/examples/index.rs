//! Indexes a folder and prints what that took: `cargo run --release -p workspace --example index -- FOLDER [THREADS]`.
#![expect(clippy::print_stdout, reason = "an example is run by a person")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use workspace::{Index, OsSystem, Query, Scan, Workspace};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        println!("usage: index FOLDER [THREADS]");
        return;
    };
    let n_threads = arguments.next().and_then(|number| number.parse().ok()).unwrap_or(2);
    let root = std::path::absolute(&folder).unwrap_or_else(|_| PathBuf::from(&folder));
    let cancel = AtomicBool::new(false);
    let scan = Scan { n_threads, cancel: &cancel, progress: &|_| {} };

    let started = Instant::now();
    let index = Index::empty(Arc::new(OsSystem), root.clone()).scan(&scan);
    let took = started.elapsed();
    let size = index.size();
    println!(
        "{} files, {} lines, {} symbols, {} chunks in {:.1} s on {n_threads} threads",
        size.n_files,
        size.n_lines,
        size.n_symbols,
        size.n_chunks,
        took.as_secs_f64()
    );
    println!("index {} MB, resident {}", size.n_bytes / 1_000_000, resident());

    let started = Instant::now();
    let again = index.scan(&scan);
    println!("scan of an unchanged folder: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    drop(again);

    let mut workspace = Workspace::new(vec![root]);
    workspace.set_index(index.clone());
    let snapshot = workspace.snapshot();
    let repository = snapshot.repository(None);
    let mut files: Vec<_> = repository.files().collect();
    files.sort();
    let step = (files.len() / 200).max(1);
    let (mut updates, mut searches, mut lookups) = (Vec::new(), Vec::new(), Vec::new());
    for file in files.iter().step_by(step) {
        let path = file.absolute_path();
        let started = Instant::now();
        let updated = index.refresh(&[path]);
        updates.push((started.elapsed(), file.n_lines()));
        drop(updated);
        let Some(text) = file.chunks().last().and_then(|chunk| chunk.text()) else { continue };
        let started = Instant::now();
        let query = Query::of_text(&text);
        let found = repository.search(&query, 16, |found| found.language() == file.language());
        searches.push((started.elapsed(), found.len()));
        let started = Instant::now();
        let mut n_found = 0;
        for found in file.uses().take(64) {
            n_found += repository.definitions(found.name).len();
        }
        for import in file.imports() {
            n_found += repository.resolve(*file, import).len();
        }
        lookups.push((started.elapsed(), n_found));
    }
    show("re-index of one file", &mut updates);
    show("search with a chunk as the query", &mut searches);
    show("definitions of 64 names and all imports of a file", &mut lookups);
    println!("resident {}", resident());
}

fn show(what: &str, times: &mut [(Duration, usize)]) {
    times.sort_unstable();
    let at = |share: f64| {
        let idx = ((times.len() as f64 - 1.0) * share) as usize;
        times.get(idx).map_or(0.0, |(time, _)| time.as_secs_f64() * 1e3)
    };
    println!(
        "{what}: median {:.2} ms, p95 {:.2} ms, worst {:.2} ms of {}",
        at(0.5),
        at(0.95),
        at(1.0),
        times.len()
    );
}

/// As Linux tells it: now, and at its highest.
fn resident() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let lines =
        status.lines().filter(|line| line.starts_with("VmRSS") || line.starts_with("VmHWM"));
    lines
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect::<Vec<_>>()
        .join(", ")
}
