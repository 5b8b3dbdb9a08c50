//! Memory of a GPU for the rows of a pass, used again by the next.

use cuda::shapes::{Row, Sequence};
use cuda::{Buffer, OperandBuffer};
use half::f16;

use super::layer::{Constants, Source};
use crate::Error;
use crate::attention::Heads;
use crate::config::Config;

/// Rows that go through the layers together, at most.
pub(super) const MOST_ROWS: usize = 512;

/// Rows of several loops that go together, at most.
pub(super) const MOST_FEW_ROWS: usize = cuda::Device::MOST_FEW_ROWS;

/// Rows whose logits are made together.
pub(super) const MOST_READ: usize = MOST_FEW_ROWS;

/// Which rows a pass has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rows {
    pub(super) n: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// No more than [`MOST_FEW_ROWS`], of any loops.
    Few,
    /// Consecutive tokens of one loop, the first of them at `first`.
    Many { first: usize, is_later: bool },
}

impl Rows {
    fn are_few(self) -> bool {
        self.n <= MOST_FEW_ROWS
    }
}

#[derive(Debug)]
pub(super) struct Room {
    pub(super) rows: Buffer<Row>,
    /// Of the cache that the rows belong to.
    pub(super) sequence: Buffer<Sequence>,
    /// Residual stream, [rows, hidden].
    pub(super) states: Buffer<f32>,
    pub(super) normed: OperandBuffer,
    pub(super) qkv: Buffer<f32>,
    pub(super) queries: Buffer<f16>,
    pub(super) gates: Buffer<f32>,
    partials: Buffer<f32>,
    attended: OperandBuffer,
    activated: OperandBuffer,
    /// States whose logits are wanted, [read rows, hidden].
    pub(super) read: Buffer<f32>,
    /// [read rows, vocab].
    pub(super) logits: Buffer<f32>,
}

impl Room {
    pub(super) fn new(
        device: &cuda::Device,
        config: &Config,
        constants: &Constants,
    ) -> Result<Self, Error> {
        let n = most_rows(config);
        let heads = constants.heads;
        let width = heads.n_heads * heads.head_dim;
        let key_values = 2 * heads.n_kv_heads * heads.head_dim;
        let hidden = config.hidden_size;
        let n_few = n.min(MOST_FEW_ROWS);
        let partials = |n_rows, max_splits| {
            cuda::Device::partials_len(n_rows, heads.n_heads, heads.head_dim, max_splits)
        };
        let partials = partials(n_few, constants.max_splits).max(partials(n, 1));
        Ok(Self {
            rows: device.zeroed(n)?,
            sequence: device.zeroed(1)?,
            states: device.poisoned(n * hidden)?,
            normed: OperandBuffer::new(device, n, hidden)?,
            qkv: device.poisoned(n * (width + key_values))?,
            queries: device.poisoned(n * width)?,
            gates: device.zeroed(n * heads.n_heads)?,
            partials: device.poisoned(partials)?,
            attended: OperandBuffer::new(device, n, width)?,
            activated: OperandBuffer::new(device, n, config.intermediate_size)?,
            read: device.poisoned(MOST_READ * hidden)?,
            logits: device.poisoned(MOST_READ * config.vocab_size)?,
        })
    }

    /// Goes on with `n` rows without the first `n_gone`, of what [`super::layer::Layer::project`] leaves.
    pub(super) fn drop_first(
        &mut self,
        device: &cuda::Device,
        constants: &Constants,
        n_gone: usize,
        n: usize,
    ) -> cuda::Result<()> {
        let hidden = constants.hidden_size;
        let width = constants.heads.n_heads * constants.heads.head_dim;
        device.move_to_front(&mut self.rows, n_gone, n)?;
        device.move_to_front(&mut self.states, n_gone * hidden, n * hidden)?;
        device.move_to_front(&mut self.queries, n_gone * width, n * width)
    }

    /// The norm of the rows' states as an operand.
    pub(super) fn norm(
        &mut self,
        device: &cuda::Device,
        weight: &Buffer<f32>,
        constants: &Constants,
        rows: Rows,
    ) -> cuda::Result<()> {
        let Constants { eps, hidden_size, .. } = *constants;
        device.norm(&self.states, weight, eps, rows.n, hidden_size, &mut self.normed)
    }

    /// Queries, keys and values before they are rotated.
    pub(super) fn project(
        &mut self,
        device: &cuda::Device,
        weights: &cuda::Matrix,
        rows: Rows,
    ) -> cuda::Result<()> {
        multiply(device, &self.normed, weights, rows.n, &mut self.qkv, false)
    }

    /// What the rows take from their keys.
    pub(super) fn attend(
        &mut self,
        device: &cuda::Device,
        layer_idx: usize,
        constants: &Constants,
        rows: Rows,
    ) -> cuda::Result<()> {
        let Heads { n_heads, n_kv_heads, head_dim } = constants.heads;
        let max_splits = match rows.kind {
            Kind::Few => {
                device.attend_few(
                    &self.rows,
                    &self.sequence,
                    &self.queries,
                    rows.n,
                    layer_idx,
                    n_heads,
                    n_kv_heads,
                    head_dim,
                    constants.max_splits,
                    &mut self.partials,
                )?;
                constants.max_splits
            }
            Kind::Many { first, is_later } => {
                for local in [false, true] {
                    if local && !is_later {
                        continue;
                    }
                    device.attend_many(
                        &self.rows,
                        &self.sequence,
                        &self.queries,
                        rows.n,
                        first,
                        layer_idx,
                        n_heads,
                        n_kv_heads,
                        head_dim,
                        local,
                        &mut self.partials,
                    )?;
                }
                1
            }
        };
        device.combine(
            &self.rows,
            &self.partials,
            &self.gates,
            rows.n,
            n_heads,
            head_dim,
            max_splits,
            rows.kind != Kind::Few,
            &mut self.attended,
        )
    }

    /// Adds a product to the rows' states.
    pub(super) fn multiply_add(
        &mut self,
        device: &cuda::Device,
        source: Source,
        weights: &cuda::Matrix,
        rows: Rows,
    ) -> cuda::Result<()> {
        let x = match source {
            Source::Attended => &self.attended,
            Source::Activated => &self.activated,
        };
        multiply(device, x, weights, rows.n, &mut self.states, true)
    }

    pub(super) fn swiglu(
        &mut self,
        device: &cuda::Device,
        gate: &cuda::Matrix,
        up: &cuda::Matrix,
        rows: Rows,
    ) -> cuda::Result<()> {
        match rows.are_few() {
            true => device.skinny_swiglu(&self.normed, gate, up, rows.n, &mut self.activated),
            false => device.tile_swiglu(&self.normed, gate, up, rows.n, &mut self.activated),
        }
    }

    /// Logits of `n` rows whose norm is `normed`; there is room for [`MOST_READ`].
    pub(super) fn read_out(
        &mut self,
        device: &cuda::Device,
        head: &cuda::Matrix,
        n: usize,
    ) -> cuda::Result<()> {
        multiply(device, &self.normed, head, n, &mut self.logits, false)
    }
}

fn multiply(
    device: &cuda::Device,
    x: &OperandBuffer,
    weights: &cuda::Matrix,
    n_rows: usize,
    y: &mut Buffer<f32>,
    add: bool,
) -> cuda::Result<()> {
    match n_rows <= MOST_FEW_ROWS {
        true => device.skinny(x, weights, n_rows, y, add),
        false => device.tile(x, weights, n_rows, y, add),
    }
}

/// Rows there is room for: a short context has no longer passes.
pub(super) fn most_rows(config: &Config) -> usize {
    MOST_ROWS.min(config.max_positions.max(MOST_FEW_ROWS))
}
