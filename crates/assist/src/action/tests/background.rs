//! Whole prompts for models that follow instructions, on fixture repositories: what of the repository they are shown, and what not.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use test_support::fixture::Fixture;
use workspace::{DocumentId, Index, Language, MemorySystem, Scan, Workspace};

use super::instruct::chat;
use super::{CONFIG, Stage, TOKENIZER};
use crate::action::{Action, Diagnostic};
use crate::completion::Config;
use context::Sources;

/// The prompt for `action` at the caret of a repository with the root `/repo`, under `config`; a problem is one at the caret, with the lines that
/// belong to it.
fn prompt(
    raw: &str,
    action: Action,
    words: &str,
    related: &[(&str, usize)],
    config: Config,
) -> String {
    let fixture = Fixture::parse(raw);
    let files = fixture.files.iter().map(|file| (file.path.clone(), file.text.clone()));
    let never = AtomicBool::new(false);
    let scan = Scan { n_threads: 1, cancel: &never, progress: &|_| {} };
    let mut workspace = Workspace::new(vec![PathBuf::from("/repo")]);
    let index = Index::empty(Arc::new(MemorySystem::new(files)), PathBuf::from("/repo"));
    workspace.set_index(index.scan(&scan));
    let (file, caret) = fixture.caret();
    let id = DocumentId(file.path.as_str().into());
    let language = Language::from_path(file.path.as_ref());
    workspace.open(id.clone(), Some(file.path.clone().into()), language, 1, &file.text);
    let mut stage = Stage::with(workspace, id, caret..caret, action, &["x"]);
    stage.actor = stage.actor.with_chat(chat()).with_config(config);
    match action {
        Action::Fix => {
            stage.request.diagnostic = Some(Diagnostic {
                range: caret..caret,
                message: words.to_owned(),
                related: related.iter().map(|(path, line)| (PathBuf::from(path), *line)).collect(),
            });
        }
        _ => stage.request.instruction = Some(words.to_owned()),
    }
    stage.act();
    let requests = stage.requests.lock().unwrap();
    TOKENIZER.decode(&requests.first().unwrap().tokens)
}

const ROOMY: Config = Config { n_prompt: 1600, ..CONFIG };

const RUST: &str = "
    //- /repo/src/store.rs
    /// Keeps what was measured.
    pub struct Store {
        values: Vec<f64>,
    }

    impl Store {
        /// Adds a value.
        pub fn push(&mut self, value: f64) {
            self.values.push(value);
        }
    }

    //- /repo/src/limits.rs
    pub const MOST: f64 = 9.0;

    pub const TOKEN: &str = \"ghp_0123456789abcdefghijABCDEFGHIJ456789\";

    pub fn unrelated() {}

    //- /repo/src/main.rs
    use crate::store::Store;

    struct Probe {
        last: f64,
    }

    fn read(probe: &Probe, store: &mut Store) {
        store.push($0probe.last());
    }

    fn main() {}

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_probe_is_read() {
            let mut store = Store::default();
            read(&Probe { last: 1.0 }, &mut store);
        }
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

    //- /repo/tests/test_checkout.py
    from shop.checkout import checkout

    def test_nothing_costs_nothing():
        assert checkout(\"me\", {}) == 0

    //- /repo/shop/checkout.py
    from .cart import Cart

    def checkout(owner, prices):
        cart = Cart(owner)
        cart.add(\"apple\")
        return cart.total($0prices)
";

#[test]
fn a_problem_comes_with_definitions_and_with_the_places_that_belong_to_it() {
    let related = [("/repo/src/main.rs", 3), ("/repo/src/limits.rs", 0), ("/repo/src/main.rs", 8)];
    let shown = prompt(RUST, Action::Fix, "no method `last`, `MOST` is its limit", &related, ROOMY);
    insta::assert_snapshot!(shown);
}

#[test]
fn an_edit_comes_with_definitions() {
    insta::assert_snapshot!(prompt(
        PYTHON,
        Action::Edit,
        "Take the sum of `Cart.items`.",
        &[],
        ROOMY
    ));
}

#[test]
fn an_explanation_comes_with_definitions() {
    insta::assert_snapshot!(prompt(RUST, Action::Explain, "", &[], ROOMY));
}

#[test]
fn tests_come_with_those_that_are_there() {
    insta::assert_snapshot!(prompt(PYTHON, Action::Tests, "", &[], ROOMY));
    let shown = prompt(RUST, Action::Tests, "", &[], ROOMY);
    assert!(shown.contains("fn a_probe_is_read()"), "{shown}");
}

#[test]
fn secrets_of_other_places_are_masked() {
    let related = [("/repo/src/limits.rs", 2)];
    let shown = prompt(RUST, Action::Fix, "wrong", &related, ROOMY);
    assert!(shown.contains("pub const TOKEN: &str = \"****"), "{shown}");
    assert!(!shown.contains("ghp_"), "{shown}");
}

#[test]
fn a_fence_in_the_code_ends_no_block() {
    let raw =
        RUST.replace("/// Adds a value.", "/// ```\n        /// store.push(1.0);\n        /// ```");
    let shown = prompt(&raw, Action::Explain, "", &[], ROOMY);
    assert!(shown.contains("````rust\n"), "{shown}");
}

#[test]
fn text_of_the_repository_keeps_to_its_budget() {
    let text = |config| prompt(RUST, Action::Fix, "no method `last`", &[], config);
    let n_tokens = |config| TOKENIZER.encode(&text(config)).len();
    let none = text(Config { sources: Sources::NONE, ..ROOMY });
    assert!(!none.contains("for reference"), "{none}");
    let mut last = TOKENIZER.encode(&none).len();
    for n_prompt in [40, 300, 600, 1600] {
        let n = n_tokens(Config { n_prompt, ..CONFIG });
        assert!(last <= n && n <= TOKENIZER.encode(&none).len() + n_prompt * 2 / 5 + 64, "{n}");
        last = n;
    }
    assert!(TOKENIZER.encode(&none).len() < last);
    // What the code itself and a whole answer leave is all there is.
    let long = RUST
        .replace("store.push(", &format!("{}store.push(", "probe.note(1);\n        ".repeat(120)));
    let shown = prompt(&long, Action::Fix, "no method `last`", &[], ROOMY);
    assert!(!shown.contains("for reference"), "{shown}");
}
