//! Files that are made from the code are as the code would make them now; `cargo xtask codegen` writes them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::{Map, Value};

/// Set by `cargo xtask codegen`: write instead of compare.
const WRITE: &str = "DACAPO_CODEGEN";

#[track_caller]
fn check(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, expected).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expected, "{path} is not what the code makes now: run `cargo xtask codegen`");
}

#[test]
fn the_configuration_page_is_fresh() {
    check("docs/configuration.md", &server::config::reference_page());
}

#[test]
fn the_configuration_schema_is_fresh() {
    check("docs/config.schema.json", &server::config::schema());
}

#[test]
fn the_settings_of_vs_code_are_fresh() {
    let path = "editors/vscode/package.json";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let manifest = std::fs::read_to_string(file).unwrap();
    let schema: Value = serde_json::from_str(&server::config::schema()).unwrap();
    let mut settings = Map::new();
    flatten(&schema, "dacapo", &mut settings);
    check(path, &with_settings(&manifest, &settings));
}

/// Settings that no person sets in an editor: it says them itself, or they are read from the user's file alone.
const NOT_IN_EDITORS: &[&str] = &["dacapo.daemon.", "dacapo.status", "dacapo.trusted"];

/// The leaves of the schema by their whole names, in the form of VS Code's `contributes.configuration`.
fn flatten(schema: &Value, name: &str, settings: &mut Map<String, Value>) {
    let Some(properties) = schema["properties"].as_object() else {
        if !NOT_IN_EDITORS.iter().any(|start| name.starts_with(start)) {
            settings.insert(name.to_owned(), as_setting(schema));
        }
        return;
    };
    for (key, property) in properties {
        flatten(property, &format!("{name}.{key}"), settings);
    }
}

fn as_setting(schema: &Value) -> Value {
    let mut setting = Map::new();
    for (name, value) in schema.as_object().unwrap() {
        match name.as_str() {
            "description" => setting.insert("markdownDescription".to_owned(), value.clone()),
            // Words that VS Code does not know.
            "format" => None,
            name if name.starts_with("x-") => None,
            name => setting.insert(name.to_owned(), value.clone()),
        };
    }
    setting.insert("scope".to_owned(), "resource".into());
    Value::Object(setting)
}

/// Replaces the settings of the manifest's last section, and leaves all other text as it is.
fn with_settings(manifest: &str, settings: &Map<String, Value>) -> String {
    const OPENING: &str = "\"title\": \"Suggestions and Model\",\n        \"properties\": ";
    let (before, rest) = manifest.split_once(OPENING).unwrap();
    let (_, after) = rest.split_once("\n      }\n    ],").unwrap();
    let properties = serde_json::to_string_pretty(settings).unwrap().replace('\n', "\n        ");
    format!("{before}{OPENING}{properties}\n      }}\n    ],{after}")
}
