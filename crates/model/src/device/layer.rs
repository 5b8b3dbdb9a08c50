//! One layer on a GPU: what [`crate::single`] computes, kernel by kernel.

use std::slice::from_ref;

use cuda::Buffer;
use half::bf16;

use super::room::{Room, Rows};
use super::upload::{Target, stacked};
use crate::attention::Heads;
use crate::config::Config;
use crate::linear::Stored;
use crate::matrix::Matrix;
use crate::vector::vector;
use crate::{Error, Weights};

/// Weight of the global branch per query head.
#[derive(Debug)]
struct Gate {
    norm: Buffer<f32>,
    /// [heads, hidden].
    weights: Buffer<bf16>,
    bias: Buffer<f32>,
}

#[derive(Debug)]
pub(super) struct Layer {
    input_norm: Buffer<f32>,
    /// Queries, keys and values, in this order.
    qkv: cuda::Matrix,
    qkv_bias: Option<Buffer<f32>>,
    output: cuda::Matrix,
    /// Absent when the model runs one loop only.
    gate: Option<Gate>,
    post_attention_norm: Buffer<f32>,
    gate_projection: cuda::Matrix,
    up_projection: cuda::Matrix,
    down: cuda::Matrix,
}

/// What all layers have in common.
#[derive(Debug)]
pub(super) struct Constants {
    pub(super) heads: Heads,
    pub(super) hidden_size: usize,
    pub(super) eps: f32,
    /// As kernels want them.
    pub(super) inverse_frequencies: Buffer<f32>,
    /// Splits of the longest text.
    pub(super) max_splits: usize,
}

impl Constants {
    pub(super) fn new(device: &cuda::Device, config: &Config) -> Result<Self, Error> {
        let frequencies = cuda::Device::inverse_frequencies(config.head_dim, config.rope_theta);
        Ok(Self {
            heads: Heads {
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
                head_dim: config.head_dim,
            },
            hidden_size: config.hidden_size,
            eps: config.rms_norm_eps as f32,
            inverse_frequencies: device.upload(&frequencies)?,
            max_splits: config.max_positions.div_ceil(cuda::Device::ATTENTION_SPLIT),
        })
    }
}

/// The matrix `name` of shape [out, in] as it lies in its file.
pub(super) fn stored(weights: &Weights, name: &str, shape: [usize; 2]) -> Result<Matrix, Error> {
    match weights.matrix(name, shape, candle_core::DType::F32)? {
        Stored::Matrix(matrix) => Ok(matrix),
        Stored::Dense(_) => Err(Error::NotOnDevice { reason: format!("{name} is a tensor") }),
    }
}

impl Layer {
    pub(super) fn load(
        device: &cuda::Device,
        weights: &Weights,
        layer_idx: usize,
        config: &Config,
    ) -> Result<Self, Error> {
        let prefix = format!("model.layers.{layer_idx}");
        let (hidden, mlp) = (config.hidden_size, config.intermediate_size);
        let queries = config.n_heads * config.head_dim;
        let key_values = config.n_kv_heads * config.head_dim;
        let matrix = |name: &str, shape| stored(weights, &format!("{prefix}.{name}.weight"), shape);
        let norm = |name: &str| -> Result<Buffer<f32>, Error> {
            Ok(device.upload(&vector(weights, &format!("{prefix}.{name}.weight"), hidden)?)?)
        };
        let mut qkv = Vec::new();
        let mut bias = Vec::new();
        for (name, out) in [("q", queries), ("k", key_values), ("v", key_values)] {
            qkv.push(matrix(&format!("self_attn.{name}_proj"), [out, hidden])?);
            if config.qkv_bias {
                bias.extend(vector(weights, &format!("{prefix}.self_attn.{name}_proj.bias"), out)?);
            }
        }
        let gate = match config.n_loops {
            1 => None,
            _ => {
                let n_heads = config.n_heads;
                let projection = matrix("self_attn.plt_gate", [n_heads, hidden])?;
                let rounded: Vec<bf16> = projection
                    .tensor()?
                    .flatten_all()?
                    .to_vec1::<f32>()?
                    .into_iter()
                    .map(bf16::from_f32)
                    .collect();
                let bias = format!("{prefix}.self_attn.plt_gate.bias");
                Some(Gate {
                    norm: norm("self_attn.plt_gate.gate_norm")?,
                    weights: device.upload(&rounded)?,
                    bias: device.upload(&vector(weights, &bias, n_heads)?)?,
                })
            }
        };
        let gate_up =
            [matrix("mlp.gate_proj", [mlp, hidden])?, matrix("mlp.up_proj", [mlp, hidden])?];
        // One kernel reads both.
        let common = Target::of(&gate_up);
        let alone = |part: Matrix| stacked(device, from_ref(&part), Target::of(from_ref(&part)));
        let [gate_projection, up_projection] = gate_up;
        Ok(Self {
            input_norm: norm("input_layernorm")?,
            qkv: stacked(device, &qkv, Target::of(&qkv))?,
            qkv_bias: match config.qkv_bias {
                true => Some(device.upload(&bias)?),
                false => None,
            },
            output: alone(matrix("self_attn.o_proj", [hidden, queries])?)?,
            gate,
            post_attention_norm: norm("post_attention_layernorm")?,
            gate_projection: stacked(device, &[gate_projection], common)?,
            up_projection: stacked(device, &[up_projection], common)?,
            down: alone(matrix("mlp.down_proj", [hidden, mlp])?)?,
        })
    }

    /// Weights that a row is multiplied with.
    pub(super) fn n_weights(&self) -> usize {
        let matrices =
            [&self.qkv, &self.output, &self.gate_projection, &self.up_projection, &self.down];
        matrices.iter().map(|matrix| matrix.n_outputs() * matrix.n_inputs()).sum()
    }

    /// What is left to do for the rows of `room` after [`Layer::project`].
    pub(super) fn finish(
        &self,
        device: &cuda::Device,
        layer_idx: usize,
        constants: &Constants,
        rows: Rows,
        room: &mut Room,
    ) -> cuda::Result<()> {
        let Constants { hidden_size, eps, .. } = *constants;
        if let Some(gate) = &self.gate {
            device.gate(
                &room.rows,
                &room.states,
                &gate.norm,
                eps,
                &gate.weights,
                &gate.bias,
                rows.n,
                hidden_size,
                constants.heads.n_heads,
                &mut room.gates,
            )?;
        }
        room.attend(device, layer_idx, constants, rows)?;
        room.multiply_add(device, Source::Attended, &self.output, rows)?;
        room.norm(device, &self.post_attention_norm, constants, rows)?;
        room.swiglu(device, &self.gate_projection, &self.up_projection, rows)?;
        room.multiply_add(device, Source::Activated, &self.down, rows)
    }

    /// Queries of the rows; writes their K/V.
    ///
    /// Where a row goes no further, this is all that is wanted of it.
    pub(super) fn project(
        &self,
        device: &cuda::Device,
        layer_idx: usize,
        constants: &Constants,
        rows: Rows,
        room: &mut Room,
    ) -> cuda::Result<()> {
        room.norm(device, &self.input_norm, constants, rows)?;
        room.project(device, &self.qkv, rows)?;
        let Heads { n_heads, n_kv_heads, head_dim } = constants.heads;
        device.rotate(
            &room.rows,
            &room.sequence,
            &room.qkv,
            self.qkv_bias.as_ref(),
            &constants.inverse_frequencies,
            rows.n,
            layer_idx,
            n_heads,
            n_kv_heads,
            head_dim,
            &mut room.queries,
        )
    }
}

/// What a matrix that adds to the states is multiplied with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Source {
    Attended,
    Activated,
}
