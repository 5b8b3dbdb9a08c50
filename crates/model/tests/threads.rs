//! A model computes on as many threads as it was told: counted in a process of its own, as the pool starts once.
#![cfg(target_os = "linux")]

use std::path::Path;

use model::{LoadOptions, Plt, set_n_threads};

#[test]
fn as_many_threads_as_were_asked_for() {
    assert!(set_n_threads(3));
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity/r2-gqa-w5");
    let model = Plt::from_directory(&fixture, LoadOptions::default()).unwrap();
    model.prefill(&[1, 2, 3], &mut model.new_cache()).unwrap();
    let helpers = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let names = tasks.map(|task| std::fs::read_to_string(task.path().join("comm")).unwrap());
        names.filter(|name| name.trim() == "model").count()
    };
    // A thread has its name a moment after it was started.
    for _ in 0..200 {
        if helpers() == 2 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert_eq!(helpers(), 2);
    assert!(!set_n_threads(1));
}
