//! The products of attention for any machine and type.

use super::{BLOCK, FOUR, LANES, Products, reference};
use crate::cache::widen;
use crate::real::Real;

pub(super) struct Portable;

impl<T: Real> Products<T> for Portable {
    fn widen(halves: &[u16], numbers: &mut [T]) {
        widen(halves, numbers);
    }

    #[inline(always)]
    fn dot<const Q: usize>(queries: [&[T]; Q], keys: [&[T]; FOUR]) -> [[T; FOUR]; Q] {
        queries.map(|query| keys.map(|key| dot(query, key)))
    }

    #[inline(always)]
    fn weigh(scores: &mut [T; BLOCK], scale: T, before: T) -> (T, [T; LANES]) {
        let mut largest = before;
        for score in scores.iter_mut() {
            *score *= scale;
            largest = if largest < *score { *score } else { largest };
        }
        let reference = reference(largest);
        let mut sums = [T::zero(); LANES];
        for scores in scores.as_chunks_mut::<LANES>().0 {
            for (sum, score) in sums.iter_mut().zip(scores) {
                *score = (*score - reference).exp_of_negative();
                *sum += *score;
            }
        }
        (largest, sums)
    }

    #[inline(always)]
    fn add<const Q: usize>(
        sums: &mut [T],
        corrections: [T; Q],
        weights: [&[T]; Q],
        values: &[T],
        width: usize,
    ) {
        let queries = sums.chunks_exact_mut(width).zip(corrections).zip(weights);
        for ((sums, correction), weights) in queries {
            for sum in sums.iter_mut() {
                *sum *= correction;
            }
            for (weight, values) in weights.iter().zip(values.chunks_exact(width)) {
                for (sum, value) in sums.iter_mut().zip(values) {
                    *sum += *weight * *value;
                }
            }
        }
    }
}

#[inline(always)]
fn dot<T: Real>(query: &[T], key: &[T]) -> T {
    let (queries, query_rest) = query.as_chunks::<LANES>();
    let (keys, key_rest) = key.as_chunks::<LANES>();
    let mut sums = [T::zero(); LANES];
    for (query, key) in queries.iter().zip(keys) {
        for ((sum, query), key) in sums.iter_mut().zip(query).zip(key) {
            *sum += *query * *key;
        }
    }
    let rest = query_rest.iter().zip(key_rest).map(|(query, key)| *query * *key);
    sums.into_iter().chain(rest).fold(T::zero(), |sum, product| sum + product)
}
