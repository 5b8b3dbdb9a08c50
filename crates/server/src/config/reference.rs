//! The reference page and the JSON schema, made from the types.

use std::fmt::Write;

use serde_json::Value;

use super::keys::{self, KEYS, Untrusted};

/// `docs/config.schema.json`: for editors that complete and check TOML or JSON.
pub fn schema() -> String {
    let mut schema = keys::schema();
    schema["title"] = Value::from("Dacapo");
    schema["description"] = Value::from("Settings of Dacapo; docs/configuration.md explains them.");
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// `docs/configuration.md`.
pub fn reference_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for key in KEYS.iter() {
        // Writing to a string cannot fail.
        let _ = write!(
            page,
            "\n### `{}`\n\n{}\n\n- Value: {}.\n- Default: `{}`.\n- A workspace that is not trusted {}.\n",
            key.name,
            sentences(&key.description),
            key.kind.words(),
            key.default,
            match key.untrusted {
                Untrusted::Nothing => "may not set it",
                Untrusted::Off => "may switch it off",
                Untrusted::Less => "may lower it",
                Untrusted::More => "may add to it",
            }
        );
    }
    page
}

/// One sentence a line.
fn sentences(text: &str) -> String {
    text.replace(". ", ".\n")
}

const INTRODUCTION: &str = "\
# Configuration

This page is made from the types in `crates/server/src/config.rs` by `cargo xtask codegen`; change those.

Dacapo needs no configuration.
Where there is some, values come from these places, and a later one wins over an earlier one:

1. the defaults below;
2. the user's file, `$XDG_CONFIG_HOME/dacapo/config.toml` (`~/.config/dacapo/config.toml`; on Windows `%APPDATA%\\dacapo\\config.toml`);
3. `.dacapo.toml` in a workspace folder, for the files of that folder;
4. the editor: `initializationOptions`, then `workspace/configuration` for the section `dacapo`, or what it pushes with `workspace/didChangeConfiguration`;
5. the command line: `dacapo lsp --model M`, or `DACAPO_MODEL`.

Lists add up instead.
The names are the same everywhere; in TOML a dot is a table or a dotted key:

```toml
[completion]
maxTokens = 48
disabledLanguages = [\"markdown\"]
```

A name that is not known and a value of the wrong form are left out, and said: in the editor as a message, in the log, and by `dacapo doctor`, which also shows where each value came from.
`config.schema.json` beside this page lets editors complete and check these files.

## Trust

A workspace's `.dacapo.toml` comes with the code, from whoever wrote that.
Until the workspace is trusted it can only make Dacapo do less: switch suggestions off, exclude files and languages, lower limits.
A folder is trusted when the editor says so (`trusted`), or when the user's file names it or a folder above it in `trustedFolders`.

## Settings
";
