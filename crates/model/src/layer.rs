//! One transformer layer, shared by all loops: attention over the global and the local branch, gate, SwiGLU.

use std::ops::Range;

use candle_core::{D, DType, Tensor};
use candle_nn::ops::{sigmoid, silu};

use crate::attention::{Mask, attend};
use crate::cache::Cache;
use crate::config::Config;
use crate::linear::Linear;
use crate::rope::Rope;
use crate::{Error, Weights};

/// x / rms(x) * weight over the last dimension.
#[derive(Debug)]
pub(crate) struct RmsNorm {
    weight: Tensor,
    eps: f64,
}

impl RmsNorm {
    pub(crate) fn load(
        weights: &Weights,
        name: &str,
        config: &Config,
        dtype: DType,
    ) -> Result<Self, Error> {
        let weight = weights.tensor(name, &[config.hidden_size], dtype)?;
        Ok(Self { weight, eps: config.rms_norm_eps })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let rms = (x.sqr()?.mean_keepdim(D::Minus1)? + self.eps)?.sqrt()?;
        Ok(x.broadcast_div(&rms)?.broadcast_mul(&self.weight)?)
    }
}

/// Weight of the global branch per query head: sigmoid(W norm(x) + b), x the residual before the layer's own norm.
#[derive(Debug)]
struct Gate {
    norm: RmsNorm,
    projection: Linear,
    bias: Tensor,
}

impl Gate {
    fn load(weights: &Weights, prefix: &str, config: &Config, dtype: DType) -> Result<Self, Error> {
        let name = format!("{prefix}.self_attn.plt_gate");
        let shape = [config.n_heads, config.hidden_size];
        Ok(Self {
            norm: RmsNorm::load(weights, &format!("{name}.gate_norm.weight"), config, dtype)?,
            projection: Linear::new(weights.matrix(&format!("{name}.weight"), shape, dtype)?)?,
            bias: weights.tensor(&format!("{name}.bias"), &[config.n_heads], dtype)?,
        })
    }

    /// [rows, hidden] to [rows, heads, 1].
    fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let logits = self.projection.forward(&self.norm.forward(x)?)?.broadcast_add(&self.bias)?;
        Ok(sigmoid(&logits)?.unsqueeze(D::Minus1)?)
    }
}

/// The rows that go through the layers together: `n_tokens` new tokens for each loop of `loops`, loop by loop.
///
/// Either one loop over a chunk of tokens, or all loops over a single token. In the latter loop 0's row comes
/// first and its K/V are written before any row attends, as every loop's global branch includes the token itself.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) loops: Range<usize>,
    pub(crate) n_tokens: usize,
    /// Position of the first token.
    pub(crate) start: usize,
}

impl Rows {
    /// Position of each row.
    pub(crate) fn positions(&self) -> Vec<usize> {
        let tokens = self.start..self.start + self.n_tokens;
        self.loops.clone().flat_map(|_| tokens.clone()).collect()
    }

    fn end(&self) -> usize {
        self.start + self.n_tokens
    }

    /// First key that the local branch of the first token sees.
    fn first_local_key(&self, config: &Config) -> usize {
        self.start.saturating_sub(config.window)
    }
}

/// What all layers need of some rows besides the rows themselves.
pub(crate) struct Pass {
    rows: Rows,
    rope: Rope,
    /// Absent for a single token, which sees every key of its range.
    global_mask: Option<Mask>,
    local_mask: Option<Mask>,
}

impl Pass {
    pub(crate) fn new(rows: Rows, config: &Config, dtype: DType) -> Result<Self, Error> {
        let rope = Rope::new(config, &rows.positions(), dtype)?;
        let mask = |first_key, window| match rows.n_tokens {
            1 => Ok(None),
            n => Mask::new(rows.start, n, first_key, window, config.group_size(), dtype).map(Some),
        };
        let global_mask = mask(0, None)?;
        let local_mask = mask(rows.first_local_key(config), Some(config.window))?;
        Ok(Self { rows, rope, global_mask, local_mask })
    }
}

#[derive(Debug)]
pub(crate) struct Layer {
    input_norm: RmsNorm,
    /// Queries, keys and values, in this order.
    qkv: Linear,
    qkv_bias: Option<Tensor>,
    output: Linear,
    /// Absent when the model runs one loop only.
    gate: Option<Gate>,
    post_attention_norm: RmsNorm,
    /// SwiGLU's gate and up projections, in this order.
    gate_up: Linear,
    down: Linear,
}

impl Layer {
    pub(crate) fn load(
        weights: &Weights,
        layer_idx: usize,
        config: &Config,
        dtype: DType,
    ) -> Result<Self, Error> {
        let prefix = format!("model.layers.{layer_idx}");
        let matrix = |name: &str, out: usize, input: usize| {
            weights.matrix(&format!("{prefix}.{name}.weight"), [out, input], dtype)
        };
        let norm =
            |name: &str| RmsNorm::load(weights, &format!("{prefix}.{name}.weight"), config, dtype);
        let hidden = config.hidden_size;
        let queries = config.n_heads * config.head_dim;
        let key_values = config.n_kv_heads * config.head_dim;
        let bias = |name: &str, out: usize| {
            weights.tensor(&format!("{prefix}.{name}.bias"), &[out], dtype)
        };
        let qkv_bias = match config.qkv_bias {
            false => None,
            true => Some(Tensor::cat(
                &[
                    bias("self_attn.q_proj", queries)?,
                    bias("self_attn.k_proj", key_values)?,
                    bias("self_attn.v_proj", key_values)?,
                ],
                0,
            )?),
        };
        Ok(Self {
            input_norm: norm("input_layernorm")?,
            qkv: Linear::stacked(vec![
                matrix("self_attn.q_proj", queries, hidden)?,
                matrix("self_attn.k_proj", key_values, hidden)?,
                matrix("self_attn.v_proj", key_values, hidden)?,
            ])?,
            qkv_bias,
            output: Linear::new(matrix("self_attn.o_proj", hidden, queries)?)?,
            gate: match config.n_loops {
                1 => None,
                _ => Some(Gate::load(weights, &prefix, config, dtype)?),
            },
            post_attention_norm: norm("post_attention_layernorm")?,
            gate_up: Linear::stacked(vec![
                matrix("mlp.gate_proj", config.intermediate_size, hidden)?,
                matrix("mlp.up_proj", config.intermediate_size, hidden)?,
            ])?,
            down: Linear::new(matrix("mlp.down_proj", hidden, config.intermediate_size)?)?,
        })
    }

    /// Residual stream [rows, hidden] through this layer; writes the rows' K/V into the cache.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass,
        layer_idx: usize,
        config: &Config,
        cache: &Cache,
    ) -> Result<Tensor, Error> {
        let n_rows = x.dim(0)?;
        let queries = self.project(x, pass, layer_idx, config, cache)?;
        let attended = self.attend(x, &queries, pass, layer_idx, config, cache)?;
        let x = (x + self.output.forward(&attended.reshape((n_rows, ()))?)?)?;

        let gate_up = self.gate_up.forward(&self.post_attention_norm.forward(&x)?)?;
        // A strided operand would put the activation on the slow path.
        let gate = gate_up.narrow(1, 0, config.intermediate_size)?.contiguous()?;
        let up =
            gate_up.narrow(1, config.intermediate_size, config.intermediate_size)?.contiguous()?;
        Ok((&x + self.down.forward(&(silu(&gate)? * up)?)?)?)
    }

    /// Queries of the rows, [rows, heads, head_dim]; writes their K/V into the cache.
    ///
    /// Where a row goes no further than this layer, this is all that is wanted of it.
    pub(crate) fn project(
        &self,
        x: &Tensor,
        pass: &Pass,
        layer_idx: usize,
        config: &Config,
        cache: &Cache,
    ) -> Result<Tensor, Error> {
        let Pass { rows, rope, .. } = pass;
        let n_rows = x.dim(0)?;
        let mut qkv = self.qkv.forward(&self.input_norm.forward(x)?)?;
        if let Some(bias) = &self.qkv_bias {
            qkv = qkv.broadcast_add(bias)?;
        }
        let qkv = qkv.reshape((n_rows, config.n_heads + 2 * config.n_kv_heads, config.head_dim))?;
        let queries = rope.apply(&qkv.narrow(1, 0, config.n_heads)?)?;
        let keys = rope.apply(&qkv.narrow(1, config.n_heads, config.n_kv_heads)?)?;
        let values = qkv.narrow(1, config.n_heads + config.n_kv_heads, config.n_kv_heads)?;
        for (part, loop_idx) in rows.loops.clone().enumerate() {
            let first = part * rows.n_tokens;
            cache.layer(loop_idx, layer_idx).write(
                rows.start,
                &keys.narrow(0, first, rows.n_tokens)?,
                &values.narrow(0, first, rows.n_tokens)?,
            )?;
        }
        Ok(queries)
    }

    fn attend(
        &self,
        x: &Tensor,
        queries: &Tensor,
        pass: &Pass,
        layer_idx: usize,
        config: &Config,
        cache: &Cache,
    ) -> Result<Tensor, Error> {
        let rows = &pass.rows;
        let (keys, values) = cache.layer(0, layer_idx).range(0, rows.end())?;
        let global = attend(queries, &keys, &values, pass.global_mask.as_ref())?;
        let Some(gate) = &self.gate else {
            return Ok(global);
        };
        let mut parts = Vec::with_capacity(rows.loops.len());
        for (part, loop_idx) in rows.loops.clone().enumerate() {
            let of_loop = |all: &Tensor| all.narrow(0, part * rows.n_tokens, rows.n_tokens);
            if loop_idx == 0 {
                parts.push(of_loop(&global)?);
                continue;
            }
            let first_key = rows.first_local_key(config);
            let (keys, values) = cache.layer(loop_idx, layer_idx).range(first_key, rows.end())?;
            let local = attend(&of_loop(queries)?, &keys, &values, pass.local_mask.as_ref())?;
            let g = gate.forward(&of_loop(x)?)?;
            let difference = (of_loop(&global)? - &local)?;
            parts.push((&local + difference.broadcast_mul(&g)?)?);
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}
