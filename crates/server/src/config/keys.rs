//! Every setting with the values it takes, read off the schema of the types.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::Config;

/// A setting by its dotted name.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) default: Value,
    pub(super) description: String,
    pub(super) untrusted: Untrusted,
}

/// What a value looks like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Bool,
    /// Both ends included.
    Integer(i64, i64),
    /// Both ends included.
    Number(f64, f64),
    Text,
    OneOf(Vec<String>),
    Texts,
}

/// What a workspace that is not trusted may do with a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Untrusted {
    Nothing,
    /// Set it to `false`.
    Off,
    /// Lower it.
    Less,
    /// Add to it.
    More,
}

impl Kind {
    pub(super) fn takes(&self, value: &Value) -> bool {
        match self {
            Self::Bool => value.is_boolean(),
            Self::Integer(min, max) => {
                value.as_i64().is_some_and(|number| *min <= number && number <= *max)
            }
            Self::Number(min, max) => {
                value.as_f64().is_some_and(|number| *min <= number && number <= *max)
            }
            Self::Text => value.is_string(),
            Self::OneOf(names) => names.iter().any(|name| value == name.as_str()),
            Self::Texts => value.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        }
    }

    /// For people, after "expected".
    pub(super) fn words(&self) -> String {
        match self {
            Self::Bool => "true or false".into(),
            Self::Integer(min, max) => format!("a whole number from {min} to {max}"),
            Self::Number(min, max) => format!("a number from {min} to {max}"),
            Self::Text => "a text".into(),
            Self::OneOf(names) => format!("one of {}", names.join(", ")),
            Self::Texts => "a list of texts".into(),
        }
    }
}

/// The schema of [`Config`], with every part in place.
pub(super) fn schema() -> Value {
    let settings = SchemaSettings::draft07().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<Config>().to_value()
}

/// All settings, in the order of their names.
pub(super) static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    let mut keys = Vec::new();
    collect(&schema(), "", &mut keys);
    keys.sort_by(|a, b| a.name.cmp(&b.name));
    keys
});

pub(super) fn find(name: &str) -> Option<&'static Key> {
    let keys: &'static [Key] = &KEYS;
    keys.iter().find(|key| key.name == name)
}

fn collect(schema: &Value, prefix: &str, keys: &mut Vec<Key>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let name = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        if property.get("properties").is_some() {
            collect(property, &name, keys);
            continue;
        }
        keys.push(Key {
            kind: kind(property),
            default: property.get("default").cloned().unwrap_or_default(),
            description: one_line(property.get("description").and_then(Value::as_str)),
            untrusted: match property.get("x-untrusted").and_then(Value::as_str) {
                Some("off") => Untrusted::Off,
                Some("less") => Untrusted::Less,
                Some("more") => Untrusted::More,
                _ => Untrusted::Nothing,
            },
            name,
        });
    }
}

fn kind(property: &Value) -> Kind {
    let bound = |name: &str, otherwise| {
        property.get(name).and_then(Value::as_f64).map_or(otherwise, |number| number as i64)
    };
    match property.get("type").and_then(Value::as_str) {
        Some("boolean") => Kind::Bool,
        Some("integer") => {
            Kind::Integer(bound("minimum", 0), bound("maximum", i64::from(u32::MAX)))
        }
        Some("number") => {
            let bound = |name| property.get(name).and_then(Value::as_f64);
            Kind::Number(bound("minimum").unwrap_or(f64::MIN), bound("maximum").unwrap_or(f64::MAX))
        }
        Some("array") => Kind::Texts,
        _ => match property.get("enum").and_then(Value::as_array) {
            Some(names) => {
                let names = names.iter().filter_map(Value::as_str);
                Kind::OneOf(names.map(str::to_owned).collect())
            }
            None => Kind::Text,
        },
    }
}

fn one_line(text: Option<&str>) -> String {
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}
