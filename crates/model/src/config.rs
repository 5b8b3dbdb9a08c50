//! Shape and constants of a model.

mod file;

use std::path::Path;

use crate::Error;
use crate::config::file::File;

/// Shape and constants of a PLT, or of an ordinary transformer as one of a single loop.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    /// Positions the model was made for.
    pub max_positions: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub tie_word_embeddings: bool,
    /// The projections to queries, keys and values have biases, as Qwen2's have.
    pub qkv_bias: bool,
    /// R: how often the stack of layers runs; 1 is an ordinary transformer.
    pub n_loops: usize,
    /// W: keys to the left of a token that the local branch sees besides the token itself.
    pub window: usize,
    /// The final norm is applied to what every loop hands on, not only to the last.
    pub normalize_per_loop: bool,
    /// Factor of the token embedding in the input of loops after the first.
    pub emb_scale: f64,
    /// Factor of the previous loop's state of the previous token in that input.
    pub hidden_scale: f64,
    /// Any of these ends a text; empty when the file names none.
    pub eos_token_ids: Vec<u32>,
    /// Name the checkpoint gives itself.
    pub name: Option<String>,
}

impl Config {
    /// Parses and checks `config.json`; `origin` names it in errors.
    ///
    /// Absent `plt_*` fields take the configuration class's defaults: scales 1, window [64, 0], per-loop norm on, one loop.
    pub fn from_json(json: &[u8], origin: &str) -> Result<Self, Error> {
        let file: File = serde_json::from_slice(json).map_err(|error| Error::Config {
            origin: origin.to_owned(),
            reason: error.to_string(),
        })?;
        file.into_config(origin)
    }

    /// Reads `config.json` of a checkpoint directory.
    pub fn from_directory(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("config.json");
        let json =
            std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        Self::from_json(&json, &path.display().to_string())
    }

    /// Query heads that share one key/value head.
    pub fn group_size(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }

    /// Weights of the checkpoint; the layers count once, however often they run.
    pub fn n_parameters(&self) -> usize {
        let hidden = self.hidden_size;
        let attention = 2 * hidden * self.head_dim * (self.n_heads + self.n_kv_heads);
        let gate = match self.n_loops {
            1 => 0,
            _ => self.n_heads * (hidden + 1) + hidden,
        };
        let bias = match self.qkv_bias {
            true => self.head_dim * (self.n_heads + 2 * self.n_kv_heads),
            false => 0,
        };
        let layer = attention + bias + 3 * hidden * self.intermediate_size + 2 * hidden + gate;
        let n_tables = if self.tie_word_embeddings { 1 } else { 2 };
        n_tables * self.vocab_size * hidden + self.n_layers * layer + hidden
    }
}

#[cfg(test)]
mod tests;
