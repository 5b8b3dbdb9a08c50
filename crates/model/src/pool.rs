//! A few threads that share short pieces of work: they spin for a moment after one, as the next follows soon, then sleep.
//!
//! A decoded token is some hundred pieces of ten to a hundred microseconds; waking a thread for each would cost as much.
#![expect(
    unsafe_code,
    reason = "threads that outlive a call run its closure, and write disjoint columns of one matrix"
)]

use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, LazyLock, Mutex, OnceLock, PoisonError};

/// Looks at the door before a thread goes to sleep: some tens of microseconds.
const SPINS: usize = 4_000;

type Task<'a> = dyn Fn(usize) + Sync + 'a;

struct Pool {
    n_threads: usize,
    /// Held by the one caller whose work is shared; another caller does its own alone.
    busy: Mutex<()>,
    /// Number of the work in the high half, parts not yet taken in the low half.
    door: AtomicU64,
    task: UnsafeCell<Option<*const Task<'static>>>,
    n_done: AtomicUsize,
    panicked: AtomicBool,
    n_asleep: AtomicUsize,
    bed: Mutex<()>,
    alarm: Condvar,
}

// SAFETY: `task` is written only by the holder of `busy` while the door shows no part to take, and read only by who took
// a part, which keeps the holder waiting.
unsafe impl Sync for Pool {}
// SAFETY: as above; the pointer is followed only while its owner waits.
unsafe impl Send for Pool {}

static WANTED: OnceLock<usize> = OnceLock::new();

/// Lets models compute on `n_threads` threads instead of as many as the machine has; `false` if they are at work already.
pub fn set_n_threads(n_threads: usize) -> bool {
    WANTED.set(n_threads.max(1)).is_ok()
}

static POOL: LazyLock<&'static Pool> = LazyLock::new(|| {
    let of_machine = || std::thread::available_parallelism().map_or(1, usize::from);
    let n_threads = *WANTED.get_or_init(of_machine);
    let pool: &'static Pool = Box::leak(Box::new(Pool {
        n_threads,
        busy: Mutex::new(()),
        door: AtomicU64::new(0),
        task: UnsafeCell::new(None),
        n_done: AtomicUsize::new(0),
        panicked: AtomicBool::new(false),
        n_asleep: AtomicUsize::new(0),
        bed: Mutex::new(()),
        alarm: Condvar::new(),
    }));
    for _ in 1..n_threads {
        // Without a thread the others, and in the end the caller, do its part.
        let _ = std::thread::Builder::new().name("model".to_owned()).spawn(|| pool.serve());
    }
    pool
});

/// Threads that work at a time, the caller among them.
pub(crate) fn n_threads() -> usize {
    POOL.n_threads
}

/// Calls `task` with each of `0..n_parts`, on whatever thread is free. A panic of one is passed on when all are done.
pub(crate) fn for_each(n_parts: usize, task: &(dyn Fn(usize) + Sync)) {
    let alone = || (0..n_parts).for_each(task);
    if n_parts < 2 || POOL.n_threads < 2 {
        return alone();
    }
    let Ok(guard) = POOL.busy.try_lock() else { return alone() };
    let has_panicked = POOL.share(n_parts, task);
    // Not poisoned by a panic that is over: others shall share their work.
    drop(guard);
    if has_panicked {
        resume_unwind(Box::new("a part of the work panicked"));
    }
}

impl Pool {
    /// Returns when all parts are done; whether one of them panicked.
    fn share(&self, n_parts: usize, task: &Task<'_>) -> bool {
        // SAFETY: only the lifetime changes; this function does not return before every part is done, and nobody follows
        // the pointer but for a part.
        let task: *const Task<'static> = unsafe { std::mem::transmute(std::ptr::from_ref(task)) };
        // SAFETY: the door shows no part, so nobody reads this.
        unsafe { *self.task.get() = Some(task) };
        self.n_done.store(0, Ordering::Relaxed);
        let number = (self.door.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        self.door.store(number << 32 | n_parts as u64, Ordering::SeqCst);
        if 0 < self.n_asleep.load(Ordering::SeqCst) {
            // Who is about to sleep holds the lock until it does.
            drop(self.bed.lock().unwrap_or_else(PoisonError::into_inner));
            self.alarm.notify_all();
        }
        while self.take_part() {}
        let mut n_spins = 0;
        while self.n_done.load(Ordering::Acquire) < n_parts {
            wait(&mut n_spins);
        }
        self.panicked.swap(false, Ordering::Relaxed)
    }

    /// Does one part, if there is one to take.
    fn take_part(&self) -> bool {
        let took = self.door.fetch_update(Ordering::AcqRel, Ordering::Acquire, |door| {
            if door as u32 == 0 { None } else { Some(door - 1) }
        });
        let Ok(door) = took else { return false };
        // SAFETY: a part was taken and is not done, so the caller waits: the pointer is not written and its closure lives.
        let task = unsafe { (*self.task.get()).map(|task| &*task) };
        if let Some(task) = task {
            let part = (door as u32 - 1) as usize;
            if catch_unwind(AssertUnwindSafe(|| task(part))).is_err() {
                self.panicked.store(true, Ordering::Relaxed);
            }
        }
        self.n_done.fetch_add(1, Ordering::Release);
        true
    }

    fn serve(&self) {
        let mut n_spins = 0;
        loop {
            if self.take_part() {
                n_spins = 0;
            } else if n_spins < SPINS {
                wait(&mut n_spins);
            } else {
                let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
                self.n_asleep.fetch_add(1, Ordering::SeqCst);
                while self.door.load(Ordering::SeqCst) as u32 == 0 {
                    bed = self.alarm.wait(bed).unwrap_or_else(PoisonError::into_inner);
                }
                self.n_asleep.fetch_sub(1, Ordering::SeqCst);
                n_spins = 0;
            }
        }
    }
}

/// Lets others run now and then: whoever is waited for may have no core.
fn wait(n_spins: &mut usize) {
    *n_spins += 1;
    match n_spins.is_multiple_of(256) {
        true => std::thread::yield_now(),
        false => std::hint::spin_loop(),
    }
}

/// Some columns of a matrix [rows, columns] that one thread alone writes.
pub(crate) struct Columns<'a> {
    start: *mut f32,
    n_rows: usize,
    n_columns: usize,
    range: Range<usize>,
    matrix: PhantomData<&'a mut [f32]>,
}

impl Columns<'_> {
    /// Which columns these are.
    pub(crate) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    /// Some of these columns, counted from the first of them, in `N` rows from `first` on.
    pub(crate) fn rows<const N: usize>(
        &mut self,
        first: usize,
        columns: Range<usize>,
    ) -> [&mut [f32]; N] {
        assert!(first + N <= self.n_rows);
        assert!(columns.start <= columns.end && columns.end <= self.range.len());
        std::array::from_fn(|i| {
            let start = (first + i) * self.n_columns + self.range.start + columns.start;
            // SAFETY: these columns of the row lie within the matrix; nobody else has them, and each row is given once.
            unsafe { std::slice::from_raw_parts_mut(self.start.add(start), columns.len()) }
        })
    }
}

/// Hands each range of columns of `matrix` [rows, `n_columns`] to `task`: `per_part` at a time, the last maybe fewer.
pub(crate) fn for_each_columns(
    matrix: &mut [f32],
    n_columns: usize,
    per_part: usize,
    task: impl Fn(Columns<'_>) + Sync,
) {
    struct Start(*mut f32);
    // SAFETY: the pointer is used for columns that no other thread has.
    unsafe impl Sync for Start {}
    impl Start {
        fn get(&self) -> *mut f32 {
            self.0
        }
    }

    if n_columns == 0 || per_part == 0 {
        return;
    }
    let n_rows = matrix.len() / n_columns;
    let start = Start(matrix.as_mut_ptr());
    for_each(n_columns.div_ceil(per_part), &|part| {
        let range = part * per_part..n_columns.min((part + 1) * per_part);
        task(Columns { start: start.get(), n_rows, n_columns, range, matrix: PhantomData });
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_done_once() {
        for n_parts in [0, 1, 2, 3, 64, 1000] {
            let counts: Vec<AtomicUsize> = (0..n_parts).map(|_| AtomicUsize::new(0)).collect();
            for _ in 0..50 {
                for_each(n_parts, &|part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
            }
            assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 50));
        }
    }

    #[test]
    fn work_within_work_and_beside_work_is_done() {
        let n_done = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for_each(10, &|_| {
                        for_each(10, &|_| {
                            n_done.fetch_add(1, Ordering::Relaxed);
                        });
                    });
                });
            }
        });
        assert_eq!(n_done.load(Ordering::Relaxed), 400);
    }

    #[test]
    fn a_sleeping_thread_is_woken() {
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let n_done = AtomicUsize::new(0);
            for_each(100, &|_| {
                n_done.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(n_done.load(Ordering::Relaxed), 100);
        }
    }

    #[test]
    fn a_panic_reaches_the_caller_and_spoils_nothing() {
        let panicked = catch_unwind(|| {
            for_each(20, &|part| assert!(part != 7));
        });
        assert!(panicked.is_err());
        assert!(!POOL.busy.is_poisoned(), "nobody would share any more");
        let n_done = AtomicUsize::new(0);
        for_each(20, &|_| {
            n_done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(n_done.load(Ordering::Relaxed), 20);
    }

    #[test]
    fn columns_are_written_where_they_stand() {
        let mut matrix = vec![0.0; 3 * 10];
        for_each_columns(&mut matrix, 10, 4, |mut columns| {
            for row in 0..3 {
                let start = columns.range().start;
                let n_columns = columns.range().len();
                let [values] = columns.rows(row, 0..n_columns);
                for (i, value) in values.iter_mut().enumerate() {
                    *value = (row * 10 + start + i) as f32;
                }
            }
        });
        assert!(matrix.iter().enumerate().all(|(i, value)| *value == i as f32));
    }
}
