//! Rules about the manifests of the members: lints, versions and facts about the package come from the root.

use toml::{Table, Value};

use crate::repository::{File, check, hold};

const INHERITED: &[&str] = &["version", "edition", "rust-version", "license", "publish"];
const DEPENDENCIES: &[&str] = &["dependencies", "dev-dependencies", "build-dependencies"];

fn inherits_from_the_root(file: &File) -> Vec<String> {
    let is_member = file.path.ends_with("/Cargo.toml");
    if !is_member {
        return Vec::new();
    }
    let manifest: Table = match file.text.parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![format!("{}: {error}", file.path)],
    };
    let mut problems = Vec::new();
    if !is_inherited(manifest.get("lints")) {
        problems.push(format!("{}: add `[lints]` with `workspace = true`", file.path));
    }
    for key in INHERITED {
        if !is_inherited(manifest.get("package").and_then(|package| package.get(key))) {
            problems.push(format!("{}: write `{key}.workspace = true`", file.path));
        }
    }
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    for table in platforms.filter_map(|(_, platform)| platform.as_table()).chain([&manifest]) {
        let sections = DEPENDENCIES.iter().filter_map(|name| table.get(*name)?.as_table());
        for (name, dependency) in sections.flatten() {
            if !is_inherited(Some(dependency)) {
                let root = "name the version once, in [workspace.dependencies] of the root";
                problems.push(format!("{}: `{name}.workspace = true`; {root}", file.path));
            }
        }
    }
    problems
}

fn is_inherited(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(Value::as_bool) == Some(true)
}

#[test]
fn members_inherit_from_the_root() {
    hold(inherits_from_the_root);
}

#[test]
fn what_is_not_inherited_is_found() {
    let package: String = INHERITED.iter().map(|key| format!("{key}.workspace = true\n")).collect();
    let good = format!(
        "[package]\nname = \"a\"\n{package}[dependencies]\nserde.workspace = true\n[lints]\nworkspace = true\n"
    );
    let rule = inherits_from_the_root;
    check(rule, "crates/a/Cargo.toml", &good, &[]);
    let version = good.replace("serde.workspace = true", "serde = \"1\"");
    check(
        rule,
        "crates/a/Cargo.toml",
        &version,
        &["crates/a/Cargo.toml: `serde.workspace = true`"],
    );
    let platform = format!("{good}[target.'cfg(unix)'.dev-dependencies]\nlibc = \"1\"\n");
    check(
        rule,
        "crates/a/Cargo.toml",
        &platform,
        &["crates/a/Cargo.toml: `libc.workspace = true`"],
    );
    let lints = good.replace("[lints]\nworkspace = true\n", "");
    check(rule, "crates/a/Cargo.toml", &lints, &["crates/a/Cargo.toml: add `[lints]`"]);
    let edition = good.replace("edition.workspace = true", "edition = \"2021\"");
    check(
        rule,
        "crates/a/Cargo.toml",
        &edition,
        &["crates/a/Cargo.toml: write `edition.workspace = true`"],
    );
    check(rule, "crates/a/Cargo.toml", "[package", &["crates/a/Cargo.toml: "]);
}
