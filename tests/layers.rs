//! The exact table of who may depend on whom, read against `cargo metadata`.
//!
//! A new edge between crates is a decision: a diff of the table here, in a commit of its own, with a line in ARCHITECTURE.md.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write;

use cargo_metadata::{DependencyKind, MetadataCommand, Package};

/// A crate, its floor, and the crates that it depends on; arrows point to lower floors only.
const FLOORS: &[(&str, usize, &[&str])] = &[
    (
        "cli",
        6,
        &[
            "assist",
            "default-model",
            "engine",
            "eval",
            "hub",
            "model",
            "server",
            "text",
            "tokenizer",
            "workspace",
        ],
    ),
    ("eval", 5, &["assist", "syntax", "text", "workspace"]),
    ("server", 5, &["assist", "text", "workspace"]),
    ("assist", 4, &["context", "engine", "syntax", "text", "tokenizer", "workspace"]),
    ("context", 3, &["syntax", "text", "tokenizer", "workspace"]),
    ("engine", 2, &["model"]),
    ("workspace", 2, &["syntax", "text"]),
    ("model", 1, &["cuda", "gguf"]),
    ("syntax", 1, &["text"]),
    ("tokenizer", 1, &["gguf"]),
    ("cuda", 0, &[]),
    ("default-model", 0, &[]),
    ("gguf", 0, &[]),
    ("hub", 0, &[]),
    ("text", 0, &[]),
];

/// Members that are no part of the product and stand on no floor.
const OUTSIDE: &[&str] = &["integration", "test-support", "xtask"];

/// Who alone may name packages of other people, and what to do instead. A `*` at the end stands for any rest.
const THIRD_PARTY: &[Rule] = &[
    Rule {
        packages: &[
            "async-lsp",
            "gen-lsp-types",
            "ls-types",
            "lsp-server",
            "lsp-types",
            "tower-lsp*",
        ],
        owners: &["server"],
        instead: "only server knows the wire: speak offsets, ranges and plain structs, and convert in server's `proto`",
    },
    Rule {
        packages: &["candle-*"],
        owners: &["model"],
        instead: "only model computes with tensors: offer what you need as a function of model",
    },
    Rule {
        packages: &["safetensors"],
        owners: &["model", "test-support"],
        instead: "only model reads checkpoints: offer what you need as a function of model",
    },
    Rule {
        packages: &["cudarc"],
        owners: &["cuda"],
        instead: "only cuda calls the driver: offer what you need as a checked method of its Device",
    },
    Rule {
        packages: &["futures*", "tokio", "tokio-*"],
        owners: &["assist", "server", "cli", "integration", "test-support"],
        instead: "nothing below assist is async: hand results over a channel or a callback",
    },
    Rule {
        packages: &["tokenizers"],
        owners: &["tokenizer"],
        instead: "only tokenizer turns text into ids: offer what you need as a method of its Tokenizer",
    },
    Rule {
        packages: &["ropey"],
        owners: &["text"],
        instead: "only text knows the rope: offer what you need as a method of its Buffer",
    },
    Rule {
        packages: &["tree-sitter", "tree-sitter-*", "streaming-iterator"],
        owners: &["syntax"],
        instead: "only syntax knows trees: offer what you need as a method of its Tree",
    },
    Rule {
        packages: &["curl", "hf-hub", "hyper*", "reqwest", "rustls*", "ureq"],
        owners: &["hub"],
        instead: "only hub speaks to other machines, when a person asks it to: nothing else leaves this one",
    },
    Rule {
        packages: &["anyhow"],
        owners: &["cli", "xtask"],
        instead: "libraries have typed errors: one enum by thiserror per crate",
    },
];

struct Rule {
    packages: &'static [&'static str],
    owners: &'static [&'static str],
    instead: &'static str,
}

#[derive(Debug, Clone)]
struct Edge {
    from: String,
    to: String,
    kind: DependencyKind,
    features: Vec<String>,
    is_member: bool,
}

struct Workspace {
    members: Vec<String>,
    edges: Vec<Edge>,
}

impl Workspace {
    fn read() -> Self {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
        let metadata = MetadataCommand::new().manifest_path(manifest).no_deps().exec().unwrap();
        let members = metadata.packages.iter().map(|package| package.name.to_string()).collect();
        Self { members, edges: metadata.packages.iter().flat_map(edges).collect() }
    }
}

fn edges(package: &Package) -> impl Iterator<Item = Edge> {
    package.dependencies.iter().map(|dependency| Edge {
        from: package.name.to_string(),
        to: dependency.name.clone(),
        kind: dependency.kind,
        features: dependency.features.clone(),
        is_member: dependency.path.is_some(),
    })
}

fn row(name: &str) -> Option<&'static (&'static str, usize, &'static [&'static str])> {
    FLOORS.iter().find(|row| row.0 == name)
}

fn unplaced_members(workspace: &Workspace) -> Vec<String> {
    let is_placed = |name: &str| row(name).is_some() || OUTSIDE.contains(&name);
    let members = workspace.members.iter().filter(|name| !is_placed(name));
    members
        .map(|name| format!("{name} has no floor: give it a row in FLOORS of tests/layers.rs"))
        .collect()
}

fn edges_missing_in_table(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for Edge { from, to, kind, .. } in workspace.edges.iter().filter(|edge| edge.is_member) {
        let Some((_, _, allowed)) = row(from) else {
            if from == "xtask" {
                problems.push(format!(
                    "xtask depends on {to}: it drives the product as a program, without linking it"
                ));
            }
            continue;
        };
        let is_for_tests = *kind == DependencyKind::Development && to == "test-support";
        if !is_for_tests && !allowed.contains(&to.as_str()) {
            problems.push(format!(
                "{from} depends on {to} ({kind}), which is not in the table: remove the dependency, or decide for it \
                 (FLOORS in tests/layers.rs and a line in ARCHITECTURE.md, in a commit of its own)"
            ));
        }
    }
    problems
}

fn rows_without_edge(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for (from, _, allowed) in FLOORS {
        for to in *allowed {
            let is_real = |edge: &Edge| {
                edge.from == *from && edge.to == *to && edge.kind == DependencyKind::Normal
            };
            if !workspace.edges.iter().any(is_real) {
                problems.push(format!("{from} no longer depends on {to}: take the edge out of FLOORS in tests/layers.rs"));
            }
        }
        if !workspace.members.iter().any(|name| name == from) {
            problems.push(format!(
                "there is no crate {from}: take its row out of FLOORS in tests/layers.rs"
            ));
        }
    }
    problems
}

fn rising_edges(floors: &[(&str, usize, &[&str])]) -> Vec<String> {
    let mut problems = Vec::new();
    for (from, from_floor, allowed) in floors {
        for to in *allowed {
            match floors.iter().find(|row| row.0 == *to) {
                Some((_, to_floor, _)) if to_floor < from_floor => {}
                Some((_, to_floor, _)) => problems.push(format!(
                    "{from} (floor {from_floor}) depends on {to} (floor {to_floor}): move what both need to a lower floor"
                )),
                None => problems.push(format!("{from} depends on {to}, which has no row in FLOORS")),
            }
        }
    }
    problems
}

fn packages_outside_their_owner(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for Edge { from, to, .. } in workspace.edges.iter().filter(|edge| !edge.is_member) {
        for rule in THIRD_PARTY {
            let is_named = rule.packages.iter().any(|pattern| matches(pattern, to));
            if is_named && !rule.owners.contains(&from.as_str()) {
                problems.push(format!("{from} depends on {to}: {}", rule.instead));
            }
        }
        if from == "default-model" {
            problems.push(format!(
                "default-model depends on {to}: it holds bytes and depends on nothing"
            ));
        }
    }
    problems
}

fn gpu_features(workspace: &Workspace) -> Vec<String> {
    let mut problems = Vec::new();
    for edge in workspace.edges.iter().filter(|edge| edge.to.starts_with("candle-")) {
        for feature in edge
            .features
            .iter()
            .filter(|feature| matches!(feature.as_str(), "cuda" | "cudnn" | "metal"))
        {
            problems.push(format!(
                "{} asks {} for `{feature}`, which needs a toolkit at build time: the binary builds anywhere",
                edge.from, edge.to
            ));
        }
    }
    problems
}

fn test_support_in_the_product(workspace: &Workspace) -> Vec<String> {
    let edges = workspace.edges.iter().filter(|edge| edge.to == "test-support");
    let shipped = edges.filter(|edge| edge.kind != DependencyKind::Development);
    shipped
        .map(|edge| format!("{} ships test-support: name it under [dev-dependencies]", edge.from))
        .collect()
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

#[track_caller]
fn assert_none(problems: &[String]) {
    let mut list = String::new();
    for problem in problems {
        writeln!(list, "- {problem}").unwrap();
    }
    assert!(problems.is_empty(), "\n{list}");
}

#[test]
fn every_member_has_a_floor() {
    assert_none(&unplaced_members(&Workspace::read()));
}

#[test]
fn every_edge_is_in_the_table() {
    assert_none(&edges_missing_in_table(&Workspace::read()));
}

#[test]
fn every_row_is_real() {
    assert_none(&rows_without_edge(&Workspace::read()));
}

#[test]
fn floors_descend() {
    assert_none(&rising_edges(FLOORS));
}

#[test]
fn packages_stay_with_their_owner() {
    assert_none(&packages_outside_their_owner(&Workspace::read()));
}

#[test]
fn candle_stays_without_a_gpu_toolkit() {
    assert_none(&gpu_features(&Workspace::read()));
}

#[test]
fn test_support_is_not_shipped() {
    assert_none(&test_support_in_the_product(&Workspace::read()));
}

/// Each checker finds what it is there for, in a workspace that breaks the rules.
mod proofs {
    use super::*;

    fn edge(from: &str, to: &str, kind: DependencyKind, is_member: bool) -> Edge {
        Edge { from: from.to_owned(), to: to.to_owned(), kind, features: Vec::new(), is_member }
    }

    fn member(from: &str, to: &str) -> Edge {
        edge(from, to, DependencyKind::Normal, true)
    }

    fn package(from: &str, to: &str) -> Edge {
        edge(from, to, DependencyKind::Normal, false)
    }

    fn workspace(edges: &[Edge]) -> Workspace {
        Workspace { members: Vec::new(), edges: edges.to_vec() }
    }

    #[track_caller]
    fn check(problems: &[String], expected: &[&str]) {
        assert_eq!(problems.len(), expected.len(), "{problems:#?}");
        for (problem, start) in problems.iter().zip(expected) {
            assert!(problem.starts_with(start), "{problem}");
        }
    }

    #[test]
    fn a_member_without_a_floor_is_found() {
        let members = ["text", "xtask", "helpers"].map(str::to_owned).to_vec();
        check(
            &unplaced_members(&Workspace { members, edges: Vec::new() }),
            &["helpers has no floor"],
        );
    }

    #[test]
    fn an_edge_that_is_not_in_the_table_is_found() {
        let development = edge("text", "tokenizer", DependencyKind::Development, true);
        let edges = [
            member("workspace", "syntax"),
            member("context", "engine"),
            development,
            member("xtask", "cli"),
        ];
        let expected = [
            "context depends on engine",
            "text depends on tokenizer (dev)",
            "xtask depends on cli",
        ];
        check(&edges_missing_in_table(&workspace(&edges)), &expected);
    }

    #[test]
    fn test_support_is_allowed_in_tests_and_nowhere_else() {
        let edges = [
            edge("text", "test-support", DependencyKind::Development, true),
            member("text", "test-support"),
        ];
        check(
            &edges_missing_in_table(&workspace(&edges)),
            &["text depends on test-support (normal)"],
        );
        check(&test_support_in_the_product(&workspace(&edges)), &["text ships test-support"]);
    }

    #[test]
    fn a_row_without_its_edge_or_crate_is_found() {
        let mut real = Workspace::read();
        real.edges.retain(|edge| (edge.from.as_str(), edge.to.as_str()) != ("engine", "model"));
        real.members.retain(|name| name != "text");
        check(
            &rows_without_edge(&real),
            &["engine no longer depends on model", "there is no crate text"],
        );
    }

    #[test]
    fn an_edge_that_does_not_descend_is_found() {
        let floors: &[(&str, usize, &[&str])] =
            &[("high", 2, &["low", "beside", "gone"]), ("beside", 2, &[]), ("low", 1, &["high"])];
        let expected = [
            "high (floor 2) depends on beside",
            "high depends on gone",
            "low (floor 1) depends on high",
        ];
        check(&rising_edges(floors), &expected);
    }

    #[test]
    fn a_package_outside_its_owner_is_found() {
        let edges = [
            package("server", "tower-lsp-server"),
            package("assist", "tower-lsp-server"),
            package("engine", "candle-core"),
            package("workspace", "ropey"),
            package("context", "tree-sitter-rust"),
            package("engine", "tokio"),
            package("server", "ureq"),
            edge("model", "tokenizers", DependencyKind::Development, false),
            package("default-model", "serde"),
        ];
        let expected = [
            "assist depends on tower-lsp-server",
            "engine depends on candle-core",
            "workspace depends on ropey",
            "context depends on tree-sitter-rust",
            "engine depends on tokio",
            "server depends on ureq",
            "model depends on tokenizers",
            "default-model depends on serde",
        ];
        check(&packages_outside_their_owner(&workspace(&edges)), &expected);
    }

    #[test]
    fn a_gpu_feature_of_candle_is_found() {
        let cuda = Edge { features: vec!["cuda".to_owned()], ..package("model", "candle-core") };
        let plain = Edge { features: vec!["std".to_owned()], ..package("model", "candle-nn") };
        check(&gpu_features(&workspace(&[cuda, plain])), &["model asks candle-core for `cuda`"]);
    }
}
