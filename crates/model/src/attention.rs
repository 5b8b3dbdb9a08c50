//! Scaled dot-product attention with grouped queries, straight from the cache.
//!
//! Scores are never kept for all keys: a row takes them in blocks and corrects what it has summed so far whenever a
//! larger one comes (online softmax, arXiv 1805.02867), so a prompt of any length needs little memory.

mod kernel;

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

pub(crate) use self::kernel::Attend;
use self::kernel::{Part, State, scratch_len};
use crate::cache::KeyValue;
use crate::pool;
use crate::real::Real;

/// Keys whose sums are made apart and then merged, counted from position 0: it makes no difference to a row's bits
/// which thread computes it and which rows stand beside it.
const SPLIT: usize = 512;

/// Rows of one task, at most.
const TASK_ROWS: usize = 16;

/// Multiplications below which other threads are not worth waking.
const PARALLEL: usize = 1 << 18;

/// Query heads, and the key/value heads they share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heads {
    pub(crate) n_heads: usize,
    pub(crate) n_kv_heads: usize,
    pub(crate) head_dim: usize,
}

impl Heads {
    fn group_size(self) -> usize {
        self.n_heads / self.n_kv_heads
    }
}

/// Memory that is taken once and used for every call.
#[derive(Debug)]
pub(crate) struct Scratch<T> {
    /// A task's; where the tasks run one after the other, they all use the first.
    tasks: Vec<Mutex<Vec<T>>>,
}

impl<T> Default for Scratch<T> {
    fn default() -> Self {
        Self { tasks: Vec::new() }
    }
}

/// What a task does: some rows of one key/value head over some keys.
struct Task {
    kv_head: usize,
    rows: Range<usize>,
    /// In units of [`SPLIT`].
    splits: Range<usize>,
}

/// How the work is cut into tasks.
struct Plan {
    heads: Heads,
    n_rows: usize,
    /// All that some row sees, in units of [`SPLIT`].
    splits: Range<usize>,
    /// Splits of one task; where there are several tasks for the same rows, each split's sums are kept.
    splits_per_task: usize,
}

impl Plan {
    fn new(heads: Heads, visible: &[Range<usize>], n_threads: usize) -> Self {
        let start = visible.iter().map(|keys| keys.start).min().unwrap_or(0);
        let end = visible.iter().map(|keys| keys.end).max().unwrap_or(0);
        let splits = start / SPLIT..end.div_ceil(SPLIT);
        let n_tasks = heads.n_kv_heads * visible.len().div_ceil(TASK_ROWS);
        // A few rows over many keys: the keys are shared out as well.
        let is_short_of_tasks = 1 < n_threads && n_tasks < 2 * n_threads;
        let n_shares = match is_short_of_tasks && visible.len() <= TASK_ROWS {
            true => (2 * n_threads).div_ceil(n_tasks.max(1)),
            false => 1,
        };
        let splits_per_task = splits.len().div_ceil(n_shares).max(1);
        Self { heads, n_rows: visible.len(), splits, splits_per_task }
    }

    fn n_shares(&self) -> usize {
        self.splits.len().div_ceil(self.splits_per_task)
    }

    /// In the order of heads, then rows, then keys.
    fn task(&self, index: usize) -> Task {
        let n_shares = self.n_shares();
        let n_blocks = self.n_rows.div_ceil(TASK_ROWS);
        let (block, share) = (index / n_shares, index % n_shares);
        let first_row = block % n_blocks * TASK_ROWS;
        let first_split = self.splits.start + share * self.splits_per_task;
        Task {
            kv_head: block / n_blocks,
            rows: first_row..self.n_rows.min(first_row + TASK_ROWS),
            splits: first_split..self.splits.end.min(first_split + self.splits_per_task),
        }
    }

    fn n_tasks(&self) -> usize {
        self.heads.n_kv_heads * self.n_rows.div_ceil(TASK_ROWS) * self.n_shares()
    }

    /// Queries of one task, at most.
    fn n_queries(&self) -> usize {
        self.n_rows.min(TASK_ROWS) * self.heads.group_size()
    }

    /// Numbers of scratch that a task needs: its sums, one split's sums, and what the kernel needs.
    fn task_len(&self) -> usize {
        let state = State::<f32>::len(self.n_queries(), self.heads.head_dim);
        let n_kept = if self.n_shares() == 1 { 1 } else { self.splits_per_task };
        (n_kept + 1) * state + scratch_len(self.n_queries(), self.heads.head_dim)
    }
}

/// Attends `queries`, [rows, heads, head_dim], to the keys that each row sees; writes [rows, heads, head_dim].
///
/// Query head `h` reads key/value head `h / (heads / kv_heads)`; every row sees a key at least.
pub(crate) fn attend<T: Attend>(
    heads: Heads,
    queries: &[T],
    visible: &[Range<usize>],
    store: &KeyValue,
    scratch: &mut Scratch<T>,
    out: &mut [T],
) {
    let n_products: usize =
        visible.iter().map(Range::len).sum::<usize>() * heads.n_heads * heads.head_dim;
    let n_threads = if n_products < PARALLEL { 1 } else { pool::n_threads() };
    let plan = Plan::new(heads, visible, n_threads);
    let task_len = plan.task_len();
    let n_scratches = if n_threads == 1 { 1 } else { plan.n_tasks() };
    if scratch.tasks.len() < n_scratches {
        scratch.tasks.resize_with(n_scratches, Mutex::default);
    }
    for numbers in &mut scratch.tasks[..n_scratches] {
        let numbers = numbers.get_mut().unwrap_or_else(PoisonError::into_inner);
        if numbers.len() < task_len {
            numbers.resize(task_len, T::zero());
        }
    }
    let tasks = scratch.tasks.as_slice();
    let run = |index: usize, numbers: &mut [T]| {
        let Task { kv_head, rows, splits } = plan.task(index);
        let state_len = State::<T>::len(plan.n_queries(), heads.head_dim);
        let (states, scratch) = numbers[..task_len]
            .split_at_mut(task_len - scratch_len(plan.n_queries(), heads.head_dim));
        let (states, split_state) = states.split_at_mut(states.len() - state_len);
        let n_queries = rows.len() * heads.group_size();
        for (i, split) in splits.enumerate() {
            let part = Part {
                heads,
                kv_head,
                queries,
                rows: rows.clone(),
                visible,
                store,
                keys: split * SPLIT..(split + 1) * SPLIT,
            };
            if plan.n_shares() != 1 {
                let kept = &mut states[i * state_len..(i + 1) * state_len];
                T::run(&part, &mut State::of(kept, n_queries, heads.head_dim), scratch);
                continue;
            }
            let mut sums = State::of(states, n_queries, heads.head_dim);
            if i == 0 {
                T::run(&part, &mut sums, scratch);
                continue;
            }
            let mut of_split = State::of(split_state, n_queries, heads.head_dim);
            T::run(&part, &mut of_split, scratch);
            sums.merge(&of_split);
        }
    };
    if n_threads == 1 {
        for index in 0..plan.n_tasks() {
            run(index, &mut lock(&tasks[0]));
            write_out(&plan, index, &tasks[..1], out);
        }
        return;
    }
    pool::for_each(plan.n_tasks(), &|index| run(index, &mut lock(&tasks[index])));
    let n_shares = plan.n_shares();
    for (i, tasks) in tasks[..n_scratches].chunks(n_shares).enumerate() {
        write_out(&plan, i * n_shares, tasks, out);
    }
}

fn lock<T>(numbers: &Mutex<Vec<T>>) -> impl std::ops::DerefMut<Target = Vec<T>> {
    // What a panic left there is overwritten.
    numbers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writes what the tasks from `index` on found for the same rows, whose scratch is `tasks`.
fn write_out<T: Real>(plan: &Plan, index: usize, tasks: &[Mutex<Vec<T>>], out: &mut [T]) {
    let Heads { n_heads, head_dim, .. } = plan.heads;
    let group_size = plan.heads.group_size();
    let Task { kv_head, rows, .. } = plan.task(index);
    let n_queries = rows.len() * group_size;
    let state_len = State::<T>::len(plan.n_queries(), head_dim);
    let mut first = lock(&tasks[0]);
    let (first, rest) = first.split_at_mut(state_len);
    let mut sums = State::of(first, n_queries, head_dim);
    if plan.n_shares() != 1 {
        for split in 1..plan.splits.len() {
            match (split / plan.splits_per_task, split % plan.splits_per_task) {
                (0, i) => {
                    let numbers = &mut rest[(i - 1) * state_len..i * state_len];
                    sums.merge(&State::of(numbers, n_queries, head_dim));
                }
                (task, i) => {
                    let numbers = &mut lock(&tasks[task])[i * state_len..(i + 1) * state_len];
                    sums.merge(&State::of(numbers, n_queries, head_dim));
                }
            }
        }
    }
    for (i, row) in rows.enumerate() {
        for in_group in 0..group_size {
            let head = kv_head * group_size + in_group;
            let start = (row * n_heads + head) * head_dim;
            sums.write(i * group_size + in_group, &mut out[start..start + head_dim]);
        }
    }
}

#[cfg(test)]
#[path = "attention/tests.rs"]
mod tests;
