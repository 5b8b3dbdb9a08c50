//! Whether a model can run on a GPU, and whether it should.

use cuda::shapes::MAX_LOOPS;

use super::Twin;
use super::room::{MOST_FEW_ROWS, MOST_ROWS, most_rows};
use crate::cache::{CacheFormat, CacheShape, LaterLoops};
use crate::config::Config;
use crate::{DType, Error, LoadOptions, Weights};

/// Weights below which a model stays on the CPU unless a GPU is asked for.
///
/// A GPU should decode such a model faster too, by less than anybody notices: the CPU takes a few milliseconds for a token.
/// For that a context would take time at each start and memory of the card, and would keep the card of a laptop awake.
const SMALL: usize = 100_000_000;

/// Tokens of a sequence that must fit beside the weights.
const LEAST_CONTEXT: usize = 8192;

/// What the driver and other programs are left.
const SPARE: usize = 256 << 20;

/// How far what a GPU says may be from what the CPU says, as a share of the length of all logits; what has nothing to do with
/// each other is 1.4 apart.
///
/// Rounding makes a few hundredths where operands are floats. Operands of integers have 7 bits on both sides, and one that falls
/// on the other side of a step is a whole step, which goes on through the layers: on a card random weights of LoopCoder-V2's
/// widths came to 0.23 in 8 bits and to 0.29 in 4.
pub(crate) fn most_distance(weights: &Weights) -> f64 {
    let is_integer = |dtype: &str| matches!(dtype, "I8" | "U8" | "Q8_0" | "Q4_0");
    match weights.summaries().iter().any(|tensor| is_integer(&tensor.dtype)) {
        true => 0.6,
        false => 0.2,
    }
}

/// The first GPU with room for the model, or in one line why it stays on the CPU.
pub(crate) fn choose(
    config: &Config,
    weights: &Weights,
    options: &LoadOptions,
) -> Result<cuda::Device, String> {
    if options.dtype == DType::F64 {
        return Err("double precision is computed there alone".to_owned());
    }
    if options.cache.format.is_some_and(|format| format != CacheFormat::F16) {
        return Err("keys and values other than in half precision are kept there alone".to_owned());
    }
    let devices = cuda::available().map_err(|reason| reason.to_string())?;
    let n_read = weights.bytes_per_token(config);
    if n_read < SMALL {
        let megabytes = n_read as f64 / 1e6;
        return Err(format!("a model of {megabytes:.0} MB needs no GPU"));
    }
    check(config).map_err(|error| error.to_string())?;
    let needed = n_bytes(config, weights, options);
    let mut reason = String::new();
    for info in devices {
        let opened =
            cuda::Device::open(info.index).and_then(|device| Ok((device.free_memory()?, device)));
        match opened {
            Ok((free, device)) if needed <= free => return Ok(device),
            Ok((free, _)) => {
                let gigabytes = |n: usize| n as f64 / 1e9;
                reason = format!(
                    "{} has {:.1} GB free and the model takes {:.1} GB",
                    info.name,
                    gigabytes(free),
                    gigabytes(needed)
                );
            }
            Err(error) => reason = error.to_string(),
        }
    }
    Err(reason)
}

/// Tokens to try a card with: enough that the kernels for many rows take part, and one more for those for few.
pub(crate) fn trial(config: &Config) -> Vec<u32> {
    let n = (MOST_FEW_ROWS + 2).min(config.max_positions.max(2));
    (0..n).map(|i| ((7 + 131 * i) % config.vocab_size.max(1)) as u32).collect()
}

/// Of `found` from `expected`; not a number, and so not small, where one of them holds none.
pub(crate) fn distance(found: &[f32], expected: &[f32]) -> f64 {
    let square = |sum: f64, x: f64| sum + x * x;
    let pairs = found.iter().zip(expected).map(|(a, b)| f64::from(*a) - f64::from(*b));
    let norm = expected.iter().map(|x| f64::from(*x)).fold(0.0, square);
    (pairs.fold(0.0, square) / norm).sqrt()
}

/// The kernels know the shapes of `config`.
pub(crate) fn check(config: &Config) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::NotOnDevice { reason });
    if MAX_LOOPS < config.n_loops {
        return refuse(format!("it has {} loops; at most {MAX_LOOPS}", config.n_loops));
    }
    if ![32, 64, 128].contains(&config.head_dim) {
        return refuse(format!("its heads are {} wide; 32, 64 or 128", config.head_dim));
    }
    for (what, n) in
        [("hidden size", config.hidden_size), ("intermediate size", config.intermediate_size)]
    {
        if !n.is_multiple_of(32) {
            return refuse(format!("its {what} of {n} is no multiple of 32"));
        }
    }
    Ok(())
}

/// What the weights, a sequence and the rows of a pass take there.
fn n_bytes(config: &Config, weights: &Weights, options: &LoadOptions) -> usize {
    let of_tensor = |tensor: crate::TensorSummary| {
        let n: usize = tensor.shape.iter().product();
        match tensor.dtype.as_str() {
            "I8" | "U8" => n,
            // Scales of 16 bits for 32 weights each.
            "Q8_0" => n + n / 16,
            "Q4_0" => n / 2 + n / 16,
            _ => 2 * n,
        }
    };
    let weights: usize = weights.summaries().into_iter().map(of_tensor).sum();
    let shape = cache_shape(config, options.cache.later_loops);
    let row = 16 * config.hidden_size + 4 * config.intermediate_size;
    let width = config.n_heads * config.head_dim;
    let attention = 16 * width + 4 * config.n_kv_heads * config.head_dim;
    let rows = most_rows(config) * (row + attention + 8 * width);
    let partials = MOST_FEW_ROWS * config.max_positions.div_ceil(512) * 4 * width;
    let logits = MOST_FEW_ROWS * 4 * config.vocab_size;
    let sequence = shape.n_bytes(config.max_positions.min(LEAST_CONTEXT));
    weights + sequence + rows + partials + logits + SPARE
}

/// How a GPU keeps sequences, whatever the options say of their format.
pub(crate) fn cache_shape(config: &Config, later_loops: LaterLoops) -> CacheShape {
    let shape = CacheShape::new(config, candle_core::DType::F32, CacheFormat::F16, later_loops);
    // More rows share a reading of the weights, and a ring of a few hundred positions costs little beside them.
    CacheShape { chunk: MOST_ROWS, ..shape }
}

/// Opens what is asked for by its number.
pub(crate) fn open(
    index: usize,
    config: &Config,
    weights: &Weights,
    options: &LoadOptions,
    progress: &mut dyn FnMut(f32),
) -> Result<Twin, Error> {
    if options.dtype == DType::F64 {
        let reason = "double precision is computed on the CPU alone".to_owned();
        return Err(Error::NotOnDevice { reason });
    }
    Twin::load(cuda::Device::open(index)?, config, weights, progress)
}
