//! A GGUF file as a second source of a configuration and of weights, under the names of the released tensor layout.
//!
//! Matrices are computed with as they lie in the file.

mod config;

mod names;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use gguf::Header;

use crate::bytes::Bytes;
use crate::config::Config;
use crate::packed::Packed;
use crate::{Error, Weights};

/// Architectures whose tensors have known names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Architecture {
    Llama,
    Qwen2,
}

impl Architecture {
    fn of(header: &Header) -> Result<Self, Error> {
        const KEY: &str = "general.architecture";
        match header.require(KEY, header.text(KEY)?)? {
            "llama" => Ok(Self::Llama),
            "qwen2" => Ok(Self::Qwen2),
            other => Err(Error::GgufArchitecture {
                path: header.path().to_owned(),
                found: other.to_owned(),
            }),
        }
    }

    /// Prefix of its metadata keys.
    fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Qwen2 => "qwen2",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
        }
    }
}

impl Config {
    /// Reads the metadata of the GGUF file `path`: a model of one loop.
    pub fn from_gguf(path: &Path) -> Result<Self, Error> {
        config::read(&Header::read(path)?)
    }

    /// The `config.json` that the model in the GGUF file `path` is published with, as far as this crate reads one.
    pub fn json_of_gguf(path: &Path) -> Result<String, Error> {
        Ok(config::describe(&Header::read(path)?)?.to_string())
    }

    /// The `generation_config.json` that the model in the GGUF file `path` is published with: ids that end a text, and
    /// temperature, top-p and top-k where the file has them.
    pub fn generation_json_of_gguf(path: &Path) -> Result<String, Error> {
        Ok(config::describe_generation(&Header::read(path)?)?.to_string())
    }
}

impl Weights {
    /// Maps the GGUF file `path`. Every tensor must be one that its architecture has and lie within the file.
    pub fn from_gguf(path: &Path) -> Result<Self, Error> {
        let header = Header::read(path)?;
        let config = config::read(&header)?;
        let architecture = Architecture::of(&header)?;
        let bytes = Arc::new(Bytes::map(path)?);
        let mut packed = BTreeMap::new();
        for (stored_name, info) in header.tensors() {
            let Some(name) = names::released(stored_name, architecture) else {
                return Err(Error::GgufTensor {
                    path: path.to_owned(),
                    name: stored_name.clone(),
                    reason: format!("a {} model has no such tensor here", architecture.name()),
                });
            };
            let tensor = Packed::new(&bytes, info).map_err(|reason| Error::GgufTensor {
                path: path.to_owned(),
                name: stored_name.clone(),
                reason,
            })?;
            packed.insert(
                name,
                tensor.with_pairs(names::paired_heads(stored_name, architecture, &config)),
            );
        }
        Ok(Self::from_packed(packed))
    }
}

#[cfg(test)]
mod tests;
