//! One transformer layer in single precision, on plain memory that is taken once: what [`crate::layer`] says in tensors.

use std::ops::Range;

use crate::attention::{Heads, Scratch, attend};
use crate::cache::HostMemory;
use crate::config::Config;
use crate::linear::{Linear, Operands};
use crate::pass::{Part, n_rows};
use crate::vector::{Angles, RmsNorm, add, sigmoid, swiglu, vector};
use crate::{Error, Weights};

/// Weight of the global branch per query head.
#[derive(Debug)]
struct Gate {
    norm: RmsNorm,
    projection: Linear,
    bias: Vec<f32>,
}

#[derive(Debug)]
pub(crate) struct Layer {
    input_norm: RmsNorm,
    /// Queries, keys and values, in this order.
    qkv: Linear,
    qkv_bias: Option<Vec<f32>>,
    output: Linear,
    /// Absent when the model runs one loop only.
    gate: Option<Gate>,
    post_attention_norm: RmsNorm,
    /// SwiGLU's gate and up projections, in this order.
    gate_up: Linear,
    down: Linear,
}

/// Memory for the rows of a pass, used again by the next.
#[derive(Debug)]
pub(crate) struct Room {
    /// The rows, part by part: loop 0 first where it is among them, see [`crate::pass::Pass`].
    parts: Vec<Part>,
    heads: Heads,
    /// Residual stream, [rows, hidden].
    pub(crate) states: Vec<f32>,
    angles: Angles,
    /// Keys that each row sees of loop 0, and of its own loop.
    seen_globally: Vec<Range<usize>>,
    seen_locally: Vec<Range<usize>>,
    pub(crate) normed: Vec<f32>,
    qkv: Vec<f32>,
    queries: Vec<f32>,
    attended: Vec<f32>,
    local: Vec<f32>,
    gate: Vec<f32>,
    gate_up: Vec<f32>,
    activated: Vec<f32>,
    projected: Vec<f32>,
    pub(crate) operands: Operands,
    scratch: Scratch<f32>,
}

impl Room {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            parts: Vec::new(),
            heads: Heads {
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
                head_dim: config.head_dim,
            },
            states: Vec::new(),
            angles: Angles::new(config.head_dim, config.rope_theta),
            seen_globally: Vec::new(),
            seen_locally: Vec::new(),
            normed: Vec::new(),
            qkv: Vec::new(),
            queries: Vec::new(),
            attended: Vec::new(),
            local: Vec::new(),
            gate: Vec::new(),
            gate_up: Vec::new(),
            activated: Vec::new(),
            projected: Vec::new(),
            operands: Operands::default(),
            scratch: Scratch::default(),
        }
    }

    /// Prepares for rows whose states the caller then puts into `states`.
    pub(crate) fn set_rows(&mut self, parts: impl Iterator<Item = Part>, config: &Config) {
        self.parts.clear();
        self.parts.extend(parts);
        let positions = self.parts.iter().flat_map(|part| part.positions.clone());
        self.angles.set(positions.clone());
        self.seen_globally.clear();
        self.seen_globally.extend(positions.clone().map(|position| 0..position + 1));
        self.seen_locally.clear();
        let local = |position: usize| position.saturating_sub(config.window)..position + 1;
        self.seen_locally.extend(positions.map(local));
    }

    /// Goes on with `parts`, the last rows of the parts that are there.
    pub(crate) fn keep_parts(&mut self, parts: Vec<Part>) {
        let n_gone = n_rows(&self.parts) - n_rows(&parts);
        let per_row = |numbers: &[f32]| numbers.len() / self.seen_globally.len().max(1);
        let (hidden, queries) = (per_row(&self.states), per_row(&self.queries));
        self.states.drain(..n_gone * hidden);
        self.queries.drain(..n_gone * queries);
        self.seen_globally.drain(..n_gone);
        self.seen_locally.drain(..n_gone);
        self.angles.drop_first(n_gone);
        self.parts = parts;
    }
}

impl Layer {
    pub(crate) fn load(
        weights: &Weights,
        layer_idx: usize,
        config: &Config,
    ) -> Result<Self, Error> {
        let prefix = format!("model.layers.{layer_idx}");
        let (hidden, eps) = (config.hidden_size, config.rms_norm_eps);
        let queries = config.n_heads * config.head_dim;
        let key_values = config.n_kv_heads * config.head_dim;
        let matrix = |name: &str, out: usize, input: usize| {
            let name = format!("{prefix}.{name}.weight");
            weights.matrix(&name, [out, input], candle_core::DType::F32)
        };
        let norm =
            |name: &str| RmsNorm::load(weights, &format!("{prefix}.{name}.weight"), hidden, eps);
        let input_norm = norm("input_layernorm")?;
        let projections = [("q", queries), ("k", key_values), ("v", key_values)];
        let mut qkv = Vec::new();
        let mut qkv_bias = Vec::new();
        for (name, out) in projections {
            qkv.push(matrix(&format!("self_attn.{name}_proj"), out, hidden)?);
            if config.qkv_bias {
                let name = format!("{prefix}.self_attn.{name}_proj.bias");
                qkv_bias.extend(vector(weights, &name, out)?);
            }
        }
        let gate = match config.n_loops {
            1 => None,
            _ => Some(Gate {
                norm: norm("self_attn.plt_gate.gate_norm")?,
                projection: Linear::new(matrix("self_attn.plt_gate", config.n_heads, hidden)?)?,
                bias: vector(
                    weights,
                    &format!("{prefix}.self_attn.plt_gate.bias"),
                    config.n_heads,
                )?,
            }),
        };
        Ok(Self {
            input_norm,
            qkv: Linear::stacked(qkv)?,
            qkv_bias: config.qkv_bias.then_some(qkv_bias),
            output: Linear::new(matrix("self_attn.o_proj", hidden, queries)?)?,
            gate,
            post_attention_norm: norm("post_attention_layernorm")?,
            gate_up: Linear::stacked(vec![
                matrix("mlp.gate_proj", config.intermediate_size, hidden)?,
                matrix("mlp.up_proj", config.intermediate_size, hidden)?,
            ])?,
            down: Linear::new(matrix("mlp.down_proj", hidden, config.intermediate_size)?)?,
        })
    }

    /// What is left to do for the rows of `room` after [`Layer::project`].
    pub(crate) fn finish(&self, layer_idx: usize, room: &mut Room, memory: &HostMemory) {
        self.attend(layer_idx, room, memory);
        self.output.apply(&room.attended, &mut room.operands, &mut room.projected);
        add(&mut room.states, &room.projected);

        self.post_attention_norm.apply(&room.states, &mut room.normed);
        self.gate_up.apply(&room.normed, &mut room.operands, &mut room.gate_up);
        swiglu(&room.gate_up, self.down.n_inputs(), &mut room.activated);
        self.down.apply(&room.activated, &mut room.operands, &mut room.projected);
        add(&mut room.states, &room.projected);
    }

    /// Queries of the rows; writes their K/V into the cache.
    ///
    /// Where a row goes no further, this is all that is wanted of it.
    pub(crate) fn project(&self, layer_idx: usize, room: &mut Room, memory: &mut HostMemory) {
        self.input_norm.apply(&room.states, &mut room.normed);
        self.qkv.apply(&room.normed, &mut room.operands, &mut room.qkv);
        let Heads { n_heads, n_kv_heads, head_dim } = room.heads;
        let (query_len, key_len) = (n_heads * head_dim, n_kv_heads * head_dim);
        room.queries.clear();
        let mut rows = room.qkv.chunks_exact_mut(query_len + 2 * key_len).enumerate();
        for Part { loop_idx, positions } in &room.parts {
            let store = memory.layer_mut(*loop_idx, layer_idx);
            for (position, (i, row)) in positions.clone().zip(&mut rows) {
                if let Some(bias) = &self.qkv_bias {
                    add(row, bias);
                }
                let (rotated, values) = row.split_at_mut(query_len + key_len);
                for head in rotated.chunks_exact_mut(head_dim) {
                    room.angles.rotate(i, head);
                }
                let (queries, keys) = rotated.split_at(query_len);
                room.queries.extend_from_slice(queries);
                store.write(position, keys, values);
            }
        }
    }

    /// What the rows take from their keys.
    fn attend(&self, layer_idx: usize, room: &mut Room, memory: &HostMemory) {
        let (heads, scratch) = (room.heads, &mut room.scratch);
        let row_len = heads.n_heads * heads.head_dim;
        room.attended.resize(room.queries.len(), 0.0);
        let global = memory.layer(0, layer_idx);
        attend(heads, &room.queries, &room.seen_globally, global, scratch, &mut room.attended);
        let Some(gate) = &self.gate else { return };
        let hidden = room.states.len() / room.seen_globally.len().max(1);
        let mut first = 0;
        for Part { loop_idx, positions } in &room.parts {
            let rows = first..first + positions.len();
            first = rows.end;
            if *loop_idx == 0 {
                continue;
            }
            let numbers = rows.start * row_len..rows.end * row_len;
            let states = &room.states[rows.start * hidden..rows.end * hidden];
            gate.norm.apply(states, &mut room.normed);
            gate.projection.apply(&room.normed, &mut room.operands, &mut room.gate);
            room.local.resize(numbers.len(), 0.0);
            let (queries, seen) = (&room.queries[numbers.clone()], &room.seen_locally[rows]);
            let own = memory.layer(*loop_idx, layer_idx);
            attend(heads, queries, seen, own, scratch, &mut room.local);
            let attended = room.attended[numbers].chunks_exact_mut(heads.head_dim);
            let of_heads = attended.zip(room.local.chunks_exact(heads.head_dim));
            let biases = gate.bias.iter().cycle();
            for ((attended, local), (logit, bias)) in of_heads.zip(room.gate.iter().zip(biases)) {
                let share = sigmoid(logit + bias);
                for (attended, local) in attended.iter_mut().zip(local) {
                    *attended = local + (*attended - local) * share;
                }
            }
        }
    }
}
