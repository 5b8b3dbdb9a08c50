//! Rows, caches and queries for tests of attention, and what attention is of them in double precision.

use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::ops::Range;

use half::f16;

use crate::Result;
use crate::buffer::Buffer;
use crate::device::Device;
use crate::shapes::{Loop, Row, Sequence};

/// Other numbers in each run; a test that fails shows the seed.
#[derive(Debug)]
pub(in crate::launch) struct Random {
    seed: u64,
    state: u64,
}

impl Drop for Random {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "seed {}", self.seed);
        }
    }
}

impl Random {
    pub(in crate::launch) fn fresh() -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { seed, state: seed }
    }

    pub(in crate::launch) fn next(&mut self) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly within -1..1.
    pub(in crate::launch) fn float(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    pub(in crate::launch) fn floats(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| self.float()).collect()
    }

    pub(in crate::launch) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// What a test of attention is about.
#[derive(Debug, Clone)]
pub(in crate::launch) struct Case {
    pub(in crate::launch) n_heads: usize,
    pub(in crate::launch) n_kv_heads: usize,
    pub(in crate::launch) head_dim: usize,
    pub(in crate::launch) window: usize,
    /// Loop and position of each row.
    pub(in crate::launch) rows: Vec<(usize, usize)>,
    /// What queries are multiplied with.
    pub(in crate::launch) contrast: f32,
}

pub(in crate::launch) const N_LAYERS: usize = 2;
pub(in crate::launch) const LAYER: usize = 1;

/// Keys or values of a loop, [layer, kv head, slot, head dimension], not a number where no row sees them.
struct Store {
    numbers: Vec<f16>,
    base: usize,
    capacity: usize,
}

/// A case with its numbers, here and on the device.
pub(in crate::launch) struct World {
    pub(in crate::launch) case: Case,
    pub(in crate::launch) queries: Vec<f16>,
    keys: Vec<Store>,
    values: Vec<Store>,
    /// What the sequence names.
    _buffers: Vec<Buffer<f16>>,
    pub(in crate::launch) device_rows: Buffer<Row>,
    pub(in crate::launch) device_queries: Buffer<f16>,
    pub(in crate::launch) sequence: Buffer<Sequence>,
}

/// Softmax of some keys: the largest score in units of log2, the sum of weights relative to it, and the weighted mean.
#[derive(Debug, Clone)]
pub(in crate::launch) struct Attended {
    pub(in crate::launch) largest: f64,
    pub(in crate::launch) weights: f64,
    pub(in crate::launch) mean: Vec<f64>,
}

impl Case {
    /// Keys that a row sees of loop 0 within a split of so many, and of its own loop.
    pub(in crate::launch) fn seen(&self, row: usize, local: bool) -> Range<usize> {
        let (_, position) = self.rows[row];
        match local {
            true => position.saturating_sub(self.window)..position + 1,
            false => 0..position + 1,
        }
    }

    pub(in crate::launch) fn n_loops(&self) -> usize {
        self.rows.iter().map(|(r#loop, _)| r#loop + 1).max().unwrap_or(1)
    }
}

impl World {
    pub(in crate::launch) fn new(device: &Device, random: &mut Random, case: Case) -> Result<Self> {
        let Case { n_heads, head_dim, .. } = case;
        let n_queries = case.rows.len() * n_heads * head_dim;
        let contrast = 2.0 * case.contrast;
        let queries: Vec<f16> =
            (0..n_queries).map(|_| f16::from_f32(contrast * random.float())).collect();
        let mut buffers = Vec::new();
        let mut sequence = Sequence {
            n_loops: case.n_loops() as u32,
            window: case.window as u32,
            ..Sequence::default()
        };
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for r#loop in 0..case.n_loops() {
            let seen = seen_of_loop(&case, r#loop);
            let first = seen.iter().position(|seen| *seen).unwrap_or(0);
            // Later loops keep a ring: some slots before the first key, some behind the last.
            let base = if r#loop == 0 { 0 } else { first.saturating_sub(random.below(20)) };
            let slots = base..seen.len() + random.below(20);
            keys.push(Store::new(random, &case, &seen, slots.clone()));
            values.push(Store::new(random, &case, &seen, slots));
            let of_keys = device.upload(&keys[r#loop].numbers)?;
            let of_values = device.upload(&values[r#loop].numbers)?;
            sequence.loops[r#loop] = Loop {
                keys: of_keys.address(),
                values: of_values.address(),
                carried: 0,
                base: keys[r#loop].base as u32,
                capacity: keys[r#loop].capacity as u32,
            };
            buffers.extend([of_keys, of_values]);
        }
        let row = |&(r#loop, position): &(usize, usize)| Row {
            token: 0,
            position: position as u32,
            r#loop: r#loop as u32,
            reserved: 0,
        };
        let rows: Vec<Row> = case.rows.iter().map(row).collect();
        Ok(Self {
            device_rows: device.upload(&rows)?,
            device_queries: device.upload(&queries)?,
            sequence: device.upload(&[sequence])?,
            case,
            queries,
            keys,
            values,
            _buffers: buffers,
        })
    }

    /// What the query of `row` and `head` takes from keys of a loop.
    pub(in crate::launch) fn attend(
        &self,
        row: usize,
        head: usize,
        r#loop: usize,
        positions: Range<usize>,
    ) -> Attended {
        let Case { n_heads, n_kv_heads, head_dim, .. } = self.case;
        let kv_head = head / (n_heads / n_kv_heads);
        let query = &self.queries[(row * n_heads + head) * head_dim..][..head_dim];
        let scale = std::f64::consts::LOG2_E / (head_dim as f64).sqrt();
        let scores: Vec<f64> = positions
            .clone()
            .map(|position| {
                let key = self.keys[r#loop].at(&self.case, kv_head, position);
                let products = query.iter().zip(key).map(|(q, k)| q.to_f64() * k.to_f64());
                products.sum::<f64>() * scale
            })
            .collect();
        let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> = scores.iter().map(|score| (score - largest).exp2()).collect();
        let sum: f64 = weights.iter().sum();
        let mut mean = vec![0.0; head_dim];
        for (position, weight) in positions.zip(&weights) {
            let value = self.values[r#loop].at(&self.case, kv_head, position);
            for (mean, value) in mean.iter_mut().zip(value) {
                *mean += weight / sum * value.to_f64();
            }
        }
        Attended { largest, weights: sum, mean }
    }
}

impl Store {
    fn new(random: &mut Random, case: &Case, seen: &[bool], slots: Range<usize>) -> Self {
        let (base, capacity) = (slots.start, slots.len());
        let n_vectors = N_LAYERS * case.n_kv_heads * capacity;
        let mut numbers = vec![f16::NAN; n_vectors * case.head_dim];
        for (i, vector) in numbers.chunks_exact_mut(case.head_dim).enumerate() {
            let (layer, slot) = (i / (case.n_kv_heads * capacity), i % capacity);
            if layer == LAYER && seen.get(base + slot).is_some_and(|seen| *seen) {
                vector.fill_with(|| f16::from_f32(2.0 * random.float()));
            }
        }
        Self { numbers, base, capacity }
    }

    fn at(&self, case: &Case, kv_head: usize, position: usize) -> &[f16] {
        let vector = (LAYER * case.n_kv_heads + kv_head) * self.capacity + position - self.base;
        &self.numbers[vector * case.head_dim..][..case.head_dim]
    }
}

/// By position, whether some row sees it in a loop.
fn seen_of_loop(case: &Case, r#loop: usize) -> Vec<bool> {
    let end = case.rows.iter().map(|(_, position)| position + 1).max().unwrap_or(1);
    let mut seen = vec![false; end];
    for row in 0..case.rows.len() {
        if r#loop == 0 || case.rows[row].0 == r#loop {
            seen[case.seen(row, r#loop != 0)].fill(true);
        }
    }
    seen
}
