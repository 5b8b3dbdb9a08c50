//! The tokenizer: text to ids and back.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tokenizers::{AddedVocabulary, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizer};

use crate::bytes::{TokenBytes, check_supported};
use crate::error::Error;
use crate::special::{FimTokens, fim, is_control};
use crate::stream::DecodeStream;

/// A byte-level BPE vocabulary with its special tokens.
#[derive(Debug)]
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// The added tokens with matching of special ones switched off.
    plain: AddedVocabulary,
    bytes: TokenBytes,
    specials: HashMap<String, u32>,
    special_ids: HashSet<u32>,
    fim: Option<FimTokens>,
}

impl Tokenizer {
    /// `tokenizer.json` in `directory`.
    pub fn from_directory(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("tokenizer.json");
        let load_error = |reason| Error::Load { path: path.display().to_string(), reason };
        let json = std::fs::read(&path).map_err(|error| load_error(error.to_string()))?;
        Self::load(&json).map_err(load_error)
    }

    /// The contents of a `tokenizer.json`.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        Self::load(json).map_err(|reason| Error::Load { path: "tokenizer.json".to_owned(), reason })
    }

    fn load(json: &[u8]) -> Result<Self, String> {
        let mut inner = tokenizers::Tokenizer::from_bytes(json)
            .map_err(|error| format!("not a tokenizer description: {error}"))?;
        check_supported(&inner)?;
        // A file may ask for cut or padded encodings, which would falsify a prompt.
        inner.with_truncation(None).map_err(|error| error.to_string())?;
        inner.with_padding(None);

        let added = inner.get_added_tokens_decoder();
        let controls: Vec<_> = added
            .values()
            .filter(|token| is_control(token))
            .map(|token| token.clone().special(true))
            .collect();
        inner.add_special_tokens(controls).map_err(|error| error.to_string())?;
        let mut plain = inner.get_added_vocabulary().clone();
        plain.set_encode_special_tokens(true);

        let specials: HashMap<String, u32> = added
            .iter()
            .filter(|(_, token)| is_control(token))
            .map(|(id, token)| (token.content.clone(), *id))
            .collect();
        let literal = added.into_iter().map(|(id, token)| (id, token.content)).collect();
        Ok(Self {
            bytes: TokenBytes::new(&inner, &literal)?,
            special_ids: specials.values().copied().collect(),
            fim: fim(&specials),
            inner,
            plain,
            specials,
        })
    }

    /// Ids of `text` as plain text: control tokens spelled out in it become ordinary tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        let ids = self.encode_plain(text).unwrap_or_else(|_| self.encode_bytes(text.as_bytes()));
        if !ids.iter().any(|id| self.is_special(*id)) {
            return ids;
        }
        // A vocabulary may also hold a special token as an ordinary word, and then the model finds it.
        let mut neutral = Vec::with_capacity(ids.len());
        for id in ids {
            if self.is_special(id) {
                neutral.extend(self.encode_bytes(self.bytes(id)));
            } else {
                neutral.push(id);
            }
        }
        neutral
    }

    fn encode_plain(&self, text: &str) -> tokenizers::Result<Vec<u32>> {
        let normalizer: Option<&NormalizerWrapper> = self.inner.get_normalizer();
        let mut pieces = self.plain.extract_and_normalize(normalizer, text);
        if let Some(pre_tokenizer) = self.inner.get_pre_tokenizer() {
            pre_tokenizer.pre_tokenize(&mut pieces)?;
        }
        let model = self.inner.get_model();
        pieces.tokenize(|piece| tokenizers::Model::tokenize(model, piece.get()))?;
        Ok(pieces
            .get_splits(OffsetReferential::Normalized, OffsetType::None)
            .into_iter()
            .flat_map(|(_, _, tokens)| tokens.iter().flatten())
            .map(|token| token.id)
            .collect())
    }

    fn encode_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        bytes.iter().filter_map(|byte| self.bytes.single(*byte)).collect()
    }

    /// Ids of `text` in which the spelling of a special token means that token. Nothing is added at either end.
    pub fn encode_with_specials(&self, text: &str) -> Vec<u32> {
        self.inner
            .encode_fast(text, false)
            .map_or_else(|_| self.encode(text), |encoding| encoding.get_ids().to_vec())
    }

    /// Text of `ids`, special tokens left out; ids that end within a character give U+FFFD there.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        for id in ids.iter().filter(|id| !self.is_special(**id)) {
            bytes.extend_from_slice(self.bytes(*id));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Id of a special token by its name.
    pub fn special(&self, name: &str) -> Option<u32> {
        self.specials.get(name).copied()
    }

    pub fn is_special(&self, id: u32) -> bool {
        self.special_ids.contains(&id)
    }

    /// Names of all special tokens, in no order.
    pub fn special_names(&self) -> impl Iterator<Item = &str> {
        self.specials.keys().map(String::as_str)
    }

    /// `None` when the model was not made for infilling.
    pub fn fim(&self) -> Option<FimTokens> {
        self.fim
    }

    /// The largest id in use and one, special tokens included.
    pub fn vocab_size(&self) -> usize {
        self.bytes.n_ids()
    }

    pub fn decode_stream(&self) -> DecodeStream<'_> {
        DecodeStream::new(self)
    }

    /// Bytes that `id` stands for; the spelling of a special token; empty for an unknown id.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id)
    }
}

#[cfg(test)]
mod tests;
