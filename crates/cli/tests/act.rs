//! `dacapo act` as a person or a script sees it: a diff, a file that is written or left alone, exit codes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use test_support::scripted::ScriptedModel;

/// A folder with a model that says one thing, and a file.
struct Room {
    folder: TempDir,
    file: PathBuf,
}

impl Room {
    fn new(model: &ScriptedModel, name: &str, text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        fs::create_dir(folder.path().join("model")).unwrap();
        model.write(&folder.path().join("model"));
        Self { folder, file }
    }

    fn act(&self, place: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dacapo"))
            .arg("act")
            .arg(format!("{}:{place}", self.file.display()))
            .args(arguments)
            .args(["--model", "model", "--root", "."])
            .current_dir(self.folder.path())
            .env_remove("DACAPO_LOG")
            .env("XDG_CONFIG_HOME", "/nonexistent")
            .output()
            .expect("the binary runs")
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

#[test]
fn a_diff_is_printed_and_written_on_demand() {
    let model = ScriptedModel::new("a();\n    b();\n}\n");
    let before = "fn f() {\n    todo!()\n}\n";
    let room = Room::new(&model, "é.rs", before);
    let output = room.act("1:4", &["complete"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let expected = "--- a/é.rs\n+++ b/é.rs\n@@ -1,3 +1,4 @@\n fn f() {\n-    todo!()\n+    a();\n+    b();\n }\n";
    assert_eq!(text(&output.stdout), expected);
    assert_eq!(room.text(), before);

    let output = room.act("1:4", &["complete", "--write", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["diff"], &report["written"]), (&expected.into(), &true.into()));
    assert_eq!(report["raw"], "a();\n    b();\n}\n");
    assert_eq!(room.text(), "fn f() {\n    a();\n    b();\n}\n");
}

#[test]
fn a_range_is_rewritten() {
    let room = Room::new(&ScriptedModel::new("fresh, one);"), "a.js", "let a = f(old);\n");
    let output = room.act("1:11-1:14", &["rewrite", "--write"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(room.text(), "let a = f(fresh, one);\n");
}

#[test]
fn what_would_no_longer_parse_is_not_written() {
    let before = "fn f() { a(); g() }\n";
    let room = Room::new(&ScriptedModel::new("b(("), "a.rs", before);
    let output = room.act("1:10-1:13", &["rewrite", "--write"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no longer parse"), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("+fn f() { b((; g() }"));
    assert_eq!(room.text(), before);
}

#[test]
fn a_change_is_repeated_at_the_next_place() {
    let before = "fn old() {}\nfn f() { old(); }\n";
    let room = Room::new(&ScriptedModel::new("words"), "a.rs", &before.replacen("old", "fresh", 1));
    fs::write(room.folder.path().join("before.txt"), before).unwrap();
    let output = room.act("1:1", &["next-edit", "--before", "before.txt", "--write"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(room.text(), before.replace("old", "fresh"));

    // Nothing is left to repeat.
    let output = room.act("1:1", &["next-edit", "--before", "before.txt"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("No recent edit"), "{}", text(&output.stderr));
    let output = room.act("1:1", &["next-edit"]);
    assert!(text(&output.stderr).contains("--before FILE"), "{}", text(&output.stderr));
}

#[test]
fn a_model_with_the_template_of_loopcoder_ends_by_each_of_its_ids() {
    for end in ["<|im_end|>", "<|endoftext|>", "</s>"] {
        let says = format!("<think>A function.</think>It calls `g`.{end}<|im_start|>user More.");
        let room = Room::new(&ScriptedModel::loopcoder(&says), "a.rs", "fn f() {\n    g();\n}\n");
        let output = room.act("2:5", &["explain"]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(text(&output.stdout), "It calls `g`.\n", "{end}");
    }
    // Calls of tools in both of its forms are no part of an answer.
    let says = "<tool_call>\n<function=read>\n</function>\n</tool_call>```rust\nfn f() {\n    h();\n}\n```\n";
    let room = Room::new(&ScriptedModel::loopcoder(says), "a.rs", "fn f() {\n    g();\n}\n");
    let output = room.act("2:5", &["edit", "--instruction", "Call h.", "--write"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(room.text(), "fn f() {\n    h();\n}\n");
}

#[test]
fn refusals_say_the_way_out() {
    let room = Room::new(&ScriptedModel::new("words"), "a.rs", "/// A.\nfn f() {}\n");
    let check = |place: &str, action: &str, code: i32, expected: &str| {
        let output = room.act(place, &[action]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains(expected), "{said:?} does not contain {expected:?}");
        assert_eq!(text(&output.stdout), "");
    };
    check("2:4", "document", 1, "rewrite it");
    check("2:4", "rewrite", 1, "select the code");
    check("2:4", "dance", 2, "complete, rewrite, document");
    check("9:1", "complete", 1, "past the end");
    check("2:4-2:1", "rewrite", 1, "ends before it begins");
}
