//! The whole model, loaded.

use std::path::Path;

use crate::cache::{Cache, CacheFormat, CacheOptions, CacheShape, DeviceMemory, Memory};
use crate::config::Config;
use crate::device::{Twin, place};
use crate::host::Host;
use crate::placement::{DeviceChoice, Placement};
use crate::{Error, Weights};

/// What is computed in: weights stay as they lie in the file, but for double precision, which converts them.
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
    pub device: DeviceChoice,
}

/// Where passes are computed.
#[derive(Debug)]
pub(crate) enum Backend {
    Host(Host),
    Device(Box<Twin>),
}

/// A loaded Parallel Loop Transformer.
#[derive(Debug)]
pub struct Plt {
    pub(crate) config: Config,
    pub(crate) backend: Backend,
    placement: Placement,
    pub(crate) cache_shape: CacheShape,
}

impl Plt {
    /// Loads `config.json` and the weights in the released tensor layout beside it.
    pub fn from_directory(directory: &Path, options: LoadOptions) -> Result<Self, Error> {
        let config = Config::from_directory(directory)?;
        Self::from_weights(config, &Weights::from_directory(directory)?, options)
    }

    /// Takes the tensors of `weights` as they lie there; each must have the shape that `config` asks for.
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
        match options.device {
            DeviceChoice::Cpu => Self::on_host(config, weights, &options, None, progress),
            DeviceChoice::Cuda(index) => {
                let twin = place::open(index, &config, weights, &options, progress)?;
                Self::on_device(&config, twin, &options).checked(weights, &options)
            }
            DeviceChoice::Auto => {
                let loaded = place::choose(&config, weights, &options).and_then(|device| {
                    Twin::load(device, &config, weights, progress)
                        .and_then(|twin| {
                            Self::on_device(&config, twin, &options).checked(weights, &options)
                        })
                        .map_err(|error| error.to_string())
                });
                match loaded {
                    Ok(model) => Ok(model),
                    Err(reason) => Self::on_host(config, weights, &options, Some(reason), progress),
                }
            }
        }
    }

    fn on_host(
        config: Config,
        weights: &Weights,
        options: &LoadOptions,
        reason: Option<String>,
        progress: &mut dyn FnMut(f32),
    ) -> Result<Self, Error> {
        let dtype = options.dtype.into();
        let backend = Backend::Host(Host::load(&config, weights, dtype, progress)?);
        let is_exact = options.dtype == DType::F64 || weights.is_stored_in_single();
        let format = options.cache.format.unwrap_or(match is_exact {
            true => CacheFormat::Exact,
            false => CacheFormat::F16,
        });
        let cache_shape = CacheShape::new(&config, dtype, format, options.cache.later_loops);
        Ok(Self { config, backend, placement: Placement::Cpu { reason }, cache_shape })
    }

    fn on_device(config: &Config, twin: Twin, options: &LoadOptions) -> Self {
        let info = twin.device.info();
        let placement = Placement::Cuda { index: info.index, name: info.to_string() };
        let cache_shape = place::cache_shape(config, options.cache.later_loops);
        let config = config.clone();
        Self { config, backend: Backend::Device(Box::new(twin)), placement, cache_shape }
    }

    /// This model, if it says of a few tokens what the CPU says: a card, a driver or a kernel that computes something else
    /// is found out before anybody reads what it writes.
    pub(crate) fn checked(self, weights: &Weights, options: &LoadOptions) -> Result<Self, Error> {
        let host = Self::on_host(self.config.clone(), weights, options, None, &mut |_| {})?;
        let tokens: Vec<u32> = place::trial(&self.config);
        let (last, first) = tokens.split_last().ok_or(Error::NoTokens)?;
        let [found, expected] = [&self, &host].map(|model| -> Result<Vec<f32>, Error> {
            let mut cache = model.new_cache();
            let mut logits = model.prefill(first, &mut cache)?.last()?;
            logits.extend(model.decode(*last, &mut cache)?.last()?);
            Ok(logits)
        });
        let error = place::distance(&found?, &expected?);
        if error < place::most_distance(weights) {
            return Ok(self);
        }
        let reason =
            format!("it computes something else there than on the CPU (distance {error:.2})");
        Err(Error::NotOnDevice { reason })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where it computes.
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Bytes that the memory of the GPU moves in a second, by a copy that reads and writes; `None` on the CPU.
    pub fn gpu_bytes_per_second(&self) -> Result<Option<f64>, Error> {
        match &self.backend {
            Backend::Host(_) => Ok(None),
            Backend::Device(twin) => twin.copied_per_second().map(Some),
        }
    }

    /// An empty sequence.
    pub fn new_cache(&self) -> Cache {
        let shape = self.cache_shape;
        match &self.backend {
            Backend::Host(_) => Cache::new(shape),
            Backend::Device(twin) => {
                Cache::within(shape, Memory::Device(DeviceMemory::new(&twin.device, &shape)))
            }
        }
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
