//! Added tokens: the tokens that are looked for before a text is cut into pieces, and what the files beside a
//! `tokenizer.model` say of them.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::Error;
use crate::special::is_fim_name;

/// A token that stands for its spelling as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AddedToken {
    pub(crate) id: u32,
    pub(crate) content: String,
    /// It steers the model and stands for no text.
    pub(crate) is_special: bool,
    /// It swallows the white space before it.
    pub(crate) strips_left: bool,
    /// It swallows the white space after it.
    pub(crate) strips_right: bool,
}

/// What `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` say, each of which may be missing.
#[derive(Debug, Default)]
pub(crate) struct AddedFiles {
    config: TokenizerConfig,
    names: SpecialNames,
    ids: HashMap<String, u32>,
}

#[derive(Debug, Default, Deserialize)]
struct TokenizerConfig {
    #[serde(default)]
    added_tokens_decoder: BTreeMap<String, AddedEntry>,
    add_bos_token: Option<bool>,
    #[serde(flatten)]
    names: SpecialNames,
}

#[derive(Debug, Deserialize)]
struct AddedEntry {
    content: String,
    #[serde(default)]
    special: bool,
    #[serde(default)]
    lstrip: bool,
    #[serde(default)]
    rstrip: bool,
    #[serde(default)]
    single_word: bool,
}

#[derive(Debug, Default, Deserialize)]
struct SpecialNames {
    bos_token: Option<Name>,
    eos_token: Option<Name>,
    unk_token: Option<Name>,
    pad_token: Option<Name>,
    additional_special_tokens: Option<Vec<Name>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Name {
    Plain(String),
    Entry(AddedEntry),
}

impl Name {
    fn content(&self) -> &str {
        match self {
            Self::Plain(content) | Self::Entry(AddedEntry { content, .. }) => content,
        }
    }
}

impl SpecialNames {
    fn all(&self) -> impl Iterator<Item = &Name> {
        let named = [&self.bos_token, &self.eos_token, &self.unk_token, &self.pad_token];
        named.into_iter().flatten().chain(self.additional_special_tokens.iter().flatten())
    }
}

impl AddedFiles {
    pub(crate) fn from_directory(directory: &Path) -> Result<Self, Error> {
        Ok(Self {
            config: read(&directory.join("tokenizer_config.json"))?,
            names: read(&directory.join("special_tokens_map.json"))?,
            ids: read(&directory.join("added_tokens.json"))?,
        })
    }

    /// Whether a prompt begins with the token of [`Self::bos`]; on where no file says, as in the released class.
    pub(crate) fn add_bos(&self) -> bool {
        self.config.add_bos_token.unwrap_or(true)
    }

    /// Spelling of the token that begins a text, where a file names one.
    pub(crate) fn bos(&self) -> Option<&str> {
        let name = self.config.names.bos_token.as_ref().or(self.names.bos_token.as_ref());
        name.map(Name::content)
    }

    /// All added tokens by id. `controls` are the control pieces of the model, which are added tokens unless a file
    /// says otherwise; `piece_id` finds any piece of the model by its spelling.
    pub(crate) fn tokens(
        &self,
        controls: Vec<(u32, String)>,
        piece_id: impl Fn(&str) -> Option<u32>,
    ) -> Result<Vec<AddedToken>, String> {
        let mut named: HashMap<&str, AddedToken> = HashMap::new();
        for (content, id) in &self.ids {
            named.insert(content, AddedToken::new(*id, content));
        }
        for (id, entry) in &self.config.added_tokens_decoder {
            let id = id.parse().map_err(|_| format!("added token id {id:?} is no number"))?;
            named.insert(&entry.content, AddedToken::from_entry(id, entry)?);
        }
        for name in self.config.names.all().chain(self.names.all()) {
            let content = name.content();
            if let Some(token) = named.get_mut(content) {
                token.is_special = true;
            } else if let Some(id) = piece_id(content) {
                let mut token = match name {
                    Name::Plain(content) => AddedToken::new(id, content),
                    Name::Entry(entry) => AddedToken::from_entry(id, entry)?,
                };
                token.is_special = true;
                named.insert(content, token);
            }
        }

        let mut by_id: BTreeMap<u32, AddedToken> = BTreeMap::new();
        for (id, content) in controls {
            if !named.contains_key(content.as_str()) {
                let token = AddedToken { is_special: true, ..AddedToken::new(id, &content) };
                by_id.insert(id, token);
            }
        }
        let n_controls = by_id.len();
        let n_replaced = named.values().filter(|token| by_id.contains_key(&token.id)).count();
        let n_named = named.len();
        by_id.extend(named.into_values().map(|token| (token.id, token)));
        if by_id.len() + n_replaced != n_controls + n_named {
            return Err("two added tokens have the same id".to_owned());
        }
        if let Some(token) = by_id.values().find(|token| token.content.is_empty()) {
            return Err(format!("added token {} is empty", token.id));
        }
        Ok(by_id.into_values().collect())
    }
}

impl AddedToken {
    /// Some models ship their infilling tokens without the special flag, so their names count as well.
    fn new(id: u32, content: &str) -> Self {
        Self {
            id,
            content: content.to_owned(),
            is_special: is_fim_name(content),
            strips_left: false,
            strips_right: false,
        }
    }

    fn from_entry(id: u32, entry: &AddedEntry) -> Result<Self, String> {
        if entry.single_word {
            return Err(format!(
                "added token {id}, {:?}, asks for whole words (single_word), which is not supported",
                entry.content
            ));
        }
        Ok(Self {
            is_special: entry.special || is_fim_name(&entry.content),
            strips_left: entry.lstrip,
            strips_right: entry.rstrip,
            ..Self::new(id, &entry.content)
        })
    }
}

fn read<T: Default + DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let load_error = |reason| Error::Load { path: path.display().to_string(), reason };
    match std::fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map_err(|error| load_error(error.to_string())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        Err(error) => Err(load_error(error.to_string())),
    }
}
