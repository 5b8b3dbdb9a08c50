//! Rules about Rust code: how a file opens, which macros it calls, and where it may be unsafe.

use std::str::FromStr;

use proc_macro2::{TokenStream, TokenTree};

use crate::repository::{File, check, hold};

/// The files that may be unsafe, with the reason; the workspace's lints deny it elsewhere too.
const UNSAFE: &[&str] = &[
    // The one memory map of weights.
    "crates/model/src/bytes.rs",
    // Kernels for instructions that not every machine has.
    "crates/model/src/attention/kernel.rs",
    "crates/model/src/attention/kernel/x86.rs",
    "crates/model/src/kernels/x86.rs",
    "crates/model/src/kernels/x86/int4.rs",
    "crates/model/src/kernels/x86/plain.rs",
    "crates/model/src/kernels/x86/tile.rs",
    "crates/model/src/kernels/x86/turn.rs",
    "crates/model/src/kernels/x86/units256.rs",
    "crates/model/src/kernels/x86/units32.rs",
    // An allocator that counts.
    "crates/model/tests/allocations.rs",
    // Calls of the CUDA driver, and what crosses to a device.
    "crates/cuda/src/device.rs",
    "crates/cuda/src/driver.rs",
    "crates/cuda/src/graph.rs",
    "crates/cuda/src/image/compiler.rs",
    "crates/cuda/src/launch.rs",
    "crates/cuda/src/pinned.rs",
    "crates/cuda/src/plain.rs",
    // Threads that outlive the call whose closure they run.
    "crates/model/src/pool.rs",
];

/// How many lines above an unsafe block its SAFETY line may stand: attributes and a longer reason come between.
const SAFETY_REACH: usize = 6;

fn opens_with_a_sentence(file: &File) -> Vec<String> {
    let is_open = file.extension() != "rs"
        || file.text.lines().next().is_some_and(|line| line.starts_with("//! "));
    if is_open {
        Vec::new()
    } else {
        vec![format!("{}:1: open with a `//!` line that says what lives here", file.path)]
    }
}

fn leaves_nothing_half_done(file: &File) -> Vec<String> {
    calls(file, &["todo", "unimplemented", "dbg"], "finish it, or take it out")
}

fn prints_only_where_a_person_reads(file: &File) -> Vec<String> {
    let path = &file.path;
    let is_command = path.starts_with("crates/cli/")
        || path.starts_with("xtask/")
        || path.contains("/examples/");
    let is_test =
        path.starts_with("tests/") || path.contains("/tests/") || path.ends_with("tests.rs");
    if is_command || is_test {
        return Vec::new();
    }
    calls(
        file,
        &["print", "println", "eprint", "eprintln"],
        "stdout belongs to the protocol: use tracing",
    )
}

fn is_unsafe_only_where_allowed(file: &File) -> Vec<String> {
    if UNSAFE.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let lines = words(file).into_iter().filter(|word| word.text == "unsafe");
    lines
        .map(|word| format!("{}:{}: no `unsafe` here; find a safe way", file.path, word.line))
        .collect()
}

fn says_why_unsafe_is_sound(file: &File) -> Vec<String> {
    let lines: Vec<_> = file.text.lines().collect();
    let mut problems = Vec::new();
    for word in words(file).iter().filter(|word| word.text == "unsafe") {
        let above = &lines[word.line.saturating_sub(1 + SAFETY_REACH)..word.line - 1];
        if !above.iter().any(|line| line.trim_start().starts_with("// SAFETY: ")) {
            problems.push(format!(
                "{}:{}: say above why it is sound: `// SAFETY: ...`",
                file.path, word.line
            ));
        }
    }
    problems
}

fn reaches_the_machine_through_one_trait(file: &File) -> Vec<String> {
    let path = &file.path;
    let is_looked_at = path.starts_with("crates/workspace/src/")
        && path != "crates/workspace/src/system/os.rs"
        && !path.starts_with("crates/workspace/src/tests/");
    if !is_looked_at {
        return Vec::new();
    }
    let reach = ["std::env", "std::fs", "SystemTime::now", "Instant::now"];
    let lines = file.text.lines().enumerate();
    let found = lines.filter(|(_, line)| reach.iter().any(|name| line.contains(name)));
    found
        .map(|(idx, _)| {
            format!("{path}:{}: ask the `System` instead, which tests can own", idx + 1)
        })
        .collect()
}

fn calls(file: &File, macros: &[&str], instead: &str) -> Vec<String> {
    let is_call = |word: &Word| word.is_macro && macros.contains(&word.text.as_str());
    let called = words(file).into_iter().filter(is_call);
    called.map(|word| format!("{}:{}: `{}!`: {instead}", file.path, word.line, word.text)).collect()
}

/// A word of the code; comments and strings have none.
struct Word {
    text: String,
    /// From 1.
    line: usize,
    is_macro: bool,
}

/// All words of a Rust file; none if it is no Rust that can be read, which the compiler reports better.
fn words(file: &File) -> Vec<Word> {
    let mut words = Vec::new();
    if file.extension() == "rs"
        && let Ok(tokens) = TokenStream::from_str(&file.text)
    {
        collect(tokens, &mut words);
    }
    words
}

fn collect(tokens: TokenStream, words: &mut Vec<Word>) {
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Group(group) => collect(group.stream(), words),
            TokenTree::Ident(ident) => {
                let is_macro =
                    matches!(tokens.peek(), Some(TokenTree::Punct(mark)) if mark.as_char() == '!');
                words.push(Word {
                    text: ident.to_string(),
                    line: ident.span().start().line,
                    is_macro,
                });
            }
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

#[test]
fn files_open_with_a_sentence() {
    hold(opens_with_a_sentence);
    check(opens_with_a_sentence, "a.rs", "//! What lives here.\n", &[]);
    check(opens_with_a_sentence, "a.rs", "use std::fs;\n", &["a.rs:1: open with"]);
    check(opens_with_a_sentence, "a.rs", "", &["a.rs:1: open with"]);
}

#[test]
fn nothing_is_half_done() {
    hold(leaves_nothing_half_done);
    let rule = leaves_nothing_half_done;
    check(rule, "a.rs", "fn f() {\n    todo!()\n}\n", &["a.rs:2: `todo!`"]);
    check(
        rule,
        "a.rs",
        "fn f() { unimplemented!(); dbg!(1); }",
        &["a.rs:1: `unimpl", "a.rs:1: `dbg!`"],
    );
    check(rule, "a.rs", "// todo!()\nfn f() -> &'static str { \"dbg!\" }", &[]);
}

#[test]
fn the_workspace_reaches_the_machine_through_one_trait() {
    hold(reaches_the_machine_through_one_trait);
    let rule = reaches_the_machine_through_one_trait;
    let code = "fn f() {\n    std::fs::read(p);\n}\n";
    let path = "crates/workspace/src/index.rs";
    check(rule, path, code, &["crates/workspace/src/index.rs:2: ask the `System`"]);
    check(rule, "crates/workspace/src/system/os.rs", code, &[]);
    check(rule, "crates/cli/src/main.rs", code, &[]);
}

#[test]
fn only_commands_print() {
    hold(prints_only_where_a_person_reads);
    let rule = prints_only_where_a_person_reads;
    let code = "fn f() { println!(); }";
    check(rule, "crates/text/src/lib.rs", code, &["crates/text/src/lib.rs:1: `println!`"]);
    check(rule, "crates/cli/src/main.rs", code, &[]);
    check(rule, "crates/workspace/examples/index.rs", code, &[]);
    check(rule, "crates/text/src/tests.rs", code, &[]);
}

#[test]
fn unsafe_stays_in_its_rooms() {
    hold(is_unsafe_only_where_allowed);
    let code = "#![deny(unsafe_code)]\nfn f() {\n    unsafe { g() }\n}\n";
    check(
        is_unsafe_only_where_allowed,
        "crates/text/src/lib.rs",
        code,
        &["crates/text/src/lib.rs:3: no `unsafe`"],
    );
    check(is_unsafe_only_where_allowed, UNSAFE[0], code, &[]);
}

#[test]
fn unsafe_says_why_it_is_sound() {
    hold(says_why_unsafe_is_sound);
    let rule = says_why_unsafe_is_sound;
    check(rule, "a.rs", "fn f() {\n    unsafe { g() }\n}\n", &["a.rs:2: say above"]);
    check(rule, "a.rs", "fn f() {\n    // SAFETY: g is safe.\n    unsafe { g() }\n}\n", &[]);
}

#[test]
fn the_rooms_of_unsafe_are_real() {
    for path in UNSAFE {
        let text = std::fs::read_to_string(crate::repository::root().join(path)).unwrap();
        let n_unsafe =
            words(&File::new(path, &text)).iter().filter(|word| word.text == "unsafe").count();
        assert!(0 < n_unsafe, "{path} is no longer unsafe: take it out of UNSAFE");
    }
}
