//! Settings: their types, where values come from, and who may set what.
//!
//! The types are the one place that names a setting: the reference page and the JSON schema are made from them.

mod files;
mod keys;
mod layers;
mod reference;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use files::{read_user_file, read_workspace_file, user_file};
pub use layers::{Layer, Problem, Resolved, Source, Value, resolve, resolve_in};
pub use reference::{reference_page, schema};

/// Settings of Dacapo.
///
/// The attribute `x-untrusted` says what a workspace that is not trusted may do with a setting: `off` may switch it off,
/// `less` may lower it, `more` may add to it; without it such a workspace may not set it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Config {
    /// Whether anything is suggested at all.
    #[schemars(extend("x-untrusted" = "off"))]
    pub enabled: bool,
    /// Send `dacapo/status` to the client; for clients that know this notification. With several folders that of the first one counts, as the client hears of one model.
    pub status: bool,
    /// The editor trusts the folders that it has open, so their `.dacapo.toml` may set anything; only an editor can say so.
    pub trusted: bool,
    /// Folders whose `.dacapo.toml`, and that of every folder inside them, may set anything.
    pub trusted_folders: Vec<String>,
    pub model: ModelConfig,
    pub completion: CompletionConfig,
    pub context: ContextConfig,
    pub daemon: DaemonConfig,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ModelConfig {
    /// `default` for the built-in model, the path of a checkpoint directory or of a GGUF file, or `OWNER/NAME` of a pulled model.
    pub name: String,
    /// What computes: `auto` takes an NVIDIA GPU that has room for the model, unless the model is so small that it would not be noticed, and else the processor; `cpu` is the processor; `cuda` is the first NVIDIA GPU, and no suggestions where it cannot be used. Read from the user's file alone, when the daemon starts.
    pub device: Device,
    /// Read the weights as soon as an editor connects, instead of when somebody begins to type; those of the first folder.
    pub preload: bool,
    /// Seconds without a request after which the weights are given back; they are read again when somebody types. 0 keeps them. Read from the user's file alone, when the daemon starts.
    #[schemars(range(min = 0, max = 604_800))]
    pub unload_after_seconds: u32,
    /// Texts of which the model keeps what it has read, so that a prompt that begins like one of them is answered sooner; about one for each document that is worked on at the same time, in all editors. Read from the user's file alone, when the daemon starts.
    #[schemars(range(min = 1, max = 64))]
    pub kept_texts: u32,
    /// Most memory for what the model keeps of texts, in megabytes; the text that was used last is kept whatever it takes. Read from the user's file alone, when the daemon starts.
    #[schemars(range(min = 1, max = 1_048_576))]
    pub kept_megabytes: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Device {
    #[default]
    Auto,
    Cpu,
    Cuda,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CompletionConfig {
    /// Suggest while the user types; without it only when asked by hand. A menu of completions (`textDocument/completion`) does not tell who asked, and gets none then.
    #[schemars(extend("x-untrusted" = "off"))]
    pub automatic: bool,
    /// Most tokens of one suggestion.
    #[schemars(range(min = 1, max = 1024), extend("x-untrusted" = "less"))]
    pub max_tokens: u32,
    /// Most tokens of a prompt; the context of the model is a further limit.
    #[schemars(range(min = 64, max = 131_072), extend("x-untrusted" = "less"))]
    pub max_prompt_tokens: u32,
    /// Longest wait in milliseconds before the model is asked while the user types. How long it waits within that follows from how fast the user types and how often suggestions are taken; 0 for editors that wait themselves.
    #[schemars(range(min = 0, max = 1000))]
    pub max_delay_ms: u32,
    /// Suggestions that the model itself finds less likely than this are not shown while the user types: the geometric mean of the probabilities of their tokens. 0 shows all.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub min_confidence: f64,
    /// While a suggestion is shown, let the model write what would follow if it were taken, as far as nobody else needs it.
    #[schemars(extend("x-untrusted" = "off"))]
    pub look_ahead: bool,
    /// Languages without suggestions, by their LSP identifiers.
    #[schemars(extend("x-untrusted" = "more"))]
    pub disabled_languages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ContextConfig {
    /// Show the model what it needs of other files of the workspace folder. Files that `.gitignore` or `.dacapoignore` leaves out, and files that usually hold secrets, are never read.
    #[schemars(extend("x-untrusted" = "off"))]
    pub repository: bool,
    /// Files in which nothing is suggested and of which the model is shown nothing for that, as patterns in the form of a `.gitignore`, relative to the workspace folder. Only a trusted workspace may take patterns of others back by lines that begin with `!`.
    #[schemars(extend("x-untrusted" = "more"))]
    pub exclude: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct DaemonConfig {
    /// Seconds after which a daemon without clients ends. Read from the user's file alone, when the daemon starts.
    #[schemars(range(min = 1, max = 86_400))]
    pub exit_after_seconds: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            status: false,
            trusted: false,
            trusted_folders: Vec::new(),
            model: ModelConfig::default(),
            completion: CompletionConfig::default(),
            context: ContextConfig::default(),
            daemon: DaemonConfig::default(),
        }
    }
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            name: "default".into(),
            device: Device::Auto,
            preload: false,
            unload_after_seconds: 900,
            kept_texts: 16,
            kept_megabytes: 1024,
        }
    }
}

impl Default for CompletionConfig {
    fn default() -> Self {
        Self {
            automatic: true,
            max_tokens: 64,
            max_prompt_tokens: 2048,
            max_delay_ms: 1000,
            min_confidence: assist::MIN_CONFIDENCE,
            look_ahead: true,
            disabled_languages: Vec::new(),
        }
    }
}

impl Default for ContextConfig {
    fn default() -> Self {
        // What is never worth completing, and what holds secrets more often than not.
        let exclude =
            [".env", ".env.*", "*.pem", "*.key", "*.p12", "*.pfx", "id_rsa", "id_ed25519"];
        Self { repository: true, exclude: exclude.map(str::to_owned).to_vec() }
    }
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self { exit_after_seconds: 600 }
    }
}

#[cfg(test)]
mod tests;
