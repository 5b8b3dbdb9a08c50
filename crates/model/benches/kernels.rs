//! Products of every layout: one and two rows as bytes of weights a second, 32 and 512 rows as multiplications.
//! Attention of one decoded token in one layer, as bytes of keys and values a second.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use model::bench::{Attention, Product, layouts};

/// More than any cache holds in 8 bits, so that a row is measured against the memory.
const FEW_ROWS: (usize, usize) = (65_536, 1024);

const MANY_ROWS: (usize, usize) = (4096, 1024);

fn products(criterion: &mut Criterion) {
    for (n_rows, (n_outputs, n_inputs)) in
        [(1, FEW_ROWS), (2, FEW_ROWS), (4, FEW_ROWS), (32, MANY_ROWS), (512, MANY_ROWS)]
    {
        let mut group = criterion.benchmark_group(format!("rows-{n_rows}"));
        group.sample_size(20);
        for layout in layouts() {
            let Some(mut product) = Product::new(layout, n_outputs, n_inputs, n_rows) else {
                continue;
            };
            group.throughput(match n_rows {
                1..=4 => Throughput::Bytes(product.n_bytes() as u64),
                _ => Throughput::Elements((n_rows * n_outputs * n_inputs) as u64),
            });
            group.bench_function(BenchmarkId::from_parameter(layout), |bencher| {
                bencher.iter(|| product.run());
            });
        }
        group.finish();
    }
}

/// Heads of LoopCoder-V2 and of Qwen2.5-Coder-0.5B, one loop and two.
fn attention(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("attention");
    group.sample_size(20);
    for (name, heads) in [("7B", (40, 8, 128)), ("0.5B", (14, 2, 64))] {
        for n_rows in [1, 2] {
            let mut attention = Attention::new(heads, 8192, n_rows);
            group.throughput(Throughput::Bytes(attention.n_bytes() as u64));
            group.bench_function(BenchmarkId::new(name, n_rows), |bencher| {
                bencher.iter(|| attention.run());
            });
        }
    }
    group.finish();
}

criterion_group!(benches, products, attention);
criterion_main!(benches);
