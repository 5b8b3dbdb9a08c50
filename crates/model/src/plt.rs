//! The whole model: loading, prefill loop by loop, decode of one token with all loops in one pass.

use std::path::Path;

use candle_core::Tensor;

use crate::cache::Cache;
use crate::config::Config;
use crate::layer::{Layer, Linear, Pass, RmsNorm, Rows};
use crate::{Error, Weights};

/// Type that weights are converted to and everything is computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DType {
    #[default]
    F32,
    /// For parity checks.
    F64,
}

impl From<DType> for candle_core::DType {
    fn from(dtype: DType) -> Self {
        match dtype {
            DType::F32 => candle_core::DType::F32,
            DType::F64 => candle_core::DType::F64,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LoadOptions {
    pub dtype: DType,
    /// Runs this many loops instead of what the checkpoint was trained for.
    pub n_loops: Option<usize>,
}

/// Which of the tokens just given get logits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readout {
    None,
    Last,
    All,
}

/// Unnormalised log probabilities of the next token, [rows, vocab].
#[derive(Debug, Clone)]
pub struct Logits {
    rows: Tensor,
}

impl Logits {
    /// The last row.
    pub fn last(&self) -> Result<Vec<f32>, Error> {
        let last = self.rows.dim(0)? - 1;
        Ok(self.rows.get(last)?.to_dtype(candle_core::DType::F32)?.to_vec1()?)
    }

    /// Every row, without loss.
    pub fn to_f64(&self) -> Result<Vec<Vec<f64>>, Error> {
        Ok(self.rows.to_dtype(candle_core::DType::F64)?.to_vec2()?)
    }
}

/// A loaded Parallel Loop Transformer.
#[derive(Debug)]
pub struct Plt {
    config: Config,
    dtype: candle_core::DType,
    /// [vocab, hidden]
    embeddings: Tensor,
    layers: Vec<Layer>,
    /// Applied after the last loop and, where the config says so, after every loop.
    norm: RmsNorm,
    head: Linear,
}

impl Plt {
    /// Loads `config.json` and the weights in the released tensor layout beside it.
    pub fn from_directory(directory: &Path, options: LoadOptions) -> Result<Self, Error> {
        let config = Config::from_directory(directory)?;
        Self::from_weights(config, &Weights::from_directory(directory)?, options)
    }

    /// Converts the tensors of `weights`; each must be there in the shape that `config` asks for.
    pub fn from_weights(
        mut config: Config,
        weights: &Weights,
        options: LoadOptions,
    ) -> Result<Self, Error> {
        if let Some(n_loops) = options.n_loops {
            config.n_loops = n_loops.max(1);
        }
        let dtype = options.dtype.into();
        let shape = [config.vocab_size, config.hidden_size];
        let embeddings = weights.tensor("model.embed_tokens.weight", &shape, dtype)?;
        let head = match config.tie_word_embeddings {
            true => Linear::new(&embeddings)?,
            false => Linear::new(&weights.tensor("lm_head.weight", &shape, dtype)?)?,
        };
        let layers = (0..config.n_layers)
            .map(|layer_idx| Layer::load(weights, layer_idx, &config, dtype))
            .collect::<Result<_, _>>()?;
        let norm = RmsNorm::load(weights, "model.norm.weight", &config, dtype)?;
        Ok(Self { config, dtype, embeddings, layers, norm, head })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// An empty sequence.
    pub fn new_cache(&self) -> Result<Cache, Error> {
        Cache::new(&self.config, self.dtype)
    }

    /// Appends a chunk of tokens to the sequence, one loop after the other over the whole chunk.
    ///
    /// Any division of a text into chunks gives the same result. When it fails, the cache is as it was before.
    pub fn prefill(
        &self,
        tokens: &[u32],
        cache: &mut Cache,
        readout: Readout,
    ) -> Result<Option<Logits>, Error> {
        let embedded = self.embed(tokens)?;
        cache.reserve(tokens.len())?;
        let rows = Rows { loops: 0..1, n_tokens: tokens.len(), start: cache.len() };
        let mut pass = Pass::new(rows, &self.config, self.dtype)?;
        let mut states = self.run(embedded.clone(), &pass, cache)?;
        for loop_idx in 1..self.config.n_loops {
            let handed_on = self.hand_on(&states)?;
            let before = cache.last_carried(loop_idx - 1)?;
            cache.write_carried(loop_idx - 1, &handed_on)?;
            // Loop r reads what loop r - 1 made of the token before, which for the first one is in the cache.
            let shifted = Tensor::cat(&[before, handed_on.narrow(0, 0, tokens.len() - 1)?], 0)?;
            pass = pass.with_loop(loop_idx);
            states = self.run(self.loop_input(&embedded, &shifted)?, &pass, cache)?;
        }
        cache.advance(tokens.len());
        let read = match readout {
            Readout::None => return Ok(None),
            Readout::Last => states.narrow(0, tokens.len() - 1, 1)?,
            Readout::All => states,
        };
        Ok(Some(self.read_out(&read)?))
    }

    /// Appends one token with all loops in a single pass over the weights.
    ///
    /// Loop r's row needs only what loop r - 1 made of the token before, so the rows do not wait for one another.
    pub fn decode(&self, token: u32, cache: &mut Cache) -> Result<Logits, Error> {
        let embedded = self.embed(&[token])?;
        cache.reserve(1)?;
        let mut inputs = vec![embedded.clone()];
        for loop_idx in 1..self.config.n_loops {
            inputs.push(self.loop_input(&embedded, &cache.last_carried(loop_idx - 1)?)?);
        }
        let rows = Rows { loops: 0..self.config.n_loops, n_tokens: 1, start: cache.len() };
        let pass = Pass::new(rows, &self.config, self.dtype)?;
        let states = self.run(Tensor::cat(&inputs, 0)?, &pass, cache)?;
        let last = self.config.n_loops - 1;
        for loop_idx in 0..last {
            cache.write_carried(loop_idx, &self.hand_on(&states.narrow(0, loop_idx, 1)?)?)?;
        }
        cache.advance(1);
        self.read_out(&states.narrow(0, last, 1)?)
    }

    /// Token embeddings, [tokens, hidden].
    fn embed(&self, tokens: &[u32]) -> Result<Tensor, Error> {
        let vocab_size = self.config.vocab_size;
        if tokens.is_empty() {
            return Err(Error::NoTokens);
        }
        if let Some(&token) = tokens.iter().find(|token| vocab_size <= **token as usize) {
            return Err(Error::Token { token, vocab_size });
        }
        let ids = Tensor::new(tokens, self.embeddings.device())?;
        Ok(self.embeddings.index_select(&ids, 0)?)
    }

    /// Input of a loop after the first: emb_scale * embedding + hidden_scale * previous loop's state of the token before.
    fn loop_input(&self, embedded: &Tensor, shifted: &Tensor) -> Result<Tensor, Error> {
        Ok(((embedded * self.config.emb_scale)? + (shifted * self.config.hidden_scale)?)?)
    }

    /// The stack of layers, without the final norm.
    fn run(&self, input: Tensor, pass: &Pass, cache: &Cache) -> Result<Tensor, Error> {
        let mut x = input;
        for (layer_idx, layer) in self.layers.iter().enumerate() {
            x = layer.forward(&x, pass, layer_idx, &self.config, cache)?;
        }
        Ok(x)
    }

    /// What a loop passes to the next.
    fn hand_on(&self, states: &Tensor) -> Result<Tensor, Error> {
        match self.config.normalize_per_loop {
            true => self.norm.forward(states),
            false => Ok(states.clone()),
        }
    }

    fn read_out(&self, states: &Tensor) -> Result<Logits, Error> {
        Ok(Logits { rows: self.head.forward(&self.norm.forward(states)?)? })
    }
}

#[cfg(test)]
#[path = "plt_tests.rs"]
mod tests;
