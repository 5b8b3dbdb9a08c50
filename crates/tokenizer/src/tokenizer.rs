//! The tokenizer: text to ids and back.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use tokenizers::{AddedVocabulary, NormalizerWrapper, OffsetReferential, OffsetType, PreTokenizer};

use crate::bytes::{TokenBytes, check_supported};
use crate::cuts;
use crate::error::Error;
use crate::memo::Memo;
use crate::sentencepiece::{Matching, SentencePiece};
use crate::special::{FimTokens, fim, is_control};
use crate::stream::DecodeStream;

/// A BPE vocabulary with its special tokens, of a `tokenizer.json` or a SentencePiece `tokenizer.model`.
#[derive(Debug)]
pub struct Tokenizer {
    kind: Kind,
    bytes: TokenBytes,
    specials: HashMap<String, u32>,
    special_ids: HashSet<u32>,
    fim: Option<FimTokens>,
    memo: Memo,
}

#[derive(Debug)]
enum Kind {
    ByteLevel(Box<ByteLevel>),
    SentencePiece(Box<SentencePiece>),
}

#[derive(Debug)]
struct ByteLevel {
    inner: tokenizers::Tokenizer,
    /// The added tokens with matching of special ones switched off.
    plain: AddedVocabulary,
    /// [`cuts::parts`] have the tokens of the whole.
    may_be_cut: bool,
}

impl Tokenizer {
    /// `tokenizer.model` in `directory` if there is one, with the added tokens that `tokenizer_config.json`,
    /// `special_tokens_map.json` and `added_tokens.json` name, else `tokenizer.json`. Where both are there,
    /// `tokenizer.json` was converted from the other, and the conversion rebuilds merges from scores and may lose some.
    pub fn from_directory(directory: &Path) -> Result<Self, Error> {
        if directory.join("tokenizer.model").exists() {
            let (model, bytes) = SentencePiece::from_directory(directory)?;
            return Ok(Self::from_sentencepiece(model, bytes));
        }
        let path = directory.join("tokenizer.json");
        let load_error = |reason| Error::Load { path: path.display().to_string(), reason };
        let json = std::fs::read(&path).map_err(|error| load_error(error.to_string()))?;
        Self::load(&json).map_err(load_error)
    }

    /// The contents of a `tokenizer.json`.
    pub fn from_json(json: &[u8]) -> Result<Self, Error> {
        Self::load(json).map_err(|reason| Error::Load { path: "tokenizer.json".to_owned(), reason })
    }

    pub(crate) fn from_sentencepiece(model: SentencePiece, bytes: TokenBytes) -> Self {
        let specials: HashMap<String, u32> =
            model.specials().map(|(name, id)| (name.to_owned(), id)).collect();
        Self {
            bytes,
            special_ids: specials.values().copied().collect(),
            fim: fim(&specials),
            specials,
            kind: Kind::SentencePiece(Box::new(model)),
            memo: Memo::default(),
        }
    }

    /// Whether each run of text begins with a space that is not in it, as a SentencePiece model may ask for; on or off
    /// for encoding and decoding alike, whatever the model says. A `tokenizer.json` has no such switch.
    pub fn with_dummy_prefix(mut self, is_on: bool) -> Self {
        if let Kind::SentencePiece(model) = &mut self.kind {
            model.set_dummy_prefix(is_on);
        }
        self.memo = Memo::default();
        self
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
        let may_be_cut =
            cuts::may_be_cut(inner.get_normalizer(), inner.get_pre_tokenizer(), added.values());

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
            specials,
            kind: Kind::ByteLevel(Box::new(ByteLevel { inner, plain, may_be_cut })),
            memo: Memo::default(),
        })
    }

    /// Ids of `text` as plain text: control tokens spelled out in it become ordinary tokens.
    pub fn encode(&self, text: &str) -> Vec<u32> {
        self.encode_after(&[], text)
    }

    /// Ids of `text` as [`Self::encode`] gives them, but for text that goes on where `prompt` ends: it gets no dummy
    /// prefix, unless `prompt` is empty or ends with an added token.
    pub fn encode_after(&self, prompt: &[u32], text: &str) -> Vec<u32> {
        let begins_a_run = self.begins_a_run(prompt);
        let mut ids = Vec::with_capacity(text.len() / 2);
        let mut add = |part: &str| {
            self.memo
                .extend(&mut ids, begins_a_run, part, || self.encode_plain(part, begins_a_run));
        };
        match &self.kind {
            Kind::ByteLevel(model) if model.may_be_cut => cuts::parts(text).for_each(add),
            _ => add(text),
        }
        ids
    }

    fn encode_plain(&self, text: &str, begins_a_run: bool) -> Vec<u32> {
        let ids = match &self.kind {
            Kind::ByteLevel(model) => model.encode_plain(text).ok(),
            Kind::SentencePiece(model) => Some(model.encode(text, Matching::Plain, begins_a_run)),
        };
        let ids = ids.unwrap_or_else(|| self.encode_bytes(text.as_bytes()));
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

    fn encode_bytes(&self, bytes: &[u8]) -> Vec<u32> {
        bytes.iter().filter_map(|byte| self.bytes.single(*byte)).collect()
    }

    /// Ids of `text` in which the spelling of a special token means that token. Nothing is added at either end.
    pub fn encode_with_specials(&self, text: &str) -> Vec<u32> {
        match &self.kind {
            Kind::ByteLevel(model) => model
                .inner
                .encode_fast(text, false)
                .map_or_else(|_| self.encode(text), |encoding| encoding.get_ids().to_vec()),
            Kind::SentencePiece(model) => model.encode(text, Matching::All, true),
        }
    }

    /// The token that the model's own tokenizer puts before every prompt (`add_bos_token`), if any.
    /// The encoding functions here never add it.
    pub fn bos_to_add(&self) -> Option<u32> {
        match &self.kind {
            Kind::ByteLevel(model) => {
                let empty = model.inner.encode_fast("", true).ok()?;
                empty.get_ids().first().copied().filter(|id| self.is_special(*id))
            }
            Kind::SentencePiece(model) => model.bos(),
        }
    }

    /// Text of `ids`, special tokens left out; ids that end within a character give U+FFFD there.
    /// A dummy prefix is left out at the start and after added tokens.
    pub fn decode(&self, ids: &[u32]) -> String {
        let mut bytes = Vec::new();
        let mut expects_space = true;
        for id in ids {
            bytes.extend_from_slice(self.text_bytes(*id, &mut expects_space));
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Bytes that `id` adds to a text, none for a special token. `expects_space` is carried from token to token: whether
    /// the dummy prefix of a run may come next.
    pub(crate) fn text_bytes(&self, id: u32, expects_space: &mut bool) -> &[u8] {
        let bytes = if self.is_special(id) { &[] } else { self.bytes(id) };
        match &self.kind {
            Kind::ByteLevel(_) => bytes,
            Kind::SentencePiece(model) => model.text_of(id, bytes, expects_space),
        }
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

    /// Decodes ids from the start of a text, so that all pieces together are what [`Self::decode`] gives.
    pub fn decode_stream(&self) -> DecodeStream<'_> {
        DecodeStream::new(self, true)
    }

    /// Decodes ids that continue `prompt`: a space at their start is text, unless it is a dummy prefix because the prompt
    /// is empty or ends with an added token.
    pub fn decode_stream_after(&self, prompt: &[u32]) -> DecodeStream<'_> {
        DecodeStream::new(self, self.begins_a_run(prompt))
    }

    /// Whether text after `prompt` is the start of a run.
    fn begins_a_run(&self, prompt: &[u32]) -> bool {
        match (&self.kind, prompt.last()) {
            (Kind::SentencePiece(model), Some(last)) => model.is_added(*last),
            (Kind::ByteLevel(_), _) | (_, None) => true,
        }
    }

    /// Bytes that `id` stands for; the spelling of a special token; empty for an unknown id.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.bytes.get(id)
    }
}

impl ByteLevel {
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
}

#[cfg(test)]
mod tests;
