//! `model pull`, `model list` and a pulled model by its name, against a hub on the loopback interface.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use test_support::checkpoint::TinyModel;
use test_support::hub::{Files, Hub, Reply};

const REPOSITORY: &str = "some-lab/tiny-coder";

/// A home directory of its own, and a hub that serves a tiny model and refuses its weights at first if it is `gated`.
struct World {
    home: TempDir,
    hub: Hub,
}

impl World {
    fn new(is_gated: bool) -> Self {
        let source = tempfile::tempdir().unwrap();
        TinyModel::SMALL.write(source.path());
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())
        };
        let files: Files = std::fs::read_dir(source.path()).unwrap().map(read).collect();
        let hub = Hub::start(REPOSITORY, files, move |request, reply| {
            let may_read = request.header("authorization") == Some("Bearer secret");
            match is_gated && !may_read && request.path.ends_with(".safetensors") {
                true => Reply::status(403),
                false => reply,
            }
        });
        Self { home: tempfile::tempdir().unwrap(), hub }
    }

    fn models(&self) -> std::path::PathBuf {
        self.home.path().join("data/dacapo/models")
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_dacapo"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("XDG_DATA_HOME", self.home.path().join("data"))
            .env("HF_ENDPOINT", self.hub.endpoint())
            .envs(variables.iter().copied())
            .output()
            .expect("the binary runs")
    }

    #[track_caller]
    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(arguments, &[]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else")
    }

    #[track_caller]
    fn check_failure(&self, arguments: &[&str], variables: &[(&str, &str)], expected: &str) {
        let output = self.run(arguments, variables);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(expected), "{said:?} does not contain {expected:?}");
        assert_eq!(text(&output.stdout), "");
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

const PULL: [&str; 3] = ["model", "pull", REPOSITORY];
const GENERATE: [&str; 8] =
    ["generate", "--tokens", "1,2", "--max-tokens", "2", "--json", "--model", REPOSITORY];

#[test]
fn a_pulled_model_is_listed_and_runs_by_its_name() {
    let world = World::new(false);
    world.check_failure(&GENERATE, &[], "`dacapo model pull some-lab/tiny-coder` fetches it");
    let directory = world.models().join(REPOSITORY);
    let first = world.run(&PULL, &[]);
    assert_eq!(text(&first.stderr).lines().count(), 1, "{}", text(&first.stderr));
    assert!(text(&first.stderr).starts_with("fetched 3 of 3 files"), "{}", text(&first.stderr));
    assert_eq!(text(&first.stdout), display(&directory) + "\n");
    let again = world.run(&PULL, &[]);
    assert!(text(&again.stderr).starts_with("everything is in place"), "{}", text(&again.stderr));
    let report = world.json(&["model", "pull", REPOSITORY, "--json"]);
    assert_eq!(report["n_fetched"], 0);
    assert_eq!(report["path"], display(&directory));

    let listed = world.json(&["model", "list", "--json"]);
    assert_eq!(listed["directory"], display(&world.models()));
    let names = listed["models"].as_array().unwrap().iter().map(|model| &model["name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["default", REPOSITORY]);
    let pulled = &listed["models"][1];
    assert_eq!((&pulled["complete"], &pulled["path"]), (&true.into(), &display(&directory).into()));
    assert!(pulled["parameters"].is_number(), "{pulled}");

    assert_eq!(world.json(&GENERATE)["prompt_tokens"], 2);
}

#[test]
fn what_is_refused_is_said_and_what_came_is_marked() {
    let world = World::new(true);
    world.check_failure(&PULL, &[], "set HF_TOKEN");
    world.check_failure(&PULL, &[("HF_TOKEN", "wrong")], "check that your token may read it");
    world.check_failure(&PULL, &[("HF_HUB_OFFLINE", "1")], "HF_HUB_OFFLINE is set");
    world.check_failure(&["model", "pull", "../etc"], &[], "expected OWNER/NAME");
    world.check_failure(&GENERATE, &[], "is not complete");
    let listed = world.json(&["model", "list", "--json"]);
    assert_eq!(listed["models"][1]["complete"], false);
    let printed = world.run(&["model", "list"], &[]);
    assert!(text(&printed.stdout).contains("incomplete: `dacapo model pull some-lab/tiny-coder`"));

    let pulled = world.run(&PULL, &[("HF_TOKEN", "secret")]);
    assert!(text(&pulled.stderr).starts_with("fetched 1 of 3 files"), "{}", text(&pulled.stderr));
    assert!(!text(&pulled.stderr).contains("secret"));
}
