//! Rules about what is written for people: links and paths lead somewhere, and nothing is put off in a comment.

use std::path::Path;

use crate::repository::{File, check, hold, root};

/// Written in two halves, so that this file does not hold them.
const UNFINISHED: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME")];
/// The pages that show the way around the repository.
const GUIDES: &[&str] = &["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
/// What a backticked word ends with if it is a path, wherever it begins.
const PATH_ENDS: &[&str] =
    &["/", ".cu", ".json", ".lua", ".md", ".py", ".rs", ".safetensors", ".toml"];

fn puts_nothing_off(file: &File) -> Vec<String> {
    let mut problems = Vec::new();
    for (line_idx, line) in file.text.lines().enumerate() {
        for word in line
            .split(|character: char| !character.is_alphanumeric())
            .filter(|word| UNFINISHED.contains(word))
        {
            problems.push(format!(
                "{}:{}: {word}: do it, or say why it is as it is",
                file.path,
                line_idx + 1
            ));
        }
    }
    problems
}

fn links_lead_somewhere(file: &File) -> Vec<String> {
    if file.extension() != "md" {
        return Vec::new();
    }
    let links = file.text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let paths = links.map(|link| link.split('#').next().unwrap_or(link));
    let local = paths.filter(|path| !path.is_empty() && !path.contains(':'));
    let broken = local.filter(|path| !exists(file, path));
    broken.map(|path| format!("{}: the link to {path} leads nowhere", file.path)).collect()
}

fn paths_exist(file: &File) -> Vec<String> {
    if !GUIDES.contains(&file.path.as_str()) {
        return Vec::new();
    }
    let quoted = prose(&file.text).flat_map(|line| line.split('`').skip(1).step_by(2));
    let missing = quoted.filter(|word| looks_like_a_path(word) && !exists(file, word));
    missing.map(|path| format!("{}: there is no {path}", file.path)).collect()
}

/// The lines outside fenced code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Words such as `textDocument/completion` and `dacapo/status` have a slash and are no paths.
fn looks_like_a_path(word: &str) -> bool {
    let is_plain = word
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || "._/-".contains(character));
    let first = word.split('/').next().unwrap_or(word);
    let is_built = first == "target" || first == "node_modules";
    let is_rooted = word.contains('/') && !first.is_empty() && root().join(first).exists();
    let is_file = word.contains('/') || word.ends_with(".md");
    let has_path_end = is_file && PATH_ENDS.iter().any(|end| word.ends_with(end));
    is_plain && !is_built && !word.starts_with(['/', '-']) && (is_rooted || has_path_end)
}

/// Whether the path leads somewhere from the file's own folder or from the root.
fn exists(file: &File, path: &str) -> bool {
    let folder = Path::new(&file.path).parent().unwrap_or(Path::new(""));
    root().join(folder).join(path).exists() || root().join(path).exists()
}

#[test]
fn nothing_is_put_off() {
    hold(puts_nothing_off);
    let word = UNFINISHED[0];
    check(puts_nothing_off, "a.rs", &format!("// {word}: later\n"), &["a.rs:1: "]);
    check(puts_nothing_off, "a.rs", &format!("let x = {word}LIST;\n"), &[]);
}

#[test]
fn links_are_alive() {
    hold(links_lead_somewhere);
    let text = "[a](Cargo.toml) [b](gone.md#x) [c](https://example.org/) [d](#here)";
    check(links_lead_somewhere, "README.md", text, &["README.md: the link to gone.md"]);
    check(links_lead_somewhere, "tests/a.md", "[a](parity/README.md) [b](../Cargo.toml)", &[]);
}

#[test]
fn guides_name_real_paths() {
    hold(paths_exist);
    let text = "`crates/text/src/lib.rs` `crates/gone/` `kernels/a.cu` `textDocument/completion` `target/debug/dacapo`\n";
    check(
        paths_exist,
        "README.md",
        text,
        &["README.md: there is no crates/gone/", "README.md: there is no kernels/a.cu"],
    );
    check(
        paths_exist,
        "README.md",
        "```\n`crates/gone/`\n```\n`GONE.md`\n",
        &["README.md: there is no GONE.md"],
    );
    check(paths_exist, "other.md", text, &[]);
}

#[test]
fn guides_are_there() {
    let files = crate::repository::files();
    for guide in GUIDES {
        assert!(files.iter().any(|file| file.path == *guide), "{guide} is missing");
    }
}
