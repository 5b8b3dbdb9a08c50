//! From values of several places to one configuration, each value with the place it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

pub use serde_json::Value;

use super::Config;
use super::keys::{self, KEYS, Kind, Untrusted};

/// Where a value came from; the later ones win.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    Default,
    /// The user's file.
    User(PathBuf),
    /// `.dacapo.toml` of a workspace folder.
    Workspace(PathBuf),
    /// `initializationOptions`.
    Initialization,
    /// `workspace/configuration` or `workspace/didChangeConfiguration`.
    Client,
    /// A flag, or the environment variable that stands for it.
    CommandLine,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::User(path) | Self::Workspace(path) => write!(f, "{}", path.display()),
            Self::Initialization => f.write_str("the editor's initializationOptions"),
            Self::Client => f.write_str("the editor's settings"),
            Self::CommandLine => f.write_str("the command line"),
        }
    }
}

/// Values of one place, as an object; dots in names count as levels.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub source: Source,
    pub values: Value,
}

/// A value that was left out, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub source: Source,
    /// Empty where the whole place could not be read.
    pub key: String,
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key.as_str() {
            "" => write!(f, "{}: {}", self.source, self.message),
            key => write!(f, "{}: {key}: {}", self.source, self.message),
        }
    }
}

/// The settings that hold, where each came from, and what was left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    pub config: Config,
    origins: BTreeMap<String, Vec<Source>>,
    pub problems: Vec<Problem>,
}

impl Resolved {
    /// Every setting in the order of names: name, value, and the places that it came from.
    pub fn settings(&self) -> Vec<(&'static str, Value, Vec<Source>)> {
        let values = serde_json::to_value(&self.config).unwrap_or_default();
        let keys: &'static [keys::Key] = &KEYS;
        keys.iter()
            .map(|key| {
                let value = key.name.split('.').try_fold(&values, |at, name| at.get(name));
                let origin = self.origins.get(&key.name).cloned();
                let origin = origin.unwrap_or_else(|| vec![Source::Default]);
                (key.name.as_str(), value.cloned().unwrap_or_default(), origin)
            })
            .collect()
    }
}

/// Puts the layers over one another, in the order of their sources.
///
/// A value of the wrong form and a name that is not known are left out and reported; lists add up.
/// A workspace's layer counts as not trusted.
pub fn resolve(layers: &[Layer]) -> Resolved {
    merge(layers, false)
}

/// As [`resolve`], for a workspace folder with its own layer among `layers`, which is trusted if the other layers say so.
pub fn resolve_in(folder: &Path, layers: &[Layer]) -> Resolved {
    let is_other = |layer: &&Layer| !matches!(layer.source, Source::Workspace(_));
    let others: Vec<Layer> = layers.iter().filter(is_other).cloned().collect();
    let config = merge(&others, false).config;
    let trusted = config.trusted
        || config.trusted_folders.iter().any(|trusted| {
            let trusted = Path::new(trusted);
            trusted.is_absolute() && folder.starts_with(trusted)
        });
    merge(layers, trusted)
}

fn merge(layers: &[Layer], trusted: bool) -> Resolved {
    let mut ordered: Vec<&Layer> = layers.iter().collect();
    ordered.sort_by(|a, b| a.source.cmp(&b.source));
    let mut merged = Merged::default();
    for layer in ordered {
        let mut leaves = Vec::new();
        if let Value::Object(_) = layer.values {
            flatten(&layer.values, String::new(), &mut leaves);
        } else if !layer.values.is_null() {
            merged.report(layer, "", format!("expected an object, found {}", layer.values));
        }
        for (name, value) in leaves {
            merged.take(layer, &name, value, trusted);
        }
    }
    merged.finish()
}

#[derive(Default)]
struct Merged {
    values: BTreeMap<String, Value>,
    origins: BTreeMap<String, Vec<Source>>,
    problems: Vec<Problem>,
}

impl Merged {
    fn take(&mut self, layer: &Layer, name: &str, value: Value, trusted: bool) {
        let Some(key) = keys::find(name) else {
            return self.report(layer, name, unknown(name));
        };
        if !key.kind.takes(&value) {
            let expected = key.kind.words();
            return self.report(
                layer,
                name,
                format!("expected {expected}, found {value}; ignored"),
            );
        }
        let current = self.values.get(name).unwrap_or(&key.default);
        if let Source::Workspace(_) = layer.source {
            if matches!(name, "trusted" | "trustedFolders" | "status") {
                let message = "a workspace cannot set this; ignored".into();
                return self.report(layer, name, message);
            }
            if !trusted && !narrows(key.untrusted, current, &value) {
                let message = "only a trusted workspace may set this; ignored (trust the folder in the editor, \
                               or name it in trustedFolders of your own configuration file)"
                    .into();
                return self.report(layer, name, message);
            }
        }
        let origin = self.origins.entry(name.to_owned()).or_default();
        let value = match (&key.kind, current) {
            (Kind::Texts, Value::Array(current)) => {
                let mut items = current.clone();
                items.extend(value.as_array().into_iter().flatten().cloned());
                let mut seen = Vec::new();
                items.retain(|item| {
                    let is_new = !seen.contains(item);
                    seen.push(item.clone());
                    is_new
                });
                if origin.is_empty() && !current.is_empty() {
                    origin.push(Source::Default);
                }
                Value::Array(items)
            }
            _ => {
                origin.clear();
                value
            }
        };
        origin.push(layer.source.clone());
        self.values.insert(name.to_owned(), value);
    }

    fn report(&mut self, layer: &Layer, key: &str, message: String) {
        let source = layer.source.clone();
        self.problems.push(Problem { source, key: key.to_owned(), message });
    }

    fn finish(self) -> Resolved {
        let mut tree = Value::Object(serde_json::Map::new());
        for (name, value) in &self.values {
            let mut at = &mut tree;
            for part in name.split('.') {
                at = &mut at[part];
            }
            *at = value.clone();
        }
        // Every value fits the schema, and the schema is that of the type.
        let config = serde_json::from_value(tree).unwrap_or_default();
        Resolved { config, origins: self.origins, problems: self.problems }
    }
}

/// Whether `value` in place of `current` makes Dacapo do less.
fn narrows(untrusted: Untrusted, current: &Value, value: &Value) -> bool {
    match untrusted {
        Untrusted::Nothing => current == value,
        Untrusted::Off => current == value || *value == Value::Bool(false),
        Untrusted::Less => value.as_i64() <= current.as_i64(),
        // A pattern that begins so takes others back.
        Untrusted::More => !value.as_array().is_some_and(|patterns| {
            patterns.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with('!')))
        }),
    }
}

/// Leaves of a tree of objects by their dotted names; `null` stands for a value that is not set.
fn flatten(value: &Value, name: String, leaves: &mut Vec<(String, Value)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (field, value) in fields {
                let name = if name.is_empty() { field.clone() } else { format!("{name}.{field}") };
                flatten(value, name, leaves);
            }
        }
        _ => leaves.push((name, value.clone())),
    }
}

fn unknown(name: &str) -> String {
    let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
    let last = |name: &str| plain(name.rsplit('.').next().unwrap_or_default());
    let keys: &'static [keys::Key] = &KEYS;
    let alike = keys
        .iter()
        .find(|key| plain(&key.name) == plain(name))
        .or_else(|| keys.iter().find(|key| last(&key.name) == last(name)));
    match alike {
        Some(key) => format!("there is no such setting; did you mean {}?", key.name),
        None => "there is no such setting; docs/configuration.md lists all".into(),
    }
}
