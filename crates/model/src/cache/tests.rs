//! Room for keys and values: how it grows, what a ring keeps, and what it costs.

use candle_core::DType;

use super::*;

/// A window of 4 over 2 layers; a ring holds 4 + 3 + 5 positions.
fn shape(later_loops: LaterLoops, format: CacheFormat) -> CacheShape {
    CacheShape {
        n_loops: 3,
        n_layers: 2,
        n_kv_heads: 2,
        head_dim: 8,
        hidden_size: 32,
        window: 4,
        max_positions: 4096,
        dtype: DType::F32,
        format,
        later_loops,
        chunk: 5,
        slack: 3,
    }
}

/// Runs loop 1 over `n` positions, one at a time, and gives the positions it can go on from.
#[track_caller]
fn check_span(later_loops: LaterLoops, n: usize, expected: (usize, usize)) {
    let mut cache = Cache::new(shape(later_loops, CacheFormat::Exact));
    for position in 0..n {
        cache.reserve(1).unwrap();
        cache.make_room(1, &(position..position + 1)).unwrap();
        cache.host_mut().unwrap().layer_mut(1, 0).write(
            position,
            &[position as f32; 16],
            &[0.5f32; 16],
        );
        cache.advance(&[1]);
        cache.extend_span(1, position + 1);
    }
    let Span { from, to } = cache.spans()[0];
    assert_eq!((from, to), expected);
    let first = if from == 0 { 0 } else { from - 4 };
    let mut scratch = vec![0f32; (n - first) * 8];
    let keys = cache.host().unwrap().layer(1, 0).keys(1, &(first..n), &mut scratch, widen);
    let kept: Vec<usize> = keys.iter().step_by(8).map(|key| *key as usize).collect();
    assert_eq!(kept, (first..n).collect::<Vec<_>>());
}

#[test]
fn a_ring_forgets_what_lies_further_back_than_window_and_slack() {
    check_span(LaterLoops::Ring, 12, (0, 12));
    check_span(LaterLoops::Ring, 13, (9, 13));
    check_span(LaterLoops::Ring, 17, (9, 17));
    check_span(LaterLoops::Ring, 18, (14, 18));
}

#[test]
fn a_full_cache_forgets_nothing() {
    check_span(LaterLoops::Full, 700, (0, 700));
}

#[test]
fn a_budget_decides_how_far_back_a_loop_goes() {
    // 512 bytes a position and loop, two loops.
    check_span(LaterLoops::Within(100 * 512), 100, (0, 100));
    check_span(LaterLoops::Within(100 * 512), 101, (97, 101));
    check_span(LaterLoops::Within(0), 13, (9, 13));
}

#[test]
fn a_restarted_loop_begins_where_it_is_told_to() {
    let mut cache = Cache::new(shape(LaterLoops::Ring, CacheFormat::Exact));
    for (restart, write) in [(100, 100..105), (7, 7..9), (0, 0..5)] {
        cache.restart(1, restart).unwrap();
        cache.make_room(1, &write).unwrap();
        for position in write.clone() {
            cache.host_mut().unwrap().layer_mut(1, 1).write(position, &[1f32; 16], &[1f32; 16]);
        }
        let mut scratch = vec![0f32; write.len() * 8];
        let values = cache.host().unwrap().layer(1, 1).values(0, &write, &mut scratch, widen);
        assert!(values.iter().all(|value| *value == 1.0));
    }
}

#[track_caller]
fn check_bytes(later_loops: LaterLoops, format: CacheFormat, n: usize, expected: usize) {
    check_bytes_of(shape(later_loops, format), n, expected);
}

#[track_caller]
fn check_bytes_of(shape: CacheShape, n: usize, expected: usize) {
    let mut cache = Cache::new(shape);
    cache.reserve(n).unwrap();
    for loop_idx in 1..shape.n_loops {
        for start in (0..n).step_by(5) {
            cache.make_room(loop_idx, &(start..n.min(start + 5))).unwrap();
        }
    }
    assert_eq!(cache.n_bytes(), expected);
    assert_eq!(shape.n_bytes(n), expected);
}

#[test]
fn what_is_allocated_is_what_arithmetic_says() {
    // 64 numbers a position and loop: keys and values of 2 layers and 2 heads of 8; 64 numbers handed on.
    check_bytes(LaterLoops::Full, CacheFormat::Exact, 2048, 2048 * (3 * 64 + 64) * 4);
    check_bytes(LaterLoops::Full, CacheFormat::F16, 2048, 2048 * (3 * 64 * 2 + 64 * 4));
    check_bytes(
        LaterLoops::Ring,
        CacheFormat::F16,
        2048,
        2048 * (64 * 2 + 64 * 4) + 2 * 12 * 64 * 2,
    );
    check_bytes(LaterLoops::Ring, CacheFormat::Int8, 2048, 2048 * (96 + 64 * 4) + 2 * 12 * 96);
}

#[test]
fn the_released_shape_takes_what_is_promised() {
    let released = CacheShape {
        n_loops: 2,
        n_layers: 14,
        n_kv_heads: 8,
        head_dim: 128,
        hidden_size: 5120,
        window: 64,
        max_positions: 131_072,
        chunk: 128,
        slack: 64,
        ..shape(CacheOptions::default().later_loops, CacheFormat::F16)
    };
    // Keys and values of both loops, and the state that is handed on.
    check_bytes_of(released, 256, 256 * (2 * 57_344 + 20_480));
    // The second loop keeps the 4,681 positions that fit into 256 MiB.
    let whole = 131_072 * (57_344 + 20_480) + 4_681 * 57_344;
    assert_eq!(released.n_bytes(131_072), whole);
    if !cfg!(debug_assertions) {
        // What was never written costs no memory then.
        check_bytes_of(released, 131_072, whole);
    }
}

#[test]
fn growth_copies_each_entry_about_once() {
    let mut cache = Cache::new(shape(LaterLoops::Full, CacheFormat::F16));
    let mut capacities = Vec::new();
    for _ in 0..1000 {
        cache.reserve(1).unwrap();
        cache.advance(&[1]);
        capacities.push(cache.rooms[0].capacity);
    }
    capacities.dedup();
    assert_eq!(capacities, [128, 256, 512, 1024]);
}
