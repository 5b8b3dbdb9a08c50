//! Passes on the CPU.

use std::ops::Range;

use candle_core::{DType, Tensor};

use crate::cache::{Cache, HostMemory};
use crate::config::Config;
use crate::forward::Logits;
use crate::layer::RmsNorm;
use crate::linear::{Linear, Table};
use crate::pass::{Part, Pass, Reads};
use crate::real::Real;
use crate::stack::Stack;
use crate::{Error, Weights};

/// A model whose weights lie with the CPU.
#[derive(Debug)]
pub(crate) struct Host {
    /// What is computed in.
    dtype: DType,
    pub(crate) embeddings: Table,
    pub(crate) stack: Stack,
    /// Applied after the last loop and, where the config says so, after every loop.
    norm: RmsNorm,
    pub(crate) head: Linear,
}

impl Host {
    /// `progress` hears from 0 to 1 how much is done.
    pub(crate) fn load(
        config: &Config,
        weights: &Weights,
        dtype: DType,
        progress: &mut dyn FnMut(f32),
    ) -> Result<Self, Error> {
        let shape = [config.vocab_size, config.hidden_size];
        let embeddings = weights.matrix("model.embed_tokens.weight", shape, dtype)?;
        let head = match config.tie_word_embeddings {
            true => Linear::new(embeddings.clone())?,
            false => Linear::new(weights.matrix("lm_head.weight", shape, dtype)?)?,
        };
        // Embedding and head are done, and weigh about as much as a layer.
        let n_parts = config.n_layers as f32 + 1.0;
        let progress = |layer_idx| progress((layer_idx + 1) as f32 / n_parts);
        Ok(Self {
            dtype,
            embeddings: Table::new(embeddings),
            stack: Stack::load(weights, config, dtype, progress)?,
            norm: RmsNorm::load(weights, "model.norm.weight", config, dtype)?,
            head,
        })
    }

    /// `keep_going` is asked before each layer; where it says no, this ends with [`Error::Stopped`].
    pub(crate) fn run(
        &self,
        pass: &Pass<'_>,
        config: &Config,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Logits>, Error> {
        let mut inputs = Vec::with_capacity(pass.parts.len());
        for part in &pass.parts {
            let embedded = self.embeddings.look_up(&pass.tokens(part, cache.tokens()))?;
            inputs.push(match part.loop_idx {
                0 => embedded,
                _ => self.later_input(part, &embedded, config, cache.host()?)?,
            });
        }
        let input = Tensor::cat(&inputs, 0)?;
        let len = cache.len() + pass.appended.len();
        let memory = cache.host_mut()?;
        let states = self.stack.run(input, pass, config, memory, keep_going)?;
        let mut first = 0;
        let mut logits = None;
        for Part { loop_idx, positions } in pass.parts_of_depth(config.n_layers) {
            if positions.is_empty() {
                continue;
            }
            let states = states.narrow(0, first, positions.len())?;
            first += positions.len();
            if loop_idx + 1 < config.n_loops {
                self.hand_on(loop_idx, &positions, &states, config, cache.host_mut()?)?;
                continue;
            }
            if positions.end == len {
                cache.host_mut()?.output = Some(states.narrow(0, positions.len() - 1, 1)?);
                cache.set_output_at(len);
            }
            if !matches!(pass.reads, Reads::Nothing) {
                logits = Some(self.read_out(&states)?);
            }
        }
        Ok(logits)
    }

    /// Logits of what the last loop made of the last token, if that is there.
    pub(crate) fn read_output(&self, cache: &Cache) -> Result<Option<Logits>, Error> {
        let output = cache.host()?.output.as_ref().filter(|_| cache.has_output());
        output.map(|output| self.read_out(output)).transpose()
    }

    /// Input of a loop after the first: emb_scale * embedding + hidden_scale * previous loop's state of the token before.
    fn later_input(
        &self,
        Part { loop_idx, positions }: &Part,
        embedded: &Tensor,
        config: &Config,
        memory: &HostMemory,
    ) -> Result<Tensor, Error> {
        let before = match self.dtype {
            DType::F64 => memory.carried_before::<f64>(loop_idx - 1, positions.clone())?,
            _ => memory.carried_before::<f32>(loop_idx - 1, positions.clone())?,
        };
        Ok(((embedded * config.emb_scale)? + (before * config.hidden_scale)?)?)
    }

    /// Keeps what a loop passes to the next at `positions`.
    fn hand_on(
        &self,
        loop_idx: usize,
        positions: &Range<usize>,
        states: &Tensor,
        config: &Config,
        memory: &mut HostMemory,
    ) -> Result<(), Error> {
        fn keep<T: Real>(
            states: &Tensor,
            loop_idx: usize,
            start: usize,
            memory: &mut HostMemory,
        ) -> Result<(), Error> {
            memory.write_carried(loop_idx, start, &states.flatten_all()?.to_vec1::<T>()?);
            Ok(())
        }
        let states = match config.normalize_per_loop {
            true => &self.norm.forward(states)?,
            false => states,
        };
        match self.dtype {
            DType::F64 => keep::<f64>(states, loop_idx, positions.start, memory),
            _ => keep::<f32>(states, loop_idx, positions.start, memory),
        }
    }

    fn read_out(&self, states: &Tensor) -> Result<Logits, Error> {
        Ok(Logits::new(self.head.forward(&self.norm.forward(states)?)?))
    }
}
