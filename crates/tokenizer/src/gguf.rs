//! The tokenizer and the chat template inside a GGUF file.

mod files;
mod pieces;
mod pre_tokenizer;

use std::path::Path;

use gguf::Header;
use serde_json::{Value, json};

use crate::chat::ChatTemplate;
use crate::error::Error;
use crate::tokenizer::Tokenizer;

pub use files::files_of_gguf;

/// Kinds of tokens as ggml counts them. Control tokens steer the model; user-defined ones are matched before anything
/// else and spelled as they are, not byte by byte.
const CONTROL: i128 = 3;
const USER_DEFINED: i128 = 4;

/// How a vocabulary is cut.
#[derive(Clone, Copy)]
enum Kind {
    ByteLevel,
    SentencePiece,
}

impl Kind {
    fn of(header: &Header) -> Result<Self, Error> {
        const MODEL: &str = "tokenizer.ggml.model";
        match header.require(MODEL, header.text(MODEL)?)? {
            "gpt2" => Ok(Self::ByteLevel),
            "llama" => Ok(Self::SentencePiece),
            other => Err(Error::Load {
                path: header.path().display().to_string(),
                reason: format!(
                    "the tokenizer is of the kind {other:?}; supported are gpt2 (byte-level BPE) and llama (SentencePiece BPE)"
                ),
            }),
        }
    }
}

impl Tokenizer {
    /// The vocabulary in the GGUF file `path`, byte-level or SentencePiece.
    /// [`Self::bos_to_add`] says what its `add_bos_token` asks for.
    pub fn from_gguf(path: &Path) -> Result<Self, Error> {
        let header = Header::read(path)?;
        match Kind::of(&header)? {
            Kind::ByteLevel => {
                Self::from_json(describe(&header)?.to_string().as_bytes()).map_err(|error| {
                    match error {
                        Error::Load { reason, .. } => {
                            Error::Load { path: path.display().to_string(), reason }
                        }
                        other => other,
                    }
                })
            }
            Kind::SentencePiece => {
                let (model, bytes) = pieces::read(&header)?;
                Ok(Self::from_sentencepiece(model, bytes))
            }
        }
    }
}

impl ChatTemplate {
    /// The template in the GGUF file `path`; `None` when it has none.
    pub fn from_gguf(path: &Path) -> Result<Option<Self>, Error> {
        let header = Header::read(path)?;
        let Some(source) = header.text("tokenizer.chat_template")? else { return Ok(None) };
        let bos = spelling(&header, "tokenizer.ggml.bos_token_id")?;
        let eos = spelling(&header, "tokenizer.ggml.eos_token_id")?;
        let template = Self::new(source.to_owned(), bos, eos).map_err(|error| Error::Load {
            path: path.display().to_string(),
            reason: format!("tokenizer.chat_template: {error}"),
        })?;
        Ok(Some(template))
    }
}

/// Spelling of the token whose id stands at `key`; `None` when there is no such key or no such token.
fn spelling(header: &Header, key: &str) -> Result<Option<String>, Error> {
    let id = header.integer(key)?.and_then(|id| usize::try_from(id).ok());
    let tokens = header.texts("tokenizer.ggml.tokens")?.unwrap_or_default();
    Ok(id.and_then(|id| tokens.get(id)).map(|token| (*token).to_owned()))
}

/// The `tokenizer.json` that the same vocabulary would be published with.
fn describe(header: &Header) -> Result<Value, Error> {
    let refuse = |reason: String| Error::Load { path: header.path().display().to_string(), reason };
    const TOKENS: &str = "tokenizer.ggml.tokens";
    let tokens = header.require(TOKENS, header.texts(TOKENS)?)?;
    const MERGES: &str = "tokenizer.ggml.merges";
    let merges = header.require(MERGES, header.texts(MERGES)?)?;
    let kinds = header.integers("tokenizer.ggml.token_type")?.unwrap_or_default();
    if !kinds.is_empty() && kinds.len() != tokens.len() {
        return Err(refuse(format!("{} tokens have {} types", tokens.len(), kinds.len())));
    }
    let name = header.text("tokenizer.ggml.pre")?.unwrap_or("default");
    let Some(pre_tokenizer) = pre_tokenizer::find(name) else {
        return Err(refuse(format!(
            "the pre-tokenizer {name:?} is not supported; supported are {}",
            pre_tokenizer::names().join(", ")
        )));
    };
    let added: Vec<Value> = tokens
        .iter()
        .zip(&kinds)
        .enumerate()
        .filter(|(_, (_, kind))| matches!(**kind, CONTROL | USER_DEFINED))
        .map(|(id, (token, kind))| {
            json!({
                "id": id, "content": token, "special": *kind == CONTROL, "single_word": false,
                "lstrip": false, "rstrip": false, "normalized": false,
            })
        })
        .collect();
    let adds_bos = header.bool("tokenizer.ggml.add_bos_token")?.unwrap_or(pre_tokenizer.adds_bos);
    let bos = match header.integer("tokenizer.ggml.bos_token_id")? {
        Some(id) if adds_bos => {
            usize::try_from(id).ok().and_then(|id| tokens.get(id)).zip(Some(id))
        }
        _ => None,
    };
    let vocabulary: serde_json::Map<String, Value> =
        tokens.iter().enumerate().map(|(id, token)| ((*token).to_owned(), id.into())).collect();
    Ok(json!({
        "version": "1.0",
        "added_tokens": added,
        "normalizer": null,
        "pre_tokenizer": pre_tokenizer.description(),
        "post_processor": bos.map(|(token, id)| starts_with(token, id)),
        "decoder": pre_tokenizer::byte_level(),
        "model": {
            "type": "BPE", "vocab": vocabulary, "merges": merges, "fuse_unk": false,
            "byte_fallback": false, "ignore_merges": pre_tokenizer.ignores_merges,
        },
    }))
}

/// A post-processor that puts one token before the text.
fn starts_with(token: &str, id: u64) -> Value {
    let single = json!([{"SpecialToken": {"id": token, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]);
    let pair =
        json!([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}]);
    json!({
        "type": "TemplateProcessing", "single": single, "pair": pair,
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    })
}

#[cfg(test)]
mod tests;
