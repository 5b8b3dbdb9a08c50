//! The sums of a few queries over a few hundred keys, in the registers that the machine has.

mod portable;

#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::Range;

use self::portable::Portable;

use super::Heads;
use crate::cache::KeyValue;
use crate::real::Real;

/// Keys whose scores are computed together, and which are converted together where they are stored rounded.
const BLOCK: usize = 32;

/// Keys whose dot products are computed together.
const FOUR: usize = 4;

/// Numbers that are added side by side where the order of a sum is ours to choose.
const LANES: usize = 8;

/// Softmax so far of some queries: sum of weighted values, sum of weights, and the largest score they refer to.
pub(crate) struct State<'a, T> {
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
pub(crate) struct Part<'a, T> {
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

impl<T> Part<'_, T> {
    fn n_queries(&self) -> usize {
        self.rows.len() * self.heads.group_size()
    }

    /// In the order of rows, then heads of the group.
    #[inline(always)]
    fn query(&self, query: usize) -> &[T] {
        let Heads { n_heads, head_dim, .. } = self.heads;
        let group_size = self.heads.group_size();
        let row = self.rows.start + query / group_size;
        let head = self.kv_head * group_size + query % group_size;
        &self.queries[(row * n_heads + head) * head_dim..][..head_dim]
    }
}

/// The two products of attention for `Q` queries at a time; a query gets the same bits whatever `Q` is.
trait Products<T> {
    /// Numbers in half precision, given as bits, in the type that is computed in.
    fn widen(halves: &[u16], numbers: &mut [T]);

    /// Numbers in half precision will be read soon.
    fn ask_for(_halves: &[u16]) {}

    /// Dot products of queries, `Q` of `width` numbers, with four keys of as many.
    fn dot<const Q: usize>(queries: [&[T]; Q], keys: [&[T]; FOUR]) -> [[T; FOUR]; Q];

    /// Turns scores, times `scale`, into weights relative to the largest of them and of `before`; returns that one and
    /// the sums of the weights of every eighth score.
    fn weigh(scores: &mut [T; BLOCK], scale: T, before: T) -> (T, [T; LANES]);

    /// sums * correction + weights times values, [keys, width]; `sums` is [Q, width].
    fn add<const Q: usize>(
        sums: &mut [T],
        corrections: [T; Q],
        weights: [&[T]; Q],
        values: &[T],
        width: usize,
    );
}

/// A type that attention is computed in.
pub(crate) trait Attend: Real {
    /// Fills `state`; `scratch` is as long as [`scratch_len`] says.
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, scratch: &mut [Self]);
}

impl Attend for f64 {
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, scratch: &mut [Self]) {
        body::<Self, Portable>(part, state, scratch);
    }
}

impl Attend for f32 {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "calls a function compiled for more than the build's target")]
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, scratch: &mut [Self]) {
        if std::is_x86_feature_detected!("avx2")
            && std::is_x86_feature_detected!("fma")
            && std::is_x86_feature_detected!("f16c")
        {
            // SAFETY: the machine has what the function is compiled for.
            return unsafe { with_avx2(part, state, scratch) };
        }
        body::<Self, Portable>(part, state, scratch);
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, scratch: &mut [Self]) {
        body::<Self, Portable>(part, state, scratch);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,f16c")]
fn with_avx2(part: &Part<'_, f32>, state: &mut State<'_, f32>, scratch: &mut [f32]) {
    body::<f32, x86::Avx2>(part, state, scratch);
}

/// Numbers of scratch that [`Attend::run`] needs for so many queries.
pub(super) fn scratch_len(n_queries: usize, head_dim: usize) -> usize {
    BLOCK * head_dim + n_queries * (BLOCK + 1)
}

#[inline(always)]
fn body<T: Real, P: Products<T>>(part: &Part<'_, T>, state: &mut State<'_, T>, scratch: &mut [T]) {
    let visible = &part.visible[part.rows.clone()];
    let n_queries = part.n_queries();
    let (vectors, rest) = scratch.split_at_mut(BLOCK * part.heads.head_dim);
    let (weights, corrections) = rest.split_at_mut(n_queries * BLOCK);
    state.clear();
    let start = visible.iter().map(|keys| keys.start).min().unwrap_or(0).max(part.keys.start);
    let end = visible.iter().map(|keys| keys.end).max().unwrap_or(0).min(part.keys.end);
    for block_start in (start / BLOCK * BLOCK..end).step_by(BLOCK) {
        let positions = block_start.max(start)..end.min(block_start + BLOCK);
        let next = positions.end..end.min(positions.end + BLOCK);
        for halves in part.store.halves(part.kv_head, &next).into_iter().flatten() {
            P::ask_for(halves);
        }
        let mut block = Block { part, start: block_start, positions, weights, corrections };
        // Keys for all queries, then values for all: the nearest cache has room for one of them.
        let keys = part.store.keys(part.kv_head, &block.positions, vectors, P::widen);
        let mut query = 0;
        while query + 2 <= n_queries {
            block.weigh::<P, 2>(keys, state, query);
            query += 2;
        }
        if query < n_queries {
            block.weigh::<P, 1>(keys, state, query);
        }
        let values = part.store.values(part.kv_head, &block.positions, vectors, P::widen);
        let mut query = 0;
        while query + 2 <= n_queries {
            block.add::<P, 2>(values, state, query);
            query += 2;
        }
        if query < n_queries {
            block.add::<P, 1>(values, state, query);
        }
    }
}

/// What queries take from a few keys that some of them see.
struct Block<'a, T> {
    part: &'a Part<'a, T>,
    /// Position that is a multiple of [`BLOCK`].
    start: usize,
    positions: Range<usize>,
    /// `[queries, BLOCK]`
    weights: &'a mut [T],
    /// `[queries]`: what the sums before are to be multiplied with.
    corrections: &'a mut [T],
}

impl<T: Real> Block<'_, T> {
    /// Positions that a query sees.
    #[inline(always)]
    fn seen(&self, query: usize) -> (usize, usize) {
        let row = self.part.rows.start + query / self.part.heads.group_size();
        let keys = &self.part.visible[row];
        (keys.start.max(self.positions.start), keys.end.min(self.positions.end))
    }

    /// From the first to the last position that one of `Q` queries sees: what none sees is left out, as zero times what
    /// was never written is not zero.
    #[inline(always)]
    fn all_seen<const Q: usize>(&self, first: usize) -> Range<usize> {
        let mut all = self.positions.end..self.positions.start;
        for i in 0..Q {
            let (start, end) = self.seen(first + i);
            if start < end {
                all = all.start.min(start)..all.end.max(end);
            }
        }
        all
    }

    /// The vectors at `seen` of those at the block's positions.
    #[inline(always)]
    fn within<'v>(&self, seen: &Range<usize>, vectors: &'v [T]) -> &'v [T] {
        let width = self.part.heads.head_dim;
        let base = self.positions.start;
        &vectors[(seen.start - base) * width..(seen.end - base) * width]
    }

    /// Weights of the block's keys for `Q` queries from `first` on.
    #[inline(always)]
    fn weigh<P: Products<T>, const Q: usize>(
        &mut self,
        keys: &[T],
        state: &mut State<'_, T>,
        first: usize,
    ) {
        let all_seen = self.all_seen::<Q>(first);
        if all_seen.is_empty() {
            return;
        }
        let width = self.part.heads.head_dim;
        let all_keys = self.within(&all_seen, keys);
        // Loops instead of closures, which would be compiled without the registers of this function.
        let mut queries: [&[T]; Q] = [&[]; Q];
        for (i, query) in queries.iter_mut().enumerate() {
            *query = self.part.query(first + i);
        }
        // By position from the start of the block, so that what others see moves nothing.
        let mut scores = [[T::NEG_INFINITY; BLOCK]; Q];
        let offset = all_seen.start - self.start;
        let n_keys = all_seen.len();
        for key in (0..n_keys).step_by(FOUR) {
            // The last key stands in for those that are missing, so that every dot product is made alike.
            let mut keys: [&[T]; FOUR] = [&[]; FOUR];
            for i in 0..FOUR {
                keys[i] = &all_keys[(key + i).min(n_keys - 1) * width..][..width];
            }
            let products = P::dot(queries, keys);
            for (scores, products) in scores.iter_mut().zip(&products) {
                let scores = &mut scores[offset + key..];
                match scores.first_chunk_mut::<FOUR>() {
                    Some(scores) if key + FOUR <= n_keys => *scores = *products,
                    _ => scores[..n_keys - key].copy_from_slice(&products[..n_keys - key]),
                }
            }
        }
        let scale = T::from_f64(1.0 / (width as f64).sqrt());
        for (query, scores) in (first..).zip(&mut scores) {
            let seen = self.seen(query);
            if seen != (all_seen.start, all_seen.end) {
                for position in all_seen.clone() {
                    if position < seen.0 || seen.1 <= position {
                        scores[position - self.start] = T::NEG_INFINITY;
                    }
                }
            }
            self.corrections[query] = state.weigh::<P>(query, scale, scores);
            self.weights[query * BLOCK..][..BLOCK].copy_from_slice(scores);
        }
    }

    /// Adds the block's values, times their weights, to the sums of `Q` queries from `first` on.
    #[inline(always)]
    fn add<P: Products<T>, const Q: usize>(
        &self,
        values: &[T],
        state: &mut State<'_, T>,
        first: usize,
    ) {
        let all_seen = self.all_seen::<Q>(first);
        if all_seen.is_empty() {
            return;
        }
        let width = self.part.heads.head_dim;
        let mut weights: [&[T]; Q] = [&[]; Q];
        let mut corrections = [T::one(); Q];
        for i in 0..Q {
            let start = (first + i) * BLOCK + all_seen.start - self.start;
            weights[i] = &self.weights[start..start + all_seen.len()];
            corrections[i] = self.corrections[first + i];
        }
        let sums = &mut state.values[first * width..(first + Q) * width];
        P::add(sums, corrections, weights, self.within(&all_seen, values), width);
    }
}

impl<T: Real> State<'_, T> {
    /// Turns scores into weights relative to the largest score so far; returns what the sums before are to be
    /// multiplied with.
    #[inline(always)]
    fn weigh<P: Products<T>>(&mut self, query: usize, scale: T, scores: &mut [T; BLOCK]) -> T {
        let before = self.largest[query];
        let (largest, sums) = P::weigh(scores, scale, before);
        let [a, b, c, d, e, f, g, h] = sums;
        let total = ((a + e) + (c + g)) + ((b + f) + (d + h));
        let correction = (before - reference(largest)).exp_of_negative();
        self.largest[query] = largest;
        self.weights[query] = self.weights[query] * correction + total;
        correction
    }
}

/// What scores are taken relative to: a query that has seen nothing yet has no largest score, and its weights become zero.
#[inline(always)]
fn reference<T: Real>(largest: T) -> T {
    if largest == T::NEG_INFINITY { T::zero() } else { largest }
}
