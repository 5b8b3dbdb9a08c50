//! Rules about any file of code: its length, its name, and its whitespace.

use std::path::Path;

use crate::repository::{File, check, hold};

const MAX_LINES: usize = 600;
const CODE: &[&str] = &["cu", "cuh", "lua", "py", "rs", "sh", "ts"];
/// Rust is not among them: rustfmt sees to it, and leaves alone the tabs of Go in a string.
const SPACED: &[&str] = &["cu", "cuh", "lua", "md", "py", "scm", "sh", "toml", "ts"];
/// Names of boundaries that nobody drew.
const VAGUE: &[&str] =
    &["common", "helper", "helpers", "misc", "shared", "util", "utilities", "utils"];

fn is_short(file: &File) -> Vec<String> {
    let n_lines = file.text.lines().count();
    if !CODE.contains(&file.extension()) || n_lines <= MAX_LINES {
        return Vec::new();
    }
    vec![format!("{}: {n_lines} lines; split it before it has {MAX_LINES}", file.path)]
}

fn has_a_telling_name(file: &File) -> Vec<String> {
    if !CODE.contains(&file.extension()) {
        return Vec::new();
    }
    let parts = Path::new(&file.path).iter().filter_map(|part| part.to_str());
    let names = parts.map(|part| part.split('.').next().unwrap_or(part));
    let vague = names.filter(|name| name.split(['-', '_']).any(|word| VAGUE.contains(&word)));
    vague
        .map(|name| {
            format!("{}: `{name}` says nothing: name it by its role in one noun", file.path)
        })
        .collect()
}

fn has_clean_whitespace(file: &File) -> Vec<String> {
    if !SPACED.contains(&file.extension()) {
        return Vec::new();
    }
    let mut problems = Vec::new();
    for (line_idx, line) in file.text.split('\n').enumerate() {
        let place = format!("{}:{}", file.path, line_idx + 1);
        if line.contains('\t') {
            problems.push(format!("{place}: a tab; indent with spaces"));
        }
        if line.trim_end() != line {
            problems.push(format!("{place}: whitespace at the end of the line"));
        }
    }
    if !file.text.is_empty() && (!file.text.ends_with('\n') || file.text.ends_with("\n\n")) {
        problems.push(format!("{}: end the file with one line break", file.path));
    }
    problems
}

#[test]
fn files_are_short() {
    hold(is_short);
    check(is_short, "a.rs", &"x\n".repeat(MAX_LINES), &[]);
    check(is_short, "a.rs", &"x\n".repeat(MAX_LINES + 1), &["a.rs: 601 lines"]);
}

#[test]
fn names_tell_the_role() {
    hold(has_a_telling_name);
    check(
        has_a_telling_name,
        "crates/text/src/utils.rs",
        "",
        &["crates/text/src/utils.rs: `utils`"],
    );
    check(
        has_a_telling_name,
        "crates/test-helpers/src/lib.rs",
        "",
        &["crates/test-helpers/src/lib.rs: `test-helpers`"],
    );
    check(has_a_telling_name, "crates/text/src/buffer.rs", "", &[]);
}

#[test]
fn whitespace_is_clean() {
    hold(has_clean_whitespace);
    check(has_clean_whitespace, "a.lua", "f = function()\n    g()\nend\n", &[]);
    check(has_clean_whitespace, "a.lua", "f = function()\n\tg()\nend\n", &["a.lua:2: a tab"]);
    check(
        has_clean_whitespace,
        "a.md",
        "one \ntwo\r\n",
        &["a.md:1: whitespace", "a.md:2: whitespace"],
    );
    check(has_clean_whitespace, "a.py", "x = 1", &["a.py: end the file"]);
    check(has_clean_whitespace, "a.py", "x = 1\n\n", &["a.py: end the file"]);
}
