//! What a keystroke in a large file costs the thread that owns the workspace, which parses nothing.
#![expect(clippy::unwrap_used, reason = "a benchmark fails by panicking")]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use text::{Encoding, Position};
use workspace::{Change, DocumentId, Language, Workspace};

const N_BYTES: usize = 1_000_000;

fn change(criterion: &mut Criterion) {
    let line = "    let größe = compute(first, second); // 𝄞\n";
    let mut text = "fn main() {\n".to_owned();
    while text.len() < N_BYTES {
        text.push_str(line);
    }
    text.push_str("}\n");
    let n_lines = text.lines().count() as u32;
    let id = DocumentId("file:///large.rs".into());
    let mut workspace = Workspace::new(Vec::new());
    let path = Some("/large.rs".into());
    workspace.open(id.clone(), path, Some(Language::Rust), 1, &text);
    // As a server has it that has answered once: readers hold what they were given.
    let snapshot = workspace.snapshot();
    assert!(snapshot.document(&id).unwrap().tree().is_some());

    let mut version = 1;
    let mut keystroke = |encoding: Encoding| {
        version += 1;
        let line = (version as u32 * 7919) % n_lines;
        let at = Position { line, column: 5 };
        let change = Change::Range { start: at, end: at, text: "x".to_owned() };
        workspace.change(&id, version, encoding, [change]).unwrap();
        black_box(workspace.snapshot());
    };
    criterion.bench_function("a keystroke in a megabyte, UTF-16", |bencher| {
        bencher.iter(|| keystroke(Encoding::Utf16));
    });
    criterion.bench_function("a keystroke in a megabyte, UTF-8", |bencher| {
        bencher.iter(|| keystroke(Encoding::Utf8));
    });
    criterion.bench_function("the whole text anew for a keystroke", |bencher| {
        let texts = [format!("{text}x"), text.clone()];
        let mut n_sent = 0;
        bencher.iter_batched(
            || {
                n_sent += 1;
                texts[n_sent % 2].clone()
            },
            |text| workspace.change(&id, 1, Encoding::Utf16, [Change::Full(text)]).unwrap(),
            BatchSize::LargeInput,
        );
    });
}

criterion_group!(benches, change);
criterion_main!(benches);
