//! Files that are made from the code are as the code would make them now; `cargo xtask codegen` writes them.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

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
