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
pub(super) const BLOCK: usize = 32;

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

/// The two products of attention for `Q` queries at a time; a query gets the same bits whatever `Q` is.
trait Products<T> {
    /// Dot products of queries, `Q` of `width` numbers, with four keys of as many.
    fn dot<const Q: usize>(queries: [&[T]; Q], keys: [&[T]; FOUR]) -> [[T; FOUR]; Q];

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
    /// Fills `state`; `blocks` has room for [`BLOCK`] keys and as many values.
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, blocks: &mut [Self]);
}

impl Attend for f64 {
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, blocks: &mut [Self]) {
        body::<Self, Portable>(part, state, blocks);
    }
}

impl Attend for f32 {
    #[cfg(target_arch = "x86_64")]
    #[expect(unsafe_code, reason = "calls a function compiled for more than the build's target")]
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, blocks: &mut [Self]) {
        if std::is_x86_feature_detected!("avx2") && std::is_x86_feature_detected!("fma") {
            // SAFETY: the machine has what the function is compiled for.
            return unsafe { with_avx2(part, state, blocks) };
        }
        body::<Self, Portable>(part, state, blocks);
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn run(part: &Part<'_, Self>, state: &mut State<'_, Self>, blocks: &mut [Self]) {
        body::<Self, Portable>(part, state, blocks);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn with_avx2(part: &Part<'_, f32>, state: &mut State<'_, f32>, blocks: &mut [f32]) {
    body::<f32, x86::Avx2>(part, state, blocks);
}

#[inline(always)]
fn body<T: Real, P: Products<T>>(part: &Part<'_, T>, state: &mut State<'_, T>, blocks: &mut [T]) {
    let width = part.heads.head_dim;
    let visible = &part.visible[part.rows.clone()];
    let (key_block, value_block) = blocks.split_at_mut(BLOCK * width);
    state.clear();
    let start = visible.iter().map(|keys| keys.start).min().unwrap_or(0).max(part.keys.start);
    let end = visible.iter().map(|keys| keys.end).max().unwrap_or(0).min(part.keys.end);
    for block_start in (start / BLOCK * BLOCK..end).step_by(BLOCK) {
        let positions = block_start.max(start)..end.min(block_start + BLOCK);
        let block = Block {
            start: block_start,
            keys: part.store.keys(part.kv_head, &positions, key_block),
            values: part.store.values(part.kv_head, &positions, value_block),
            positions,
        };
        let n_queries = part.rows.len() * part.heads.group_size();
        let mut query = 0;
        while query + 2 <= n_queries {
            block.attend::<P, 2>(part, state, query);
            query += 2;
        }
        if query < n_queries {
            block.attend::<P, 1>(part, state, query);
        }
    }
}

/// A few keys that some query sees, and their values; each [positions, head_dim].
struct Block<'a, T> {
    /// Position that is a multiple of [`BLOCK`].
    start: usize,
    positions: Range<usize>,
    keys: &'a [T],
    values: &'a [T],
}

impl<T: Real> Block<'_, T> {
    /// Adds what `Q` queries from `first` on take from this block.
    #[inline(always)]
    fn attend<P: Products<T>, const Q: usize>(
        &self,
        part: &Part<'_, T>,
        state: &mut State<'_, T>,
        first: usize,
    ) {
        let Heads { n_heads, head_dim: width, .. } = part.heads;
        let group_size = part.heads.group_size();
        let scale = T::from_f64(1.0 / (width as f64).sqrt());
        // Loops instead of closures, which would be compiled without the registers of this function.
        let mut queries: [&[T]; Q] = [&[]; Q];
        let mut seen = [(0, 0); Q];
        // What none of these queries sees is left out, as zero times what was never written is not zero.
        let mut all_seen = self.positions.end..self.positions.start;
        for i in 0..Q {
            let row = part.rows.start + (first + i) / group_size;
            let head = part.kv_head * group_size + (first + i) % group_size;
            queries[i] = &part.queries[(row * n_heads + head) * width..][..width];
            let keys = &part.visible[row];
            seen[i] = (keys.start.max(self.positions.start), keys.end.min(self.positions.end));
            if seen[i].0 < seen[i].1 {
                all_seen = all_seen.start.min(seen[i].0)..all_seen.end.max(seen[i].1);
            }
        }
        if all_seen.is_empty() {
            return;
        }
        let within = (all_seen.start - self.positions.start) * width
            ..(all_seen.end - self.positions.start) * width;
        let (all_keys, values) = (&self.keys[within.clone()], &self.values[within]);

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
            let n = FOUR.min(n_keys - key);
            for (scores, products) in scores.iter_mut().zip(&products) {
                scores[offset + key..offset + key + n].copy_from_slice(&products[..n]);
            }
        }
        let mut corrections = [T::one(); Q];
        for i in 0..Q {
            let (first_seen, end_seen) = seen[i];
            if seen[i] != (all_seen.start, all_seen.end) {
                for position in all_seen.clone() {
                    if position < first_seen || end_seen <= position {
                        scores[i][position - self.start] = T::NEG_INFINITY;
                    }
                }
            }
            corrections[i] = state.weigh(first + i, scale, &mut scores[i]);
        }
        let mut weights: [&[T]; Q] = [&[]; Q];
        for i in 0..Q {
            weights[i] = &scores[i][offset..offset + n_keys];
        }
        let sums = &mut state.values[first * width..(first + Q) * width];
        P::add(sums, corrections, weights, values, width);
    }
}

impl<T: Real> State<'_, T> {
    /// Turns scores into weights relative to the largest score so far; returns what the sums before are to be
    /// multiplied with.
    #[inline(always)]
    fn weigh(&mut self, query: usize, scale: T, scores: &mut [T; BLOCK]) -> T {
        let mut maxima = [T::NEG_INFINITY; LANES];
        for start in (0..BLOCK).step_by(LANES) {
            for lane in 0..LANES {
                let score = scores[start + lane] * scale;
                scores[start + lane] = score;
                maxima[lane] = if maxima[lane] < score { score } else { maxima[lane] };
            }
        }
        let before = self.largest[query];
        let mut largest = before;
        for score in maxima {
            largest = if largest < score { score } else { largest };
        }
        // A query that has seen nothing yet has no largest score; its weights become zero.
        let reference = if largest == T::NEG_INFINITY { T::zero() } else { largest };
        let mut sums = [T::zero(); LANES];
        for start in (0..BLOCK).step_by(LANES) {
            for lane in 0..LANES {
                let weight = (scores[start + lane] - reference).exp_of_negative();
                scores[start + lane] = weight;
                sums[lane] += weight;
            }
        }
        let [a, b, c, d, e, f, g, h] = sums;
        let total = ((a + e) + (c + g)) + ((b + f) + (d + h));
        let correction = (before - reference).exp_of_negative();
        self.largest[query] = largest;
        self.weights[query] = self.weights[query] * correction + total;
        correction
    }
}
