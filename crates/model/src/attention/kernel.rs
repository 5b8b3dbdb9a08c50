//! The sums of a few queries over a few hundred keys, compiled for the registers that the machine has.

use std::ops::Range;

use super::Heads;
use crate::cache::KeyValue;
use crate::real::Real;

/// Keys whose scores are computed together, and which are converted together where they are stored rounded.
pub(super) const BLOCK: usize = 32;

/// Numbers that are added side by side: the same on every machine, so that its registers make no difference.
const LANES: usize = 16;

/// Columns of the values that are summed at a time.
const COLUMNS: usize = 64;

/// Softmax so far of some queries: sum of weighted values, sum of weights, and the largest score they refer to.
pub(super) struct State<'a, T> {
    /// [queries, head_dim]
    values: &'a mut [T],
    weights: &'a mut [T],
    largest: &'a mut [T],
    head_dim: usize,
}

impl<'a, T: Real> State<'a, T> {
    /// Numbers that it takes.
    pub(super) fn len(n_queries: usize, head_dim: usize) -> usize {
        n_queries * (head_dim + 2)
    }

    pub(super) fn of(numbers: &'a mut [T], n_queries: usize, head_dim: usize) -> Self {
        let (values, rest) = numbers.split_at_mut(n_queries * head_dim);
        let (weights, rest) = rest.split_at_mut(n_queries);
        Self { values, weights, largest: &mut rest[..n_queries], head_dim }
    }

    fn clear(&mut self) {
        self.values.fill(T::zero());
        self.weights.fill(T::zero());
        self.largest.fill(T::NEG_INFINITY);
    }

    /// Adds the sums of keys that follow.
    pub(super) fn merge(&mut self, other: &State<'_, T>) {
        let width = self.head_dim;
        for query in 0..self.largest.len() {
            if other.weights[query] == T::zero() {
                // The query saw none of those keys.
                continue;
            }
            let (mine, theirs) = (self.largest[query], other.largest[query]);
            let largest = if mine < theirs { theirs } else { mine };
            let (keep, add) =
                ((mine - largest).exp_of_negative(), (theirs - largest).exp_of_negative());
            self.largest[query] = largest;
            self.weights[query] = self.weights[query] * keep + other.weights[query] * add;
            let range = query * width..(query + 1) * width;
            for (value, other) in self.values[range.clone()].iter_mut().zip(&other.values[range]) {
                *value = *value * keep + *other * add;
            }
        }
    }

    /// The weighted mean of the values that a query saw.
    pub(super) fn write(&self, query: usize, out: &mut [T]) {
        let width = self.head_dim;
        let inverse = T::one() / self.weights[query];
        for (out, value) in out.iter_mut().zip(&self.values[query * width..(query + 1) * width]) {
            *out = *value * inverse;
        }
    }
}

/// Some rows of one key/value head over the keys of a range.
pub(super) struct Part<'a, T> {
    pub(super) heads: Heads,
    pub(super) kv_head: usize,
    /// [rows, heads, head_dim], of all rows.
    pub(super) queries: &'a [T],
    pub(super) rows: Range<usize>,
    /// Of all rows.
    pub(super) visible: &'a [Range<usize>],
    pub(super) store: &'a KeyValue,
    pub(super) keys: Range<usize>,
}

impl<T: Real> Part<'_, T> {
    /// Fills `state`; `blocks` has room for [`BLOCK`] keys and as many values.
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "calls functions compiled for more than the build's target")]
    pub(super) fn run(&self, state: &mut State<'_, T>, blocks: &mut [T]) {
        if std::is_x86_feature_detected!("avx512f") && std::is_x86_feature_detected!("avx512vl") {
            // SAFETY: the machine has what the function is compiled for.
            return unsafe { avx512(self, state, blocks) };
        }
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            // SAFETY: the machine has what the function is compiled for.
            return unsafe { avx2(self, state, blocks) };
        }
        body::<T, false>(self, state, blocks);
    }

    /// Fills `state`; `blocks` has room for [`BLOCK`] keys and as many values.
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn run(&self, state: &mut State<'_, T>, blocks: &mut [T]) {
        // Every other machine that this is built for has a fused multiply-add.
        body::<T, { cfg!(target_arch = "aarch64") }>(self, state, blocks);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
fn avx512<T: Real>(part: &Part<'_, T>, state: &mut State<'_, T>, blocks: &mut [T]) {
    body::<T, true>(part, state, blocks);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<T: Real>(part: &Part<'_, T>, state: &mut State<'_, T>, blocks: &mut [T]) {
    body::<T, true>(part, state, blocks);
}

#[inline(always)]
fn body<T: Real, const FUSED: bool>(
    part: &Part<'_, T>,
    state: &mut State<'_, T>,
    blocks: &mut [T],
) {
    let Heads { n_heads, head_dim, .. } = part.heads;
    let group_size = part.heads.group_size();
    let scale = T::from_f64(1.0 / (head_dim as f64).sqrt());
    let visible = &part.visible[part.rows.clone()];
    let (key_block, value_block) = blocks.split_at_mut(BLOCK * head_dim);
    state.clear();
    let start = visible.iter().map(|keys| keys.start).min().unwrap_or(0).max(part.keys.start);
    let end = visible.iter().map(|keys| keys.end).max().unwrap_or(0).min(part.keys.end);
    for block_start in (start / BLOCK * BLOCK..end).step_by(BLOCK) {
        let block = block_start.max(start)..end.min(block_start + BLOCK);
        let keys = part.store.keys(part.kv_head, &block, key_block);
        let values = part.store.values(part.kv_head, &block, value_block);
        for (i, (row, seen)) in part.rows.clone().zip(visible).enumerate() {
            let seen = seen.start.max(block.start)..seen.end.min(block.end);
            if seen.is_empty() {
                continue;
            }
            let within = (seen.start - block.start) * head_dim..(seen.end - block.start) * head_dim;
            let (keys, values) = (&keys[within.clone()], &values[within]);
            for in_group in 0..group_size {
                let head = part.kv_head * group_size + in_group;
                let query = &part.queries[(row * n_heads + head) * head_dim..][..head_dim];
                let mut scores = [T::zero(); BLOCK];
                let scores = &mut scores[..seen.len()];
                dot_products::<T, FUSED>(query, keys, scores);

                let at = i * group_size + in_group;
                let before = state.largest[at];
                let mut largest = before;
                for score in scores.iter_mut() {
                    *score *= scale;
                    largest = if largest < *score { *score } else { largest };
                }
                for score in scores.iter_mut() {
                    *score = (*score - largest).exp_of_negative();
                }
                let correction = (before - largest).exp_of_negative();
                state.largest[at] = largest;
                state.weights[at] = state.weights[at] * correction + total(scores);
                let sums = &mut state.values[at * head_dim..(at + 1) * head_dim];
                add_weighted::<T, FUSED>(sums, correction, scores, values);
            }
        }
    }
}

#[inline(always)]
fn multiply_add<T: Real, const FUSED: bool>(a: T, b: T, c: T) -> T {
    if FUSED { a.fused_multiply_add(b, c) } else { a * b + c }
}

/// Dot products of a query with keys, [keys, head_dim].
#[inline(always)]
fn dot_products<T: Real, const FUSED: bool>(query: &[T], keys: &[T], scores: &mut [T]) {
    let width = query.len();
    let mut fours = scores.chunks_exact_mut(4);
    let mut keys_of_fours = keys.chunks_exact(4 * width);
    for (scores, keys) in (&mut fours).zip(&mut keys_of_fours) {
        let keys = std::array::from_fn(|i| &keys[i * width..(i + 1) * width]);
        scores.copy_from_slice(&dot_product::<T, FUSED, 4>(query, keys));
    }
    let rest = keys_of_fours.remainder().chunks_exact(width);
    for (score, key) in fours.into_remainder().iter_mut().zip(rest) {
        [*score] = dot_product::<T, FUSED, 1>(query, [key]);
    }
}

#[inline(always)]
fn dot_product<T: Real, const FUSED: bool, const KEYS: usize>(
    query: &[T],
    keys: [&[T]; KEYS],
) -> [T; KEYS] {
    let mut sums = [[T::zero(); LANES]; KEYS];
    let (query_lanes, query_rest) = query.as_chunks::<LANES>();
    let key_lanes = keys.map(|key| key.as_chunks::<LANES>().0);
    for (i, query) in query_lanes.iter().enumerate() {
        for (sums, key) in sums.iter_mut().zip(&key_lanes) {
            let key = &key[i];
            *sums = std::array::from_fn(|l| multiply_add::<T, FUSED>(query[l], key[l], sums[l]));
        }
    }
    let n_done = query_lanes.len() * LANES;
    std::array::from_fn(|i| {
        let mut sum = tree(sums[i]);
        for (q, k) in query_rest.iter().zip(&keys[i][n_done..]) {
            sum = multiply_add::<T, FUSED>(*q, *k, sum);
        }
        sum
    })
}

#[inline(always)]
fn tree<T: Real>(lanes: [T; LANES]) -> T {
    let eight: [T; 8] = std::array::from_fn(|i| lanes[i] + lanes[i + 8]);
    let four: [T; 4] = std::array::from_fn(|i| eight[i] + eight[i + 4]);
    (four[0] + four[2]) + (four[1] + four[3])
}

#[inline(always)]
fn total<T: Real>(numbers: &[T]) -> T {
    let (lanes, rest) = numbers.as_chunks::<LANES>();
    let mut sums = [T::zero(); LANES];
    for lanes in lanes {
        sums = std::array::from_fn(|l| sums[l] + lanes[l]);
    }
    rest.iter().fold(tree(sums), |sum, number| sum + *number)
}

/// sums * correction + weights of [keys] times values of [keys, head_dim].
#[inline(always)]
fn add_weighted<T: Real, const FUSED: bool>(
    sums: &mut [T],
    correction: T,
    weights: &[T],
    values: &[T],
) {
    let width = sums.len();
    let mut start = 0;
    while start + COLUMNS <= width {
        add_columns::<T, FUSED, COLUMNS>(sums, start, correction, weights, values);
        start += COLUMNS;
    }
    while start + LANES <= width {
        add_columns::<T, FUSED, LANES>(sums, start, correction, weights, values);
        start += LANES;
    }
    for column in start..width {
        let mut sum = sums[column] * correction;
        for (weight, value) in weights.iter().zip(values[column..].iter().step_by(width)) {
            sum = multiply_add::<T, FUSED>(*weight, *value, sum);
        }
        sums[column] = sum;
    }
}

#[inline(always)]
fn add_columns<T: Real, const FUSED: bool, const N: usize>(
    sums: &mut [T],
    start: usize,
    correction: T,
    weights: &[T],
    values: &[T],
) {
    let width = sums.len();
    let columns = &mut sums[start..start + N];
    let mut added: [T; N] = std::array::from_fn(|i| columns[i] * correction);
    for (weight, value) in weights.iter().zip(values.chunks_exact(width)) {
        let value = &value[start..start + N];
        added = std::array::from_fn(|i| multiply_add::<T, FUSED>(*weight, value[i], added[i]));
    }
    columns.copy_from_slice(&added);
}
