//! Merging, provenance, trust and the words for what is wrong.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::keys::KEYS;
use super::*;

fn layer(source: Source, values: Value) -> Layer {
    Layer { source, values }
}

fn user(values: Value) -> Layer {
    layer(Source::User(PathBuf::from("/home/me/config.toml")), values)
}

fn workspace(values: Value) -> Layer {
    layer(Source::Workspace(PathBuf::from("/project/.dacapo.toml")), values)
}

fn problems(resolved: &Resolved) -> String {
    resolved.problems.iter().map(|problem| format!("{problem}\n")).collect()
}

#[test]
fn the_schema_and_the_types_agree() {
    let defaults = serde_json::to_value(Config::default()).unwrap();
    for key in KEYS.iter() {
        let default = key.name.split('.').fold(&defaults, |at, name| &at[name]);
        assert_eq!(*default, key.default, "{}", key.name);
        assert!(key.kind.takes(default), "{}", key.name);
        assert!(key.description.ends_with('.'), "{}", key.name);
    }
    let all: Value = KEYS.iter().map(|key| (key.name.clone(), key.default.clone())).collect();
    let resolved = resolve(&[layer(Source::Client, all)]);
    assert_eq!((resolved.config, resolved.problems), (Config::default(), Vec::new()));
}

#[test]
fn a_later_place_wins_and_is_named() {
    let resolved = resolve(&[
        layer(Source::Client, json!({"completion": {"maxTokens": 3}})),
        user(json!({"completion": {"maxTokens": 2, "automatic": false}})),
        layer(Source::CommandLine, json!({"model": {"name": "x"}})),
        layer(Source::Initialization, json!({"completion.maxTokens": 4, "model": null})),
    ]);
    assert_eq!(resolved.config.completion.max_tokens, 3);
    assert!(!resolved.config.completion.automatic);
    let changed: Vec<String> = resolved
        .settings()
        .into_iter()
        .filter(|(_, _, sources)| *sources != [Source::Default])
        .map(|(name, value, sources)| {
            let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
            format!("{name} = {value} ({})", sources.join(", "))
        })
        .collect();
    insta::assert_snapshot!(changed.join("\n"), @r#"
    completion.automatic = false (/home/me/config.toml)
    completion.maxTokens = 3 (the editor's settings)
    model.name = "x" (the command line)
    "#);
    assert_eq!(problems(&resolved), "");
}

#[test]
fn what_is_wrong_is_said_and_left_out() {
    let resolved = resolve(&[
        user(json!({
            "completion": {"maxTokens": "many", "max_prompt_tokens": 9, "automatic": false},
            "maxTokens": 3,
            "colour": "red",
            "model": {"name": 7},
            "context": {"exclude": ["a", 1]},
        })),
        layer(Source::Client, json!({"completion": {"maxTokens": 0, "maxPromptTokens": 1.5}})),
        layer(Source::Initialization, json!(["a"])),
    ]);
    assert_eq!(
        resolved.config.completion,
        CompletionConfig { automatic: false, ..Default::default() }
    );
    insta::assert_snapshot!(problems(&resolved), @r#"
    /home/me/config.toml: colour: there is no such setting; docs/configuration.md lists all
    /home/me/config.toml: completion.maxTokens: expected a whole number from 1 to 1024, found "many"; ignored
    /home/me/config.toml: completion.max_prompt_tokens: there is no such setting; did you mean completion.maxPromptTokens?
    /home/me/config.toml: context.exclude: expected a list of texts, found ["a",1]; ignored
    /home/me/config.toml: maxTokens: there is no such setting; did you mean completion.maxTokens?
    /home/me/config.toml: model.name: expected a text, found 7; ignored
    the editor's initializationOptions: expected an object, found ["a"]
    the editor's settings: completion.maxPromptTokens: expected a whole number from 64 to 131072, found 1.5; ignored
    the editor's settings: completion.maxTokens: expected a whole number from 1 to 1024, found 0; ignored
    "#);
}

#[test]
fn lists_add_up() {
    let resolved = resolve(&[
        user(json!({"completion": {"disabledLanguages": ["toml", "json"]}})),
        workspace(json!({"completion": {"disabledLanguages": ["json", "go"]}})),
        workspace(json!({"context": {"exclude": ["/made"]}})),
    ]);
    assert_eq!(resolved.config.completion.disabled_languages, ["toml", "json", "go"]);
    let default = ContextConfig::default().exclude;
    assert_eq!(resolved.config.context.exclude.len(), default.len() + 1);
    assert_eq!(problems(&resolved), "");
}

const EVERYTHING: &str = r#"{
    "enabled": false, "model": {"name": "/tmp/evil", "preload": true}, "trusted": true,
    "trustedFolders": ["/"], "completion": {"maxTokens": 9, "maxPromptTokens": 4096},
    "context": {"exclude": ["*.sql"]}
}"#;

#[test]
fn an_untrusted_workspace_only_narrows() {
    let layers = [user(json!({})), workspace(serde_json::from_str(EVERYTHING).unwrap())];
    let resolved = resolve_in(Path::new("/project"), &layers);
    let config = &resolved.config;
    assert!(!config.enabled);
    assert_eq!((config.completion.max_tokens, config.completion.max_prompt_tokens), (9, 2048));
    assert_eq!(config.model, ModelConfig::default());
    assert!(!config.trusted && config.trusted_folders.is_empty());
    assert!(config.context.exclude.contains(&"*.sql".to_owned()));
    insta::assert_snapshot!(problems(&resolved), @r"
    /project/.dacapo.toml: completion.maxPromptTokens: only a trusted workspace may set this; ignored (trust the folder in the editor, or name it in trustedFolders of your own configuration file)
    /project/.dacapo.toml: model.name: only a trusted workspace may set this; ignored (trust the folder in the editor, or name it in trustedFolders of your own configuration file)
    /project/.dacapo.toml: model.preload: only a trusted workspace may set this; ignored (trust the folder in the editor, or name it in trustedFolders of your own configuration file)
    /project/.dacapo.toml: trusted: a workspace cannot set this; ignored
    /project/.dacapo.toml: trustedFolders: a workspace cannot set this; ignored
    ");
}

#[test]
fn an_untrusted_workspace_takes_no_pattern_back() {
    let mine = user(json!({"context": {"exclude": ["*.sql"]}}));
    let theirs = workspace(json!({"context": {"exclude": ["!*.sql"]}}));
    let resolved = resolve_in(Path::new("/project"), &[mine.clone(), theirs.clone()]);
    assert!(!resolved.config.context.exclude.contains(&"!*.sql".to_owned()));
    assert_eq!(resolved.problems.len(), 1);
    let trusted = layer(Source::Client, json!({"trusted": true}));
    let resolved = resolve_in(Path::new("/project"), &[mine, theirs, trusted]);
    assert!(resolved.config.context.exclude.contains(&"!*.sql".to_owned()));
}

#[test]
fn an_untrusted_workspace_cannot_switch_on_again() {
    let off = user(json!({"enabled": false, "completion": {"automatic": false}}));
    let on = workspace(json!({"enabled": true, "completion": {"automatic": true}}));
    let resolved = resolve_in(Path::new("/project"), &[off, on]);
    assert!(!resolved.config.enabled && !resolved.config.completion.automatic);
    assert_eq!(resolved.problems.len(), 2);
}

#[track_caller]
fn check_trust(by: Layer, folder: &str, trusted: bool) {
    let layers = [by, workspace(json!({"model": {"name": "/project/model"}}))];
    let resolved = resolve_in(Path::new(folder), &layers);
    assert_eq!(resolved.config.model.name == "/project/model", trusted, "{}", problems(&resolved));
}

#[test]
fn trust_comes_from_the_user_and_from_the_editor() {
    check_trust(user(json!({"trustedFolders": ["/project"]})), "/project", true);
    check_trust(user(json!({"trustedFolders": ["/"]})), "/project", true);
    check_trust(user(json!({"trustedFolders": ["/proj", "project"]})), "/project", false);
    check_trust(layer(Source::Client, json!({"trusted": true})), "/project", true);
    check_trust(layer(Source::Initialization, json!({"trusted": true})), "/project", true);
    check_trust(user(json!({})), "/project", false);
}

#[test]
fn files_are_read_or_their_fault_is_said() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read_workspace_file(folder.path()), Ok(None));
    let path = folder.path().join(".dacapo.toml");
    std::fs::write(&path, "enabled = false\n[completion]\nmaxTokens = 7\n").unwrap();
    let layer = read_workspace_file(folder.path()).unwrap().unwrap();
    assert_eq!(layer.values, json!({"enabled": false, "completion": {"maxTokens": 7}}));
    std::fs::write(&path, "enabled = maybe").unwrap();
    let problem = read_workspace_file(folder.path()).unwrap_err().to_string();
    assert!(problem.contains("not TOML") && problem.contains("line 1"), "{problem}");
    std::fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(read_workspace_file(folder.path()).is_err());
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(read_workspace_file(folder.path()).is_err());
}

#[track_caller]
fn check_user_file(variables: &[(&str, &str)], expected: Option<&str>) {
    let variable = |name: &str| {
        variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
    };
    assert_eq!(user_file(variable), expected.map(PathBuf::from));
}

#[cfg(unix)]
#[test]
fn the_users_file_is_where_the_desktop_says() {
    let home = ("HOME", "/home/me");
    check_user_file(&[home], Some("/home/me/.config/dacapo/config.toml"));
    check_user_file(&[home, ("XDG_CONFIG_HOME", "/c")], Some("/c/dacapo/config.toml"));
    check_user_file(&[home, ("XDG_CONFIG_HOME", "c")], Some("/home/me/.config/dacapo/config.toml"));
    check_user_file(&[], None);
}
