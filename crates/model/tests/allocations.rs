//! A decoded token allocates nothing: counted in a process of its own, where nobody else does.
#![expect(unsafe_code, reason = "an allocator that counts before it asks the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use model::{LoadOptions, Plt};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on as it came.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: for callers: as of the system's.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller says.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: for callers: as of the system's.
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller says.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Rounds of six tokens; all of them lie within the capacity that the cache has from the start.
const N_ROUNDS: usize = 8;

/// One test, so that none runs beside it.
#[test]
fn a_decoded_token_allocates_nothing() {
    for fixture in ["r1-mha-tied", "r2-gqa-w5", "r3-gqa-w5-bf16"] {
        let directory =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity").join(fixture);
        let model = Plt::from_directory(&directory, LoadOptions::default()).unwrap();
        let mut cache = model.new_cache();
        let mut logits = Vec::new();
        model.extend(&[1, 2, 3], &mut cache).unwrap();
        // The first rounds take the room that all later ones use, and a thread of the pool that starts late takes its own
        // once; what a token itself allocates is there in every round.
        let fewest = (0..N_ROUNDS)
            .map(|_| {
                let before = ALLOCATIONS.load(Ordering::Relaxed);
                for token in 0..6 {
                    model.decode_into(token, &mut cache, &mut logits).unwrap();
                }
                ALLOCATIONS.load(Ordering::Relaxed) - before
            })
            .min();
        assert_eq!(fewest, Some(0), "{fixture}");
        assert!(logits.iter().all(|logit| logit.is_finite()));
    }
}
