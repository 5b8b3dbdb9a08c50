//! Attention against its definition in double precision, and the bits of a row whatever stands beside it.

use candle_core::DType;
use proptest::prelude::*;

use super::*;
use crate::cache::CacheFormat;

/// Numbers from -1 to 1 that look random.
fn noise(seed: u32, n: usize) -> Vec<f64> {
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1 << 23) - 1.0
    };
    (0..n).map(|_| draw()).collect()
}

struct Case {
    heads: Heads,
    /// [rows, heads, head_dim]
    queries: Vec<f64>,
    /// Each [keys, kv_heads, head_dim].
    keys: Vec<f64>,
    values: Vec<f64>,
    visible: Vec<Range<usize>>,
}

impl Case {
    fn new(heads: Heads, visible: Vec<Range<usize>>, seed: u32) -> Self {
        let n_keys = visible.iter().map(|keys| keys.end).max().unwrap();
        let n = n_keys * heads.n_kv_heads * heads.head_dim;
        let n_queries = visible.len() * heads.n_heads * heads.head_dim;
        Self {
            heads,
            queries: noise(seed, n_queries).iter().map(|query| query * 6.0).collect(),
            keys: noise(seed ^ 1, n),
            values: noise(seed ^ 2, n),
            visible,
        }
    }

    fn store(&self, format: CacheFormat, dtype: DType) -> KeyValue {
        let width = self.heads.n_kv_heads * self.heads.head_dim;
        let n_keys = self.keys.len() / width;
        let mut store = KeyValue::new(format, dtype, self.heads.n_kv_heads, self.heads.head_dim);
        store.rebase(0, 0..0, n_keys + 3);
        let vectors = self.keys.chunks_exact(width).zip(self.values.chunks_exact(width));
        for (position, (keys, values)) in vectors.enumerate() {
            store.write(position, keys, values);
        }
        store
    }

    /// The definition, one query after the other.
    fn expected(&self) -> Vec<f64> {
        let Heads { n_heads, n_kv_heads, head_dim } = self.heads;
        let mut out = Vec::new();
        for (query, vector) in self.queries.chunks_exact(head_dim).enumerate() {
            let kv_head = query % n_heads / (n_heads / n_kv_heads);
            let at = |key: usize| (key * n_kv_heads + kv_head) * head_dim;
            let dot = |key: usize| -> f64 {
                vector.iter().zip(&self.keys[at(key)..]).map(|(a, b)| a * b).sum()
            };
            let seen = self.visible[query / n_heads].clone();
            let weights: Vec<f64> =
                seen.clone().map(|key| (dot(key) / (head_dim as f64).sqrt()).exp()).collect();
            let total: f64 = weights.iter().sum();
            out.extend((0..head_dim).map(|column| {
                let values = seen.clone().map(|key| self.values[at(key) + column]);
                weights.iter().zip(values).map(|(weight, value)| weight * value).sum::<f64>()
                    / total
            }));
        }
        out
    }

    fn found<T: Attend>(&self, format: CacheFormat) -> Vec<f64> {
        let queries: Vec<T> = self.queries.iter().map(|query| T::from_f64(*query)).collect();
        let mut out = vec![T::from_f64(f64::NAN); queries.len()];
        let store = self.store(format, T::DTYPE);
        let mut scratch = Scratch::default();
        // Twice, as what a call leaves in the scratch may not show in the next.
        for _ in 0..2 {
            attend(self.heads, &queries, &self.visible, &store, &mut scratch, &mut out);
        }
        out.into_iter().map(T::to_f64).collect()
    }
}

#[track_caller]
fn check_close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
    }
}

fn heads() -> impl Strategy<Value = Heads> {
    (1..4usize, 1..4usize, prop_oneof![Just(8), Just(12), Just(16), Just(64), Just(80)]).prop_map(
        |(n_kv_heads, group_size, head_dim)| Heads {
            n_heads: n_kv_heads * group_size,
            n_kv_heads,
            head_dim,
        },
    )
}

/// Consecutive rows, each of which sees itself and what is before, or a window of it.
fn visible() -> impl Strategy<Value = Vec<Range<usize>>> {
    let start = prop_oneof![0..80usize, 480..560usize];
    (start, 1..20usize, prop_oneof![Just(usize::MAX), 0..70usize]).prop_map(
        |(start, n_rows, window)| {
            let rows = start..start + n_rows;
            rows.map(|row| row.saturating_sub(window)..row + 1).collect()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn attention_is_what_its_definition_says(
        heads in heads(), visible in visible(), seed in any::<u32>(),
    ) {
        let case = Case::new(heads, visible, seed);
        let expected = case.expected();
        check_close(&case.found::<f64>(CacheFormat::Exact), &expected, 1e-12);
        check_close(&case.found::<f32>(CacheFormat::Exact), &expected, 2e-5);
        // Rounding moves a key by 1/2048 or 1/254 of its size at most, and values likewise.
        check_close(&case.found::<f32>(CacheFormat::F16), &expected, 4e-3);
        check_close(&case.found::<f64>(CacheFormat::F16), &expected, 4e-3);
        check_close(&case.found::<f32>(CacheFormat::Int8), &expected, 6e-2);
    }
}

/// Long enough for threads and for the keys to be shared out among them.
#[test]
fn a_row_gives_the_same_bits_whatever_stands_beside_it() {
    let heads = Heads { n_heads: 4, n_kv_heads: 2, head_dim: 64 };
    let all: Vec<Range<usize>> = (2000..2040).map(|row| 0..row + 1).collect();
    let case = Case::new(heads, all.clone(), 7);
    let row_len = heads.n_heads * heads.head_dim;
    let together = case.found::<f32>(CacheFormat::F16);
    for n_rows in [1, 2, 5, 16] {
        let mut few = Case::new(heads, all.clone(), 7);
        few.visible.truncate(n_rows);
        few.queries.truncate(n_rows * row_len);
        assert!(
            few.found::<f32>(CacheFormat::F16) == together[..n_rows * row_len],
            "{n_rows} rows"
        );
    }
    check_close(&together, &case.expected(), 2e-3);
}

#[test]
#[cfg(debug_assertions)]
fn what_was_never_written_spoils_the_result() {
    let heads = Heads { n_heads: 2, n_kv_heads: 1, head_dim: 16 };
    for format in [CacheFormat::Exact, CacheFormat::F16, CacheFormat::Int8] {
        let mut case = Case::new(heads, vec![0..4, 0..6], 3);
        case.keys.truncate(5 * 16);
        case.values.truncate(5 * 16);
        let found = case.found::<f32>(format);
        assert!(found[..32].iter().all(|number| number.is_finite()), "{format:?}");
        assert!(found[32..].iter().all(|number| number.is_nan()), "{format:?}");
    }
}
