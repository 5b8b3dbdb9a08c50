//! Passes on a GPU: the same rows through the same layers as [`crate::host`], launched kernel by kernel.

mod ahead;

mod few;

mod layer;

pub(crate) mod place;

mod room;

mod run;

mod upload;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cuda::Buffer;

use self::ahead::Ahead;
use self::few::Graphs;
use self::layer::{Constants, Layer, stored};
use self::room::Room;
use self::upload::{Target, stacked};
use crate::config::Config;
use crate::vector::vector;
use crate::{Error, Weights};

/// A model whose weights lie on a GPU.
#[derive(Debug)]
pub(crate) struct Twin {
    pub(crate) device: cuda::Device,
    constants: Constants,
    embeddings: cuda::Matrix,
    /// The embeddings serve where there is none.
    head: Option<cuda::Matrix>,
    /// Applied after the last loop and, where the config says so, after every loop.
    norm: Buffer<f32>,
    layers: Vec<Layer>,
    place: Mutex<Place>,
}

/// Where one pass after the other is computed.
#[derive(Debug)]
struct Place {
    room: Room,
    graphs: Graphs,
    ahead: Ahead,
}

impl Twin {
    /// `progress` hears from 0 to 1 how much is done.
    pub(crate) fn load(
        device: cuda::Device,
        config: &Config,
        weights: &Weights,
        progress: &mut dyn FnMut(f32),
    ) -> Result<Self, Error> {
        place::check(config)?;
        let shape = [config.vocab_size, config.hidden_size];
        let table = |name: &str| -> Result<cuda::Matrix, Error> {
            let matrix = [stored(weights, name, shape)?];
            stacked(&device, &matrix, Target::of(&matrix))
        };
        let embeddings = table("model.embed_tokens.weight")?;
        let head = match config.tie_word_embeddings {
            true => None,
            false => Some(table("lm_head.weight")?),
        };
        // Embedding and head are done, and weigh about as much as a layer.
        let n_parts = config.n_layers as f32 + 1.0;
        let mut layers = Vec::with_capacity(config.n_layers);
        for layer_idx in 0..config.n_layers {
            progress((layer_idx + 1) as f32 / n_parts);
            layers.push(Layer::load(&device, weights, layer_idx, config)?);
        }
        let norm = device.upload(&vector(weights, "model.norm.weight", config.hidden_size)?)?;
        let constants = Constants::new(&device, config)?;
        let room = Room::new(&device, config, &constants)?;
        let ahead = Ahead::new(&device)?;
        device.synchronize()?;
        let place = Mutex::new(Place { room, graphs: Graphs::default(), ahead });
        Ok(Self { device, constants, embeddings, head, norm, layers, place })
    }

    /// Bytes that a copy within the GPU's memory reads and writes in a second, the best of a few.
    pub(crate) fn copied_per_second(&self) -> Result<f64, Error> {
        const N_BYTES: usize = 1 << 28;
        const N_COPIES: usize = 8;
        let from: Buffer<u8> = self.device.zeroed(N_BYTES)?;
        let mut to: Buffer<u8> = self.device.zeroed(N_BYTES)?;
        let mut best = 0f64;
        for _ in 0..4 {
            self.device.synchronize()?;
            let started = Instant::now();
            for _ in 0..N_COPIES {
                self.device.copy(&from, 0, &mut to, 0, N_BYTES)?;
            }
            self.device.synchronize()?;
            best = best.max((2 * N_COPIES * N_BYTES) as f64 / started.elapsed().as_secs_f64());
        }
        Ok(best)
    }

    /// What a panic left there is overwritten.
    fn place(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn head(&self) -> &cuda::Matrix {
        self.head.as_ref().unwrap_or(&self.embeddings)
    }
}

#[cfg(test)]
mod tests;
