//! How long the index takes: to look at one changed file, and to be asked.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use criterion::{Criterion, criterion_group, criterion_main};
use workspace::{Index, MemorySystem, Query, Scan, Workspace};

/// Files of 250 lines each; 4,000 of them are a million lines.
const N_FILES: usize = 400;

/// Rust that is different in each file, with words that are common and words that are rare.
fn text(file: usize) -> String {
    let mut text = format!("use crate::part_{}::{{Reader{}, open}};\n", file / 2, file / 3);
    for item in 0..25 {
        let (rare, common) = (file * 31 + item, (file + item) % 40);
        text.push_str(&format!(
            "/// Reads record {rare} of the shelf.\npub fn read_record_{rare}(reader: &mut Reader{common}) -> Option<Record{common}> {{\n    \
             let header = reader.read_header_{common}()?;\n    let mut total = 0;\n    for entry in header.entries.iter() {{\n        \
             total += entry.length_of_{rare};\n    }}\n    Some(Record{common} {{ header, total }})\n}}\n\n"
        ));
    }
    text
}

fn index(criterion: &mut Criterion) {
    let path = |file: usize| PathBuf::from(format!("/repo/src/part_{file}.rs"));
    let system = Arc::new(MemorySystem::new((0..N_FILES).map(|file| (path(file), text(file)))));
    let cancel = AtomicBool::new(false);
    let scan = Scan { n_threads: 2, cancel: &cancel, progress: &|_| {} };
    let index = Index::empty(system, "/repo".into()).scan(&scan);
    let mut workspace = Workspace::new(vec!["/repo".into()]);
    workspace.set_index(index.clone());
    let snapshot = workspace.snapshot();
    let repository = snapshot.repository(None);
    let chunk =
        repository.file_at("src/part_7.rs").unwrap().chunks().last().unwrap().text().unwrap();

    criterion.bench_function("re-index a file of 250 lines", |bencher| {
        bencher.iter(|| black_box(index.refresh(&[path(7)])));
    });
    criterion.bench_function("search with a chunk", |bencher| {
        let query = Query::of_text(&chunk);
        bencher.iter(|| black_box(repository.search(&query, 16, |_| true)));
    });
    criterion.bench_function("definitions of a name", |bencher| {
        bencher.iter(|| black_box(repository.definitions("read_record_220")));
    });
    criterion.bench_function("take a snapshot", |bencher| {
        bencher.iter(|| black_box(workspace.snapshot()));
    });
    criterion.bench_function("view a repository", |bencher| {
        bencher.iter(|| black_box(snapshot.repository(None)));
    });
}

criterion_group!(benches, index);
criterion_main!(benches);
