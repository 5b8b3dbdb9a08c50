//! The whole model, loaded.

use std::path::Path;

use crate::cache::{Cache, CacheFormat, CacheOptions, CacheShape};
use crate::config::Config;
use crate::host::Host;
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
    pub cache: CacheOptions,
}

/// Where passes are computed.
#[derive(Debug)]
pub(crate) enum Backend {
    Host(Host),
}

/// A loaded Parallel Loop Transformer.
#[derive(Debug)]
pub struct Plt {
    pub(crate) config: Config,
    pub(crate) backend: Backend,
    pub(crate) cache_shape: CacheShape,
}

impl Plt {
    /// Loads `config.json` and the weights in the released tensor layout beside it.
    pub fn from_directory(directory: &Path, options: LoadOptions) -> Result<Self, Error> {
        let config = Config::from_directory(directory)?;
        Self::from_weights(config, &Weights::from_directory(directory)?, options)
    }

    /// Converts the tensors of `weights`; each must be there in the shape that `config` asks for.
    pub fn from_weights(
        config: Config,
        weights: &Weights,
        options: LoadOptions,
    ) -> Result<Self, Error> {
        Self::load(config, weights, options, &mut |_| {})
    }

    /// The same, telling from 0 to 1 how much is done.
    pub fn load(
        mut config: Config,
        weights: &Weights,
        options: LoadOptions,
        progress: &mut dyn FnMut(f32),
    ) -> Result<Self, Error> {
        if let Some(n_loops) = options.n_loops {
            config.n_loops = n_loops.max(1);
        }
        let dtype = options.dtype.into();
        let backend = Backend::Host(Host::load(&config, weights, dtype, progress)?);
        let is_exact = options.dtype == DType::F64 || weights.is_stored_in_single();
        let format = options.cache.format.unwrap_or(match is_exact {
            true => CacheFormat::Exact,
            false => CacheFormat::F16,
        });
        let cache_shape = CacheShape::new(&config, dtype, format, options.cache.later_loops);
        Ok(Self { config, backend, cache_shape })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// An empty sequence.
    pub fn new_cache(&self) -> Cache {
        Cache::new(self.cache_shape)
    }

    /// How the keys and values of a sequence are kept.
    pub fn cache_format(&self) -> CacheFormat {
        self.cache_shape.format
    }

    /// Bytes of keys and values that one token reads for all loops after a text of `len` tokens.
    pub fn attended_bytes(&self, len: usize) -> usize {
        self.cache_shape.attended_bytes(len)
    }

    /// Bytes that a sequence of `len` tokens needs; one that grew may have up to twice as many allocated.
    pub fn cache_bytes(&self, len: usize) -> usize {
        self.cache_shape.n_bytes(len)
    }
}

#[cfg(test)]
#[path = "plt_tests.rs"]
mod tests;
