//! Saved indexes: whole or not there; and the thread that keeps one.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::{
    Index, IndexEvent, Indexer, IndexerConfig, MemorySystem, OsSystem, Scan, System, Workspace,
};

fn machine() -> Arc<MemorySystem> {
    let system = MemorySystem::new([
        ("/repo/a.py", "import b\ndef alpha(): return b.beta()\n"),
        ("/repo/b.py", "def beta(): return 'ghp_9Xk2Qm7Zp4Rt8Vw3Yb6Nc1Ld5Jf0HgTt8Vw3'\n"),
    ]);
    system.set_variable("XDG_CACHE_HOME", "/cache");
    Arc::new(system)
}

fn scan(index: &Index) -> Index {
    let cancel = AtomicBool::new(false);
    index.scan(&Scan { n_threads: 1, cancel: &cancel, progress: &|_| {} })
}

fn load(system: &Arc<MemorySystem>) -> Index {
    Index::load(Arc::<MemorySystem>::clone(system), "/repo".into())
}

fn defines(index: &Index, name: &str) -> bool {
    let mut workspace = Workspace::new(vec![index.root().to_owned()]);
    workspace.set_index(index.clone());
    let snapshot = workspace.snapshot();
    !snapshot.repository(None).definitions(name).is_empty()
}

fn saved_path(system: &MemorySystem) -> PathBuf {
    system.paths().into_iter().find(|path| path.starts_with("/cache/dacapo/index")).unwrap()
}

#[test]
fn what_was_saved_is_loaded() {
    let system = machine();
    assert_eq!(load(&system).size().n_files, 0);
    let index = scan(&load(&system));
    index.save().unwrap();
    let loaded = load(&system);
    assert_eq!(loaded.size().n_files, 2);
    assert!(defines(&loaded, "alpha") && defines(&loaded, "beta"));
    // Another root has another index.
    let other = Index::load(Arc::<MemorySystem>::clone(&system), "/other".into());
    assert_eq!(other.size().n_files, 0);
}

#[test]
fn a_saved_index_holds_no_secret() {
    let system = machine();
    scan(&load(&system)).save().unwrap();
    let bytes = system.read(&saved_path(&system), u64::MAX).unwrap();
    let text = String::from_utf8_lossy(&bytes).to_lowercase();
    assert!(text.contains("beta") && !text.contains("9xk2qm7z"), "{text}");
}

#[test]
fn what_is_torn_or_foreign_is_not_loaded() {
    let system = machine();
    scan(&load(&system)).save().unwrap();
    let path = saved_path(&system);
    let whole = system.read(&path, u64::MAX).unwrap();
    for n in (0..whole.len()).step_by(7) {
        system.write(&path, &whole[..n]);
        assert_eq!(load(&system).size().n_files, 0, "{n} bytes");
    }
    for at in (0..whole.len()).step_by(5) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        system.write(&path, bytes);
        assert_eq!(load(&system).size().n_files, 0, "bit {at}");
    }
    system.write(&path, whole);
    assert_eq!(load(&system).size().n_files, 2);
}

#[test]
fn an_index_that_was_loaded_is_brought_up_to_date() {
    let system = machine();
    scan(&load(&system)).save().unwrap();
    system.write("/repo/b.py", "def gamma(): pass\n");
    system.remove(Path::new("/repo/a.py"));
    system.write("/repo/c.py", "def delta(): pass\n");
    let index = scan(&load(&system));
    let names = ["alpha", "beta", "gamma", "delta"];
    assert_eq!(names.map(|name| defines(&index, name)), [false, false, true, true]);
}

#[test]
fn without_a_cache_folder_nothing_is_saved() {
    let system = Arc::new(MemorySystem::new([("/repo/a.py", "x = 1\n")]));
    assert!(scan(&load(&system)).save().is_err());
}

#[test]
fn several_may_save_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("index");
    std::thread::scope(|scope| {
        for byte in 0..4_u8 {
            let path = &path;
            scope.spawn(move || {
                for _ in 0..8 {
                    OsSystem.replace(path, &[byte; 10_000]).unwrap();
                    let read = OsSystem.read(path, 10_000).unwrap();
                    assert!(read.len() == 10_000 && read.iter().all(|other| *other == read[0]));
                }
            });
        }
    });
    let entries = std::fs::read_dir(path.parent().unwrap()).unwrap();
    assert_eq!(entries.count(), 1, "no temporary file is left");
}

#[test]
fn ignored_hidden_and_odd_files_are_not_walked() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(".gitignore", "/made/\n*.gen.py\n");
    write("sub/.dacapoignore", "private.py\n");
    write("made/a.py", "");
    write("sub/private.py", "");
    write("sub/b.gen.py", "");
    write(".hidden/c.py", "");
    write("sub/kept.py", "def kept(): pass\n");
    write("top.py", "");
    write("binary.py", "a\0b");
    write("minified.js", &"var a=1;".repeat(400));
    write("latin1.py", "");
    std::fs::write(folder.path().join("latin1.py"), b"# gr\xf6\xdfe\n").unwrap();
    let root = folder.path().to_owned();
    let walked = |path: &str| OsSystem.is_walked(&root, &root.join(path));
    assert!(walked("sub/kept.py") && walked("top.py"));
    assert!(!walked("made/a.py") && !walked("sub/private.py") && !walked("sub/b.gen.py"));
    assert!(!walked(".hidden/c.py") && !walked("gone.py") && !walked("sub"));

    let index = scan(&Index::empty(Arc::new(OsSystem), root.clone()));
    let mut workspace = Workspace::new(vec![root.clone()]);
    let paths = |workspace: &Workspace| -> Vec<String> {
        let snapshot = workspace.snapshot();
        let repository = snapshot.repository(None);
        let mut paths: Vec<_> = repository.files().map(|file| file.path().to_owned()).collect();
        paths.sort();
        paths
    };
    workspace.set_index(index.clone());
    assert_eq!(paths(&workspace), ["sub/kept.py", "top.py"]);
    std::fs::remove_dir_all(root.join("sub")).unwrap();
    write("sub2/new.py", "");
    let changed = [root.join("sub"), root.join("sub2/new.py"), root.join("made/a.py")];
    workspace
        .set_index(index.refresh(&[&changed[..], &["/elsewhere.py".into()]].concat()).unwrap());
    assert_eq!(paths(&workspace), ["sub2/new.py", "top.py"]);
}

#[test]
fn what_is_not_indexed_changes_nothing() {
    let index = scan(&load(&machine()));
    assert!(index.refresh(&["/repo/a.o".into(), "/repo/target".into(), "/b.py".into()]).is_none());
}

/// Long enough for any machine; nothing waits so long unless it has failed.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn next_index(events: &Receiver<IndexEvent>) -> Index {
    loop {
        if let IndexEvent::Updated(index) = events.recv_timeout(PATIENCE).unwrap() {
            return index;
        }
    }
}

#[track_caller]
fn wait_until_complete(events: &Receiver<IndexEvent>) {
    while !matches!(events.recv_timeout(PATIENCE).unwrap(), IndexEvent::Complete) {}
}

fn start(system: &Arc<MemorySystem>, root: &str) -> (Indexer, Receiver<IndexEvent>) {
    let (sender, events) = channel();
    let config = IndexerConfig {
        system: Arc::<MemorySystem>::clone(system),
        root: root.into(),
        n_threads: 2,
        persistent: true,
    };
    let indexer = Indexer::start(config, move |event| {
        let _ = sender.send(event);
    });
    (indexer, events)
}

#[test]
fn an_indexer_scans_follows_and_saves() {
    let system = machine();
    let (indexer, events) = start(&system, "/repo");
    assert!(defines(&next_index(&events), "alpha"));
    wait_until_complete(&events);
    system.write("/repo/c.py", "def gamma(): pass\n");
    indexer.refresh(vec!["/repo/c.py".into()]);
    assert!(defines(&next_index(&events), "gamma"));
    system.remove(Path::new("/repo/a.py"));
    indexer.scan();
    assert!(!defines(&next_index(&events), "alpha"));
    drop(indexer);
    // The thread is done when it lets go of the sender.
    while events.recv_timeout(PATIENCE).is_ok() {}
    assert!(defines(&load(&system), "gamma"));

    let (_indexer, events) = start(&system, "/repo");
    assert!(defines(&next_index(&events), "gamma"), "what was saved comes first");
    wait_until_complete(&events);
}

#[test]
fn a_file_that_is_ignored_from_now_on_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.py"), "def alpha(): pass\n").unwrap();
    let (sender, events) = channel();
    let config = IndexerConfig {
        system: Arc::new(OsSystem),
        root: folder.path().to_owned(),
        n_threads: 1,
        persistent: false,
    };
    let indexer = Indexer::start(config, move |event| {
        let _ = sender.send(event);
    });
    assert!(defines(&next_index(&events), "alpha"));
    wait_until_complete(&events);
    let rules = folder.path().join(".dacapoignore");
    std::fs::write(&rules, "a.py\n").unwrap();
    indexer.refresh(vec![rules]);
    assert!(!defines(&next_index(&events), "alpha"));
}

#[test]
fn a_home_folder_is_no_project() {
    let system = machine();
    system.set_variable("HOME", "/repo/me");
    for root in ["/", "/repo", "/repo/me"] {
        let (_indexer, events) = start(&system, root);
        assert!(matches!(events.recv_timeout(PATIENCE).unwrap(), IndexEvent::Complete));
    }
}
