//! Rotary position embedding: half-split (NeoX) pairs over the whole head, no scaling.

use candle_core::{Device, Tensor};
use candle_nn::rotary_emb::rope_thd;

use crate::Error;
use crate::config::Config;

/// Cosines and sines of some rows' positions, each of shape [rows, head_dim / 2].
pub(crate) struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    /// Row `i` stands at `positions[i]`; angles are in double precision.
    pub(crate) fn new(config: &Config, positions: &[usize]) -> Result<Self, Error> {
        let half = config.head_dim / 2;
        let mut cos = Vec::with_capacity(positions.len() * half);
        let mut sin = Vec::with_capacity(positions.len() * half);
        for &position in positions {
            for pair in 0..half {
                let exponent = -2.0 * pair as f64 / config.head_dim as f64;
                let (s, c) = (position as f64 * config.rope_theta.powf(exponent)).sin_cos();
                cos.push(c);
                sin.push(s);
            }
        }
        let shape = (positions.len(), half);
        Ok(Self {
            cos: Tensor::from_vec(cos, shape, &Device::Cpu)?,
            sin: Tensor::from_vec(sin, shape, &Device::Cpu)?,
        })
    }

    /// Rotates `x` of shape [rows, heads, head_dim].
    pub(crate) fn apply(&self, x: &Tensor) -> Result<Tensor, Error> {
        let batched = x.contiguous()?.unsqueeze(0)?;
        Ok(rope_thd(&batched, &self.cos, &self.sin)?.squeeze(0)?)
    }
}
