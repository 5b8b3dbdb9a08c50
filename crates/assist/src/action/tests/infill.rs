//! Complete, rewrite and document, in each language.

use std::sync::atomic::{AtomicUsize, Ordering};

use engine::{CancelFlag, Sampling};
use workspace::Language;

use super::{Stage, check, shown};
use crate::action::{Action, Concern, Effect, Target};
use crate::writer::Watch;

use Action::{Complete, Document, Rewrite};
use Language::{C, Go, JavaScript, Python, Rust, TypeScript};

#[test]
fn an_unwritten_body_is_written_whole() {
    let body = "a();\n    b();\n}\n\nfn g() {}\n";
    let expected = "fn f() {\n    a();\n    b();\n}\n";
    check(Rust, "fn f() {$0}\n", Complete, body, expected);
    check(Rust, "fn f() {\n    $0\n}\n", Complete, body, expected);
    check(Rust, "fn $0f() {\n    todo!()\n}\n", Complete, body, expected);
    check(
        Python,
        "def f(x):\n    pass$0\n",
        Complete,
        "if x:\n        return 1\n    return 2\n\n\ndef g():\n",
        "def f(x):\n    if x:\n        return 1\n    return 2\n",
    );
    check(
        TypeScript,
        "class A {\n  f() { throw new Error(\"not implemented\"); }$0\n}\n",
        Complete,
        "return 1;\n  }\n}\n",
        "class A {\n  f() {\n    return 1;\n  }\n}\n",
    );
}

#[test]
fn elsewhere_the_model_goes_on_at_the_caret() {
    check(
        Rust,
        "fn f() {\n    let a = $0\n}\n",
        Complete,
        "1;\n}\n",
        "fn f() {\n    let a = 1;\n}\n",
    );
    check(
        Go,
        "func f() {\n\ta()\n\t$0\n}\n",
        Complete,
        "b()\n\tc()\n}\n",
        "func f() {\n\ta()\n\tb()\n\tc()\n}\n",
    );
}

#[test]
fn a_selection_is_written_anew() {
    check(
        Rust,
        "fn f() {\n$0    a();\n    b();\n$0    c();\n}\n",
        Rewrite,
        "x();\n    c();\n}\n",
        "fn f() {\n    x();\n    c();\n}\n",
    );
    check(
        JavaScript,
        "let a = f($0old$0);\n",
        Rewrite,
        "fresh, one);\nlet b",
        "let a = f(fresh, one);\n",
    );
    check(Rust, "fn f() {$0  $0}\n", Rewrite, "x", "(no-selection)");
}

#[test]
fn what_stands_there_already_is_asked_for_again() {
    let marked = "fn f() {\n    $0a();$0\n}\n";
    let stage = Stage::new(Rust, marked, Rewrite, &["a();\n}\n", "b();\n}\n"]);
    assert_eq!(shown(&stage.act()), "fn f() {\n    b();\n}\n");
    let requests = stage.requests.lock().unwrap();
    assert_eq!(requests[0].sampling, Sampling::GREEDY);
    assert!(0.0 < requests[1].sampling.temperature);
    assert_eq!(requests[0].tokens, requests[1].tokens);
    drop(requests);
    check(Rust, marked, Rewrite, "a();\n}\n", "(unchanged)");
}

#[test]
fn items_are_documented_in_the_manner_of_their_language() {
    check(
        Rust,
        "impl A {\n    #[inline]\n    fn f() {$0}\n}\n",
        Document,
        "Adds.\n    #[inline]\n",
        "impl A {\n    /// Adds.\n    #[inline]\n    fn f() {}\n}\n",
    );
    check(
        Python,
        "@cached\ndef f(x):\n    return $0x\n",
        Document,
        "Return it.\"\"\"\n    return x\n",
        "@cached\ndef f(x):\n    \"\"\"Return it.\"\"\"\n    return x\n",
    );
    check(
        TypeScript,
        "export class A {\n  f$0() {}\n}\n",
        Document,
        "Adds.\n   * @returns nothing\n   */\n  f() {}",
        "export class A {\n  /**\n   * Adds.\n   * @returns nothing\n   */\n  f() {}\n}\n",
    );
    check(Go, "func F$0() {}\n", Document, "F adds.\nfunc F", "// F adds.\nfunc F() {}\n");
    check(C, "int f(int a$0);\n", Document, "Adds. */\nint", "(no-item)");
    check(
        C,
        "int f(int a) { return $0a; }\n",
        Document,
        "Adds. */\n",
        "/**\n * Adds.\n */\nint f(int a) { return a; }\n",
    );
}

#[test]
fn a_comment_says_nothing_over_and_over() {
    let written = format!("Adds a {}\nfn f", "character, ".repeat(12));
    let expected = "/// Adds a character,\nfn f() {}\n";
    check(Rust, "fn f() {$0}\n", Document, &written, expected);
}

#[test]
fn what_cannot_be_documented_says_why() {
    check(Rust, "/// Adds.\nfn f() {$0}\n", Document, "x", "(documented)");
    check(Rust, "use a$0;\n", Document, "x", "(no-item)");
    check(Python, "def f(): return $01\n", Document, "x", "(no-item)");
    check(Rust, "fn f() {$0}\n", Document, "\nfn f", "(empty)");
}

#[test]
fn documents_keep_their_line_ends() {
    check(
        Rust,
        "struct A;\r\n\r\nfn f() {\r\n    $0\r\n}\r\n",
        Complete,
        "a();\n    b();\n}\n",
        "struct A;\r\n\r\nfn f() {\r\n    a();\r\n    b();\r\n}\r\n",
    );
    check(
        Rust,
        "struct A;\r\nfn f() {$0}\r\n",
        Document,
        "Adds.\nfn f",
        "struct A;\r\n/// Adds.\r\nfn f() {}\r\n",
    );
}

#[test]
fn a_change_names_its_version_and_is_checked() {
    let answer = Stage::new(Rust, "fn f() { $0a()$0; g() }\n", Rewrite, &["b(("]).act();
    let Ok(Effect::Edit(change)) = answer.effect else { panic!("{answer:?}") };
    assert_eq!(change.concern, Some(Concern::NoLongerParses));
    assert!(matches!(change.target, Target::Open { version: 7, .. }));
    let answer = Stage::new(Rust, "fn f() { $0a()$0; g() }\n", Rewrite, &["b()"]).act();
    let Ok(Effect::Edit(change)) = answer.effect else { panic!("{answer:?}") };
    assert_eq!(change.concern, None);
    assert_eq!(change.edits.len(), 1);
}

#[test]
fn the_prompt_shows_the_hole_and_progress_is_told() {
    let stage = Stage::new(Rust, "fn f() {\n    $0a();\n$0}\n", Rewrite, &["b();"]);
    let (cancel, n_seen) = (CancelFlag::default(), AtomicUsize::new(0));
    let report = |n| n_seen.store(n, Ordering::Relaxed);
    let watch = Watch { cancel: &cancel, report: &report };
    stage.actor.act(&stage.workspace.snapshot(), &stage.request, watch);
    assert!(0 < n_seen.load(Ordering::Relaxed));
    let requests = stage.requests.lock().unwrap();
    let text = super::TOKENIZER.decode(&requests[0].tokens);
    assert!(text.ends_with("fn f() {\n    ") && !text.contains("a()"), "{text}");
}

#[test]
fn a_cancelled_action_changes_nothing() {
    let stage = Stage::new(Rust, "fn f() {$0}\n", Complete, &["a();"]);
    let cancel = CancelFlag::default();
    cancel.raise();
    let watch = Watch { cancel: &cancel, report: &|_| {} };
    let answer = stage.actor.act(&stage.workspace.snapshot(), &stage.request, watch);
    assert_eq!(shown(&answer), "(cancelled)");
}
