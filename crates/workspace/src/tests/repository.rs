//! Repositories case by case: what is found in them, and that the way there does not matter.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use crate::{
    Change, DocumentId, Index, Language, MemorySystem, Query, Repository, Scan, Snapshot, Workspace,
};

fn scan(index: &Index) -> Index {
    let cancel = AtomicBool::new(false);
    index.scan(&Scan { n_threads: 2, cancel: &cancel, progress: &|_| {} })
}

fn root() -> PathBuf {
    PathBuf::from("/repo")
}

/// Files from `//- path` lines, and the index of them.
#[track_caller]
fn system(fixture: &str) -> Arc<MemorySystem> {
    let system = MemorySystem::default();
    for file in fixture.split("//- ").skip(1) {
        let (path, text) = file.split_once('\n').unwrap();
        system.write(root().join(path), text);
    }
    Arc::new(system)
}

fn snapshot(system: &Arc<MemorySystem>) -> Snapshot {
    let mut workspace = Workspace::new(vec![root()]);
    workspace.set_index(scan(&Index::empty(Arc::<MemorySystem>::clone(system), root())));
    workspace.snapshot()
}

const SHOP: &str = "\
//- src/lib.rs
mod store;
use crate::store::{Store, open as open_store};
pub fn run() -> usize { open_store(\"x\").count_items() }
//- src/store.rs
/// Keeps items.
pub struct Store { items: Vec<String> }
impl Store {
    pub fn count_items(&self) -> usize { self.items.len() }
}
pub fn open(name: &str) -> Store { Store { items: vec![name.into()] } }
//- web/app.ts
import { fetchItems } from './api/items';
export class App { render() { return fetchItems(); } }
//- web/api/items.ts
export function fetchItems(): string[] { return []; }
//- notes.md
How items are counted.
//- .env
API_KEY=abcdefgh
//- Cargo.lock
name = \"items\"
";

fn show_definitions(repository: &Repository<'_>, name: &str) -> Vec<String> {
    let definitions = repository.definitions(name).into_iter();
    definitions
        .map(|definition| {
            let text = definition.file().text().unwrap();
            let container = definition.container().map(|name| format!("{name} > "));
            format!(
                "{} {}{} {}: {}",
                definition.file().path(),
                container.unwrap_or_default(),
                definition.kind().name(),
                definition.name(),
                &text[definition.signature()]
            )
        })
        .collect()
}

#[test]
fn definitions_are_found_by_name() {
    let system = system(SHOP);
    let snapshot = snapshot(&system);
    let repository = snapshot.repository(None);
    assert_eq!(
        show_definitions(&repository, "count_items"),
        ["src/store.rs Store > method count_items: pub fn count_items(&self) -> usize"]
    );
    assert_eq!(
        show_definitions(&repository, "Store"),
        [
            "src/store.rs struct Store: pub struct Store",
            "src/store.rs implementation Store: impl Store"
        ]
    );
    assert!(repository.definitions("nothing").is_empty());
    let count_items = repository.definitions("count_items")[0];
    assert_eq!(count_items.parent().unwrap().name(), "Store");
    assert_eq!(
        &count_items.file().text().unwrap()[count_items.body().unwrap()],
        "{ self.items.len() }"
    );
}

#[test]
fn uses_are_found_by_name() {
    let system = system(SHOP);
    let snapshot = snapshot(&system);
    let repository = snapshot.repository(None);
    let show = |name: &str| -> Vec<String> {
        let uses = repository.uses(name).into_iter();
        uses.map(|found| format!("{} {} {:?}", found.file.path(), found.count, found.kind))
            .collect()
    };
    assert_eq!(show("Store"), ["src/lib.rs 1 Use", "src/store.rs 2 Type"]);
    assert_eq!(show("count_items"), ["src/lib.rs 1 Call"]);
    let lib = repository.file(Path::new("/repo/src/lib.rs")).unwrap();
    assert!(lib.uses().any(|found| found.name == "open_store"));
    assert_eq!(lib.language(), Some(Language::Rust));
}

#[test]
fn searches_find_chunks_and_leave_out_secrets_and_lock_files() {
    let system = system(SHOP);
    let snapshot = snapshot(&system);
    let repository = snapshot.repository(None);
    let search = |text: &str| -> Vec<&str> {
        let found = repository.search(&Query::of_text(text), 3, |_| true);
        found.into_iter().map(|(chunk, _)| chunk.file().path()).collect()
    };
    assert_eq!(search("countItems"), ["src/lib.rs", "src/store.rs", "web/app.ts"]);
    assert_eq!(search("fetch_items(app)"), ["web/app.ts", "web/api/items.ts", "src/store.rs"]);
    assert_eq!(search("counted"), ["notes.md"]);
    assert!(search("abcdefgh").is_empty() && !search("name").is_empty());
    assert!(repository.file_at(".env").is_none() && repository.file_at("Cargo.lock").is_none());
    let rust = repository
        .search(&Query::of_text("items"), 9, |file| file.language() == Some(Language::Rust));
    assert!(!rust.is_empty() && rust.iter().all(|(chunk, _)| chunk.file().path().ends_with(".rs")));
    assert!(rust[0].0.text().unwrap().contains("items"));
}

#[test]
fn an_open_document_stands_for_its_file() {
    let system = system(SHOP);
    let mut workspace = Workspace::new(vec![root()]);
    workspace.set_index(scan(&Index::empty(Arc::<MemorySystem>::clone(&system), root())));
    let id = DocumentId("store".into());
    let path = root().join("src/store.rs");
    workspace.open(id.clone(), Some(path.clone()), Some(Language::Rust), 1, "pub fn shut() {}\n");
    let snapshot = workspace.snapshot();
    let repository = snapshot.repository(None);
    assert_eq!(
        show_definitions(&repository, "shut"),
        ["src/store.rs function shut: pub fn shut()"]
    );
    assert!(repository.definitions("count_items").is_empty());
    assert_eq!(repository.file(&path).unwrap().document().unwrap().id, id);
    let lib = repository.file_at("src/lib.rs").unwrap();
    let to: Vec<_> = lib.imports().flat_map(|import| repository.resolve(lib, import)).collect();
    assert!(to.iter().any(|file| file.document().is_some()));

    let without = snapshot.repository(Some(&id));
    assert!(
        without.definitions("shut").is_empty() && without.definitions("count_items").is_empty()
    );
    assert_eq!(without.file(&path), None);

    workspace.change(&id, 2, text::Encoding::Utf8, [Change::Full("fn anew() {}".into())]).unwrap();
    let snapshot = workspace.snapshot();
    assert_eq!(snapshot.repository(None).definitions("anew").len(), 1);
    workspace.close(&id).unwrap();
    assert_eq!(workspace.snapshot().repository(None).definitions("count_items").len(), 1);
}

#[test]
fn a_file_that_changed_behind_the_index_has_no_text() {
    let system = system(SHOP);
    let snapshot = snapshot(&system);
    let repository = snapshot.repository(None);
    let file = repository.file_at("src/store.rs").unwrap();
    assert!(file.text().is_some());
    system.write("/repo/src/store.rs", "fn other() {}");
    assert_eq!(file.text(), None);
    system.remove(Path::new("/repo/src/store.rs"));
    assert_eq!(file.text(), None);
}

#[test]
fn roots_are_indexed_apart_and_seen_together() {
    let system = MemorySystem::new([("/a/x.py", "def f(): pass"), ("/b/x.py", "def f(): pass")]);
    let system: Arc<MemorySystem> = Arc::new(system);
    let mut workspace = Workspace::new(vec!["/a".into(), "/b".into()]);
    for root in ["/a", "/b"] {
        let index = Index::empty(Arc::<MemorySystem>::clone(&system), root.into());
        workspace.set_index(scan(&index));
    }
    let found = |workspace: &Workspace| -> Vec<PathBuf> {
        let snapshot = workspace.snapshot();
        let repository = snapshot.repository(None);
        let definitions = repository.definitions("f").into_iter();
        definitions.map(|definition| definition.file().absolute_path()).collect()
    };
    assert_eq!(found(&workspace), [PathBuf::from("/a/x.py"), PathBuf::from("/b/x.py")]);
    workspace.remove_index(Path::new("/a"));
    assert_eq!(found(&workspace), [PathBuf::from("/b/x.py")]);
}

/// Each import of the first file of a fixture, and the files it leads to.
#[track_caller]
fn check_imports(fixture: &str, expected: &[(&str, &str)]) {
    let system = system(fixture);
    let snapshot = snapshot(&system);
    let repository = snapshot.repository(None);
    let first = fixture.trim_start_matches("//- ").lines().next().unwrap();
    let from = repository.file_at(first).unwrap();
    let found: Vec<_> = from
        .imports()
        .map(|import| {
            let files = repository.resolve(from, import);
            let paths: Vec<_> = files.iter().map(|file| file.path()).collect();
            (import.path(), paths.join(" "))
        })
        .collect();
    let found: Vec<_> = found.iter().map(|(path, files)| (*path, files.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn imports_of_rust_lead_to_modules() {
    check_imports(
        "\
//- app/src/shop/mod.rs
mod till;
use crate::text::{self, Edit};
use super::text::Buffer;
use self::till::Coin;
use store_kit::shelf::Shelf;
use std::fmt;
use crate::*;
//- app/src/shop/till.rs
//- app/src/text.rs
//- app/src/lib.rs
//- store-kit/src/lib.rs
//- store-kit/src/shelf.rs
",
        &[
            ("self::till", "app/src/shop/till.rs"),
            ("crate::text", "app/src/text.rs"),
            ("super::text", "app/src/text.rs"),
            ("self::till", "app/src/shop/till.rs"),
            ("store_kit::shelf", "store-kit/src/shelf.rs"),
            ("std", ""),
            ("crate", "app/src/lib.rs"),
        ],
    );
}

#[test]
fn imports_of_python_lead_to_modules_and_packages() {
    check_imports(
        "\
//- src/shop/till/main.py
import os
import shop.text as text
from . import coin
from .coin import Coin
from ..text import Edit
from shop import stock
//- src/shop/till/coin.py
//- src/shop/till/__init__.py
//- src/shop/text.py
//- src/shop/stock/__init__.py
//- src/shop/__init__.py
",
        &[
            ("os", ""),
            ("shop.text", "src/shop/text.py"),
            (".", "src/shop/till/coin.py src/shop/till/__init__.py"),
            (".coin", "src/shop/till/coin.py"),
            ("..text", "src/shop/text.py"),
            ("shop", "src/shop/stock/__init__.py src/shop/__init__.py"),
        ],
    );
}

#[test]
fn imports_of_typescript_lead_to_files() {
    check_imports(
        "\
//- web/src/app.tsx
import { a } from './api';
import b from '../lib/b.js';
import { c } from '@/util/c';
import react from 'react';
export * from './d';
//- web/src/api/index.ts
//- web/lib/b.ts
//- web/src/util/c.ts
//- web/src/d.d.ts
",
        &[
            ("./api", "web/src/api/index.ts"),
            ("../lib/b.js", "web/lib/b.ts"),
            ("@/util/c", "web/src/util/c.ts"),
            ("react", ""),
            ("./d", "web/src/d.d.ts"),
        ],
    );
}

#[test]
fn imports_of_other_languages_lead_to_files() {
    check_imports(
        "\
//- cmd/main.go
package main
import (
    \"fmt\"
    \"example.org/shop/internal/till\"
)
//- internal/till/till.go
//- internal/till/till_test.go
//- other/till/till.go
",
        &[("fmt", ""), ("example.org/shop/internal/till", "internal/till/till.go")],
    );
    check_imports(
        "//- src/a.c\n#include \"a.h\"\n#include <lib/b.h>\n#include <stdio.h>\n//- src/a.h\n//- include/lib/b.h\n",
        &[("a.h", "src/a.h"), ("lib/b.h", "include/lib/b.h"), ("stdio.h", "")],
    );
    check_imports(
        "//- main/java/shop/App.java\nimport shop.till.Coin;\nimport java.util.List;\n//- main/java/shop/till/Coin.java\n",
        &[("shop.till", "main/java/shop/till/Coin.java"), ("java.util", "")],
    );
    check_imports(
        "//- App.cs\nusing Shop.Till;\nusing System;\n//- src/Shop/Till/Coin.cs\n",
        &[("Shop.Till", "src/Shop/Till/Coin.cs"), ("System", "")],
    );
    check_imports(
        "//- lib/app.rb\nrequire_relative 'till/coin'\nrequire 'shop/stock'\nrequire 'set'\n//- lib/till/coin.rb\n//- lib/shop/stock.rb\n",
        &[("./till/coin", "lib/till/coin.rb"), ("shop/stock", "lib/shop/stock.rb"), ("set", "")],
    );
    check_imports(
        "//- app.lua\nlocal t = require('shop.till')\n//- lua/shop/till/init.lua\n",
        &[("shop.till", "lua/shop/till/init.lua")],
    );
    check_imports(
        "//- bin/run.sh\nsource ./lib.sh\n. ../common.sh\n//- bin/lib.sh\n//- common.sh\n",
        &[("./lib.sh", "bin/lib.sh"), ("../common.sh", "common.sh")],
    );
}

/// All that can be asked of a repository, as text.
fn everything(snapshot: &Snapshot) -> Vec<String> {
    let repository = snapshot.repository(None);
    let mut files: Vec<_> = repository.files().collect();
    files.sort();
    let mut shown = Vec::new();
    for file in files {
        let definitions: Vec<_> =
            file.definitions().map(|definition| (definition.name(), definition.range())).collect();
        let uses: Vec<_> = file.uses().map(|found| (found.name, found.count)).collect();
        let imports: Vec<_> = file.imports().map(|import| import.path()).collect();
        let chunks: Vec<_> = file.chunks().map(|chunk| chunk.text()).collect();
        shown.push(format!("{} {definitions:?} {uses:?} {imports:?} {chunks:?}", file.path()));
    }
    for word in ["alpha", "beta", "gamma", "alphaBeta", "f0", "f1"] {
        let query = Query::of_text(word);
        let found = repository.search(&query, 4, |_| true);
        let found: Vec<_> = found
            .iter()
            .map(|(chunk, score)| (chunk.file().path(), chunk.range(), score))
            .collect();
        shown.push(format!("{word}: {found:?}"));
        let definitions: Vec<_> =
            repository.definitions(word).iter().map(|found| found.file().path()).collect();
        let uses: Vec<_> = repository.uses(word).iter().map(|found| found.file.path()).collect();
        shown.push(format!("{definitions:?} {uses:?}"));
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever happened to the files, and in whatever steps it was noticed, the index is that of the files as they are.
    #[test]
    fn updates_lead_where_a_fresh_scan_leads(
        steps in prop::collection::vec((0..6_usize, 0..5_usize, 0..4_usize), 1..40),
    ) {
        let words = ["alpha", "beta", "gamma", "alphaBeta"];
        let system = Arc::new(MemorySystem::default());
        let empty = Index::empty(Arc::<MemorySystem>::clone(&system), root());
        let mut index = empty.clone();
        let mut expected: BTreeMap<PathBuf, String> = BTreeMap::new();
        for (file, what, word) in steps {
            let path = root().join(format!("d{}/{file}.rs", file % 2));
            match what {
                0 => {
                    system.remove(&path);
                    expected.remove(&path);
                }
                what => {
                    let word = words[word];
                    let text = format!("use a::{word};\nfn f{what}() {{ {word}({what}); }}\n").repeat(what);
                    system.write(&path, text.as_str());
                    expected.insert(path.clone(), text);
                }
            }
            index = match file {
                0 => scan(&index),
                _ => index.refresh(&[path]).unwrap_or(index),
            };
            index = index.compacted().unwrap_or(index);
        }
        index = scan(&index);
        let show = |index: Index| {
            let mut workspace = Workspace::new(vec![root()]);
            workspace.set_index(index);
            everything(&workspace.snapshot())
        };
        prop_assert_eq!(index.size().n_files, expected.len());
        let fresh = show(scan(&empty));
        prop_assert_eq!(&show(index.merged()), &fresh);
        prop_assert_eq!(&show(index), &fresh);
    }
}
