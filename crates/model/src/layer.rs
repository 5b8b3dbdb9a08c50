//! One transformer layer in tensors of double precision, shared by all loops: attention over the global and the local
//! branch, gate, SwiGLU. It is what [`crate::single`] is tested against.

use std::ops::Range;

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::{sigmoid, silu};

use crate::attention::{Heads, Scratch, attend};
use crate::cache::HostMemory;
use crate::config::Config;
use crate::linear::Linear;
use crate::pass::Part;
use crate::rope::Rope;
use crate::{Error, Weights};

/// What the layers compute in; the norm of the whole model serves single precision too.
const DTYPE: DType = DType::F64;

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
    fn load(weights: &Weights, prefix: &str, config: &Config) -> Result<Self, Error> {
        let name = format!("{prefix}.self_attn.plt_gate");
        let shape = [config.n_heads, config.hidden_size];
        Ok(Self {
            norm: RmsNorm::load(weights, &format!("{name}.gate_norm.weight"), config, DTYPE)?,
            projection: Linear::new(weights.matrix(&format!("{name}.weight"), shape, DTYPE)?)?,
            bias: weights.tensor(&format!("{name}.bias"), &[config.n_heads], DTYPE)?,
        })
    }

    /// [rows, hidden] to [rows, heads, 1].
    fn forward(&self, x: &Tensor) -> Result<Tensor, Error> {
        let logits = self.projection.forward(&self.norm.forward(x)?)?.broadcast_add(&self.bias)?;
        Ok(sigmoid(&logits)?.unsqueeze(D::Minus1)?)
    }
}

/// Where the rows of a places stand, as all layers need it.
pub(crate) struct Places<'a> {
    parts: &'a [Part],
    rope: Rope,
    /// Keys that each row sees of loop 0: its own and all before.
    seen_globally: Vec<Range<usize>>,
    /// Keys that each row sees of its own loop: its own and W before.
    seen_locally: Vec<Range<usize>>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(parts: &'a [Part], config: &Config) -> Result<Self, Error> {
        let positions: Vec<usize> = parts.iter().flat_map(|part| part.positions.clone()).collect();
        let rope = Rope::new(config, &positions)?;
        let seen_locally = |position: &usize| position.saturating_sub(config.window)..position + 1;
        Ok(Self {
            parts,
            rope,
            seen_globally: positions.iter().map(|position| 0..position + 1).collect(),
            seen_locally: positions.iter().map(seen_locally).collect(),
        })
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
    ) -> Result<Self, Error> {
        let prefix = format!("model.layers.{layer_idx}");
        let matrix = |name: &str, out: usize, input: usize| {
            weights.matrix(&format!("{prefix}.{name}.weight"), [out, input], DTYPE)
        };
        let norm =
            |name: &str| RmsNorm::load(weights, &format!("{prefix}.{name}.weight"), config, DTYPE);
        let hidden = config.hidden_size;
        let queries = config.n_heads * config.head_dim;
        let key_values = config.n_kv_heads * config.head_dim;
        let bias = |name: &str, out: usize| {
            weights.tensor(&format!("{prefix}.{name}.bias"), &[out], DTYPE)
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
                _ => Some(Gate::load(weights, &prefix, config)?),
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
        places: &Places<'_>,
        layer_idx: usize,
        config: &Config,
        memory: &mut HostMemory,
    ) -> Result<Tensor, Error> {
        let n_rows = x.dim(0)?;
        let queries = self.project(x, places, layer_idx, config, memory)?;
        let attended = self.attend(x, &queries, places, layer_idx, config, memory)?;
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
        places: &Places<'_>,
        layer_idx: usize,
        config: &Config,
        memory: &mut HostMemory,
    ) -> Result<Tensor, Error> {
        let Places { parts, rope, .. } = places;
        let n_rows = x.dim(0)?;
        let mut qkv = self.qkv.forward(&self.input_norm.forward(x)?)?;
        if let Some(bias) = &self.qkv_bias {
            qkv = qkv.broadcast_add(bias)?;
        }
        let qkv = qkv.reshape((n_rows, config.n_heads + 2 * config.n_kv_heads, config.head_dim))?;
        let queries = rope.apply(&qkv.narrow(1, 0, config.n_heads)?)?;
        let keys = rope.apply(&qkv.narrow(1, config.n_heads, config.n_kv_heads)?)?;
        let values = qkv.narrow(1, config.n_heads + config.n_kv_heads, config.n_kv_heads)?;
        write(parts, &keys, &values, layer_idx, memory)?;
        Ok(queries)
    }

    /// What the rows take from their keys, [rows, heads, head_dim].
    fn attend(
        &self,
        x: &Tensor,
        queries: &Tensor,
        places: &Places<'_>,
        layer_idx: usize,
        config: &Config,
        memory: &HostMemory,
    ) -> Result<Tensor, Error> {
        let (global, local) = branches(queries, places, layer_idx, config, memory)?;
        let Some(gate) = &self.gate else {
            return Ok(global);
        };
        let mut parts = Vec::with_capacity(places.parts.len());
        let mut first = 0;
        for Part { loop_idx, positions } in places.parts {
            let of_part = |all: &Tensor| all.narrow(0, first, positions.len());
            let global = of_part(&global)?;
            if *loop_idx == 0 {
                parts.push(global);
            } else {
                let (local, g) = (of_part(&local)?, gate.forward(&of_part(x)?)?);
                parts.push((&local + (global - &local)?.broadcast_mul(&g)?)?);
            }
            first += positions.len();
        }
        Ok(Tensor::cat(&parts, 0)?)
    }
}

/// Writes the rows' keys and values, each [rows, kv_heads, head_dim].
fn write(
    parts: &[Part],
    keys: &Tensor,
    values: &Tensor,
    layer_idx: usize,
    memory: &mut HostMemory,
) -> Result<(), Error> {
    let width = keys.dim(1)? * keys.dim(2)?;
    let keys = keys.flatten_all()?.to_vec1::<f64>()?;
    let values = values.flatten_all()?.to_vec1::<f64>()?;
    let mut vectors = keys.chunks_exact(width).zip(values.chunks_exact(width));
    for Part { loop_idx, positions } in parts {
        let store = memory.layer_mut(*loop_idx, layer_idx);
        for (position, (keys, values)) in positions.clone().zip(&mut vectors) {
            store.write(position, keys, values);
        }
    }
    Ok(())
}

/// The global and the local branch of every row, each [rows, heads, head_dim]; loop 0 has no local one.
fn branches(
    queries: &Tensor,
    places: &Places<'_>,
    layer_idx: usize,
    config: &Config,
    memory: &HostMemory,
) -> Result<(Tensor, Tensor), Error> {
    let heads =
        Heads { n_heads: config.n_heads, n_kv_heads: config.n_kv_heads, head_dim: config.head_dim };
    let shape = queries.shape();
    let row_len = config.n_heads * config.head_dim;
    let queries = queries.flatten_all()?.to_vec1::<f64>()?;
    let mut global = vec![f64::NAN; queries.len()];
    let mut local = vec![f64::NAN; queries.len()];
    let mut scratch = Scratch::default();
    attend(
        heads,
        &queries,
        &places.seen_globally,
        memory.layer(0, layer_idx),
        &mut scratch,
        &mut global,
    );
    let mut first = 0;
    for Part { loop_idx, positions } in places.parts {
        let rows = first..first + positions.len();
        first = rows.end;
        if *loop_idx == 0 {
            continue;
        }
        let numbers = rows.start * row_len..rows.end * row_len;
        let (store, seen) = (memory.layer(*loop_idx, layer_idx), &places.seen_locally[rows]);
        attend(heads, &queries[numbers.clone()], seen, store, &mut scratch, &mut local[numbers]);
    }
    Ok((
        Tensor::from_vec(global, shape, &Device::Cpu)?,
        Tensor::from_vec(local, shape, &Device::Cpu)?,
    ))
}
