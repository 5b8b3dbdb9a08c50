//! Whole prompts for fixture repositories: what each source finds, by language and by layout.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use test_support::fixture::Fixture;
use text::{Encoding, Position};
use workspace::{
    Change, DocumentId, Exclusion, Index, Language, MemorySystem, Scan, Snapshot, Workspace,
};

use super::*;
use crate::piece::Piece;

/// A repository with the root `/repo`; the file with the caret is open.
pub(super) struct Repository {
    pub(super) workspace: Workspace,
    id: DocumentId,
    offset: usize,
}

impl Repository {
    pub(super) fn new(raw: &str) -> Self {
        let fixture = Fixture::parse(raw);
        let files = fixture.files.iter().map(|file| (file.path.clone(), file.text.clone()));
        let system = Arc::new(MemorySystem::new(files));
        let never = AtomicBool::new(false);
        let scan = Scan { n_threads: 1, cancel: &never, progress: &|_| {} };
        let mut workspace = Workspace::new(vec![PathBuf::from("/repo")]);
        workspace.set_index(Index::empty(system, PathBuf::from("/repo")).scan(&scan));
        let (file, offset) = fixture.caret();
        let mut repository = Self { workspace, id: DocumentId(file.path.as_str().into()), offset };
        repository.open(&file.path.clone(), &file.text);
        repository
    }

    pub(super) fn open(&mut self, path: &str, text: &str) {
        let language = Language::from_path(path.as_ref());
        let id = DocumentId(path.into());
        self.workspace.open(id, Some(path.into()), language, 1, text);
    }

    /// Replaces the first place that reads `old` in an open document.
    pub(super) fn edit(&mut self, path: &str, old: &str, new: &str) {
        let id = DocumentId(path.into());
        let buffer = &self.workspace.document(&id).unwrap().buffer;
        let start = buffer.to_string().find(old).unwrap();
        let position = |offset| buffer.position(offset, Encoding::Utf8);
        let (start, end): (Position, Position) = (position(start), position(start + old.len()));
        let change = Change::Range { start, end, text: new.to_owned() };
        self.workspace.change(&id, 2, Encoding::Utf8, [change]).unwrap();
    }

    /// Opens a document and is at the first place that reads `at`.
    fn view(&mut self, path: &str, text: &str, at: &str) {
        self.open(path, text);
        self.workspace.visit(&DocumentId(path.into()), text.find(at).unwrap());
    }

    /// Takes a proposal for the next edit, if it is a text.
    pub(super) fn replace(&mut self, id: &DocumentId, range: &std::ops::Range<usize>, text: &str) {
        let buffer = &self.workspace.document(id).unwrap().buffer;
        let position = |offset| buffer.position(offset, Encoding::Utf8);
        let (start, end) = (position(range.start), position(range.end));
        let change = Change::Range { start, end, text: text.to_owned() };
        self.workspace.change(id, 3, Encoding::Utf8, [change]).unwrap();
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        self.workspace.snapshot()
    }

    pub(super) fn prompt(&self, settings: &Settings<'_>) -> Prompt {
        let snapshot = self.snapshot();
        let document = snapshot.document(&self.id).unwrap();
        crate::prompt(&snapshot, document, self.offset, &TOKENIZER, settings).unwrap()
    }

    pub(super) fn surroundings(&self, sources: Sources) -> Surroundings {
        let snapshot = self.snapshot();
        let document = snapshot.document(&self.id).unwrap();
        surroundings(&snapshot, document, self.offset, &TOKENIZER, sources, None)
    }

    /// What goes with an instruction about the file with the caret, whose first line belongs to it as that of every file does.
    pub(super) fn background(&self, n_tokens: usize) -> Vec<Piece> {
        let snapshot = self.snapshot();
        let document = snapshot.document(&self.id).unwrap();
        let files: Vec<PathBuf> =
            snapshot.repository(None).files().map(|file| file.absolute_path()).collect();
        let related: Vec<(PathBuf, usize)> = files.into_iter().map(|path| (path, 0)).collect();
        let subject = crate::Subject {
            document,
            range: 0..document.buffer.len(),
            at: self.offset,
            words: "near_the_caret_too",
            related: &related,
        };
        crate::background(&snapshot, &subject, &TOKENIZER, Sources::ALL, n_tokens)
    }

    /// The prompt as text with room for everything.
    fn shown(&self, layout: Layout, sources: Sources) -> String {
        spelled(&self.prompt(&Settings { layout, sources, ..Settings::new(&TOKENIZER, 4000) }))
    }

    fn snippets(&self, sources: Sources) -> Vec<Piece> {
        let layout = Layout::SuffixFirst;
        let settings = Settings { layout, sources, ..Settings::new(&TOKENIZER, 4000) };
        let pieces = self.prompt(&settings).pieces;
        pieces.into_iter().filter(|piece| piece.kind.is_snippet()).collect()
    }
}

pub(super) const RUST: &str = "
    //- /repo/src/store.rs
    /// Keeps what was measured.
    pub struct Store {
        values: Vec<f64>,
        name: String,
    }

    impl Store {
        pub fn new(name: &str) -> Self {
            Self { values: Vec::new(), name: name.to_owned() }
        }

        /// Adds a value.
        pub fn push(&mut self, value: f64) {
            self.values.push(value);
        }
    }

    //- /repo/src/report.rs
    use crate::store::Store;

    pub fn print_report(store: &Store, width: usize) {
        let mean = mean_of(store);
        println!(\"{mean:width$}\");
    }

    //- /repo/src/unrelated.rs
    pub fn sleep() {}

    //- /repo/src/main.rs
    use crate::store::Store;

    fn main() {
        let mut store = Store::new(\"speed\");
        store.push(1.0);
        print_report(&store, $0);
    }
";

const PYTHON: &str = "
    //- /repo/shop/cart.py
    class Cart:
        def __init__(self, owner):
            self.owner = owner
            self.items = []

        def add(self, item, count=1):
            self.items.append((item, count))

        def total(self, prices):
            return sum(prices[item] * count for item, count in self.items)

    //- /repo/shop/unrelated.py
    def nap():
        pass

    //- /repo/tests/test_checkout.py
    from shop.checkout import checkout

    def test_checkout():
        assert checkout(\"me\", {}) == 0

    //- /repo/shop/checkout.py
    from .cart import Cart

    def checkout(owner, prices):
        cart = Cart(owner)
        cart.add(\"apple\")
        return cart.$0
";

const TYPESCRIPT: &str = "
    //- /repo/src/point.ts
    export interface Point {
        x: number;
        y: number;
    }

    export function distance(from: Point, to: Point): number {
        return Math.hypot(from.x - to.x, from.y - to.y);
    }

    //- /repo/src/path.ts
    import { Point, distance } from './point';

    export function pathLength(points: Point[]): number {
        let sum = 0;
        for (let i = 1; i < points.length; i++) {
            sum += distance($0);
        }
        return sum;
    }
";

#[test]
fn definitions_in_rust() {
    let repository = Repository::new(RUST);
    insta::assert_snapshot!(
        repository.shown(Layout::SuffixFirst, Sources::only(PieceKind::Definition))
    );
}

#[test]
fn everything_in_rust_below_a_repository_line() {
    insta::assert_snapshot!(Repository::new(RUST).shown(Layout::Repository, Sources::ALL));
}

#[test]
fn everything_in_python_suffix_first() {
    insta::assert_snapshot!(Repository::new(PYTHON).shown(Layout::SuffixFirst, Sources::ALL));
}

#[test]
fn everything_in_python_as_a_continuation() {
    insta::assert_snapshot!(Repository::new(PYTHON).shown(Layout::Continuation, Sources::ALL));
}

#[test]
fn everything_in_typescript_prefix_first() {
    insta::assert_snapshot!(Repository::new(TYPESCRIPT).shown(Layout::PrefixFirst, Sources::ALL));
}

#[test]
fn only_the_sources_asked_for_are_shown() {
    let repository = Repository::new(PYTHON);
    for kind in [PieceKind::Definition, PieceKind::Similar, PieceKind::Test] {
        let pieces = repository.snippets(Sources::only(kind));
        assert!(!pieces.is_empty(), "{kind:?}");
        assert!(pieces.iter().all(|piece| piece.kind == kind), "{pieces:?}");
    }
    assert_eq!(repository.snippets(Sources::NONE), []);
}

#[test]
fn what_was_edited_elsewhere_is_shown_as_it_stands_now() {
    let mut repository = Repository::new(RUST);
    let report = Fixture::parse(RUST).files.into_iter().nth(1).unwrap();
    repository.open("/repo/src/report.rs", &report.text);
    repository.edit("/repo/src/report.rs", "mean_of(store)", "store.mean()");
    let pieces = repository.snippets(Sources::only(PieceKind::Edited));
    let shown: Vec<_> = pieces.iter().map(|piece| piece.text.as_str()).collect();
    insta::assert_snapshot!(shown.join("---\n"));
}

#[test]
fn where_the_user_was_is_shown_of_open_and_of_closed_files() {
    let mut repository = Repository::new(RUST);
    let report = Fixture::parse(RUST).files.into_iter().nth(1).unwrap();
    repository.view("/repo/src/report.rs", &report.text, "println");
    repository.view("/repo/src/unrelated.rs", "pub fn sleep() {}\n", "sleep");
    repository.workspace.close(&DocumentId("/repo/src/unrelated.rs".into())).unwrap();
    let shown = |repository: &Repository| {
        let pieces = repository.snippets(Sources::only(PieceKind::Viewed));
        pieces.into_iter().map(|piece| piece.text).collect::<Vec<_>>().join("---\n")
    };
    insta::assert_snapshot!(shown(&repository), @r#"
    src/report.rs
    pub fn print_report(store: &Store, width: usize) {
        let mean = mean_of(store);
        println!("{mean:width$}");
    }
    ---
    src/unrelated.rs
    pub fn sleep() {}
    "#);
    repository.workspace.set_excluded(Exclusion::new(|path| path.ends_with("report.rs")));
    assert!(!shown(&repository).contains("report"));
}

#[test]
fn a_place_in_the_window_is_not_shown_once_more() {
    let mut repository = Repository::new(RUST);
    let main = Fixture::parse(RUST).files.into_iter().nth(3).unwrap();
    repository.view("/repo/src/main.rs", &main.text, "store.push");
    assert_eq!(repository.snippets(Sources::only(PieceKind::Viewed)), []);
}

#[test]
fn heads_of_what_encloses_the_caret_are_shown_where_the_window_ends_below_them() {
    let filler = "        let step = 1;\n".repeat(60);
    let text = format!(
        "pub struct Machine;\n\nimpl Machine {{\n    pub fn start(&self) {{}}\n\n    pub fn run(&mut self, n_steps: usize) -> bool {{\n{filler}        $0\n    }}\n}}\n"
    );
    let repository = Repository::new(&format!("//- /repo/src/machine.rs\n{text}"));
    let settings = Settings {
        layout: Layout::SuffixFirst,
        budget: Budget {
            n_prompt: 2000,
            n_prefix: 200,
            n_suffix: 100,
            n_snippets: 400,
            n_near: 200,
        },
        ..Settings::new(&TOKENIZER, 2000)
    };
    let prompt = repository.prompt(&settings);
    let piece = prompt.pieces.iter().find(|piece| piece.kind == PieceKind::Enclosing).unwrap();
    insta::assert_snapshot!(piece.text);
}

#[test]
fn the_choice_is_the_same_for_every_word_that_is_typed() {
    let sources = |typed: &str| {
        let repository = Repository::new(&RUST.replace("print_report(&store, ", typed));
        let pieces = repository.snippets(Sources::ALL);
        pieces.into_iter().map(|piece| piece.source).collect::<Vec<_>>()
    };
    let first = sources("print_report(&store, w");
    assert!(!first.is_empty());
    for typed in
        ["print_report(&store, wi", "print_report(&store, wid", "print_report(&store, widt"]
    {
        assert_eq!(sources(typed), first);
    }
}

#[test]
fn a_memo_makes_no_other_prompt() {
    let memo = crate::Memo::default();
    let check = |repository: &Repository| {
        let fresh = Settings::new(&TOKENIZER, 4000);
        let prompt = repository.prompt(&Settings { memo: Some(&memo), ..fresh });
        assert_eq!(prompt, repository.prompt(&fresh));
        prompt
    };
    let mut repository = Repository::new(RUST);
    let first = check(&repository);
    let main = DocumentId("/repo/src/main.rs".into());
    for typed in ["w", "i", "d", ".", "x", "\n"] {
        let at = repository.offset;
        repository.replace(&main, &(at..at), typed);
        repository.offset += typed.len();
        check(&repository);
    }
    // What it goes by changes: another document, an exclusion, an import, the index.
    let store = Fixture::parse(RUST).files.into_iter().next().unwrap();
    repository.open("/repo/src/store.rs", &store.text);
    check(&repository);
    repository.edit("/repo/src/store.rs", "Adds a value", "Adds the value");
    let edited = check(&repository);
    assert!(edited.pieces.iter().any(|piece| piece.text.contains("Adds the value")));
    repository.edit("/repo/src/main.rs", "use crate::store::Store;", "");
    check(&repository);
    repository.workspace.set_excluded(Exclusion::new(|path| path.ends_with("store.rs")));
    let without = check(&repository);
    assert!(first.pieces.iter().any(|piece| piece.source == "src/store.rs"));
    assert!(!without.pieces.iter().any(|piece| piece.source == "src/store.rs"));
    repository.workspace.remove_index("/repo".as_ref());
    check(&repository);
}

#[test]
fn an_excluded_file_is_in_no_prompt_of_others() {
    let mut repository = Repository::new(RUST);
    let shows = |repository: &Repository| {
        let found = repository.snippets(Sources::ALL);
        found.iter().any(|piece| piece.source == "src/store.rs")
    };
    assert!(shows(&repository));
    let store = "pub struct Store;\n\nimpl Store {\n    pub fn push(&mut self) {}\n}\n";
    let is_store = |path: &std::path::Path| path.ends_with("store.rs");
    repository.workspace.set_excluded(Exclusion::new(is_store));
    assert!(!shows(&repository), "indexed");
    repository.open("/repo/src/store.rs", store);
    assert!(!shows(&repository), "open");
    repository.edit("/repo/src/store.rs", "push", "push_all");
    assert!(!shows(&repository), "edited");
    repository.workspace.set_excluded(Exclusion::default());
    assert!(shows(&repository));
}

#[test]
fn the_surroundings_are_the_file_on_both_sides_and_what_helps_from_elsewhere() {
    let repository = Repository::new(
        "//- /repo/src/area.rs\npub fn area(width: u32) -> u32 {\n    width * width\n}\n//- /repo/src/main.rs\nuse area::area;\n\nfn main() {\n    let x = area($0);\n}\n",
    );
    let spelled = |ids: &[u32]| -> String {
        ids.iter().map(|id| String::from_utf8_lossy(TOKENIZER.bytes(*id))).collect()
    };
    let Surroundings { before, after, elsewhere } = repository.surroundings(Sources::ALL);
    assert_eq!(spelled(&before), "use area::area;\n\nfn main() {\n    let x = area(");
    assert_eq!(spelled(&after), ");\n}\n");
    let elsewhere: Vec<String> = elsewhere.iter().map(|ids| spelled(ids)).collect();
    assert!(elsewhere.iter().any(|text| text.contains("width * width")), "{elsewhere:?}");
    assert_eq!(
        repository.surroundings(Sources::NONE),
        Surroundings { before, after, elsewhere: Vec::new() }
    );
}
