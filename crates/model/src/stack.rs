//! All layers: in single precision on plain memory, or in tensors of double precision as the reference.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor};

use crate::cache::HostMemory;
use crate::config::Config;
use crate::layer::{self, Places};
use crate::pass::{Pass, n_rows};
use crate::single::{self, Room};
use crate::vector::RmsNorm;
use crate::{Error, Weights};

#[derive(Debug)]
pub(crate) enum Stack {
    Reference(Vec<layer::Layer>),
    Single(Box<Single>),
}

/// In single precision.
#[derive(Debug)]
pub(crate) struct Single {
    pub(crate) layers: Vec<single::Layer>,
    /// The norm of the whole model.
    pub(crate) norm: RmsNorm,
    room: Mutex<Room>,
}

impl Single {
    /// The memory of the layers; what a panic left there is overwritten.
    pub(crate) fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stack {
    /// `progress` hears of each layer before it is loaded.
    pub(crate) fn load(
        weights: &Weights,
        config: &Config,
        dtype: DType,
        mut progress: impl FnMut(usize),
    ) -> Result<Self, Error> {
        let layers = (0..config.n_layers).inspect(|layer_idx| progress(*layer_idx));
        Ok(match dtype {
            DType::F64 => Self::Reference(
                layers
                    .map(|idx| layer::Layer::load(weights, idx, config))
                    .collect::<Result<_, _>>()?,
            ),
            _ => Self::Single(Box::new(Single {
                layers: layers
                    .map(|idx| single::Layer::load(weights, idx, config))
                    .collect::<Result<_, _>>()?,
                norm: RmsNorm::load(
                    weights,
                    "model.norm.weight",
                    config.hidden_size,
                    config.rms_norm_eps,
                )?,
                room: Mutex::new(Room::new(config)),
            })),
        })
    }

    /// Residual stream [rows, hidden] of a pass through all layers, as far as its rows go; what is left at the top.
    ///
    /// `keep_going` is asked before each layer; where it says no, this ends with [`Error::Stopped`].
    pub(crate) fn run(
        &self,
        input: Tensor,
        pass: &Pass<'_>,
        config: &Config,
        memory: &mut HostMemory,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Tensor, Error> {
        match self {
            Self::Reference(layers) => {
                let mut parts = pass.parts.clone();
                let mut states = input;
                for (layer_idx, layer) in layers.iter().enumerate() {
                    if !keep_going() {
                        return Err(Error::Stopped);
                    }
                    let above = pass.parts_of_depth(layer_idx + 1);
                    let (n_before, n_left) = (n_rows(&parts), n_rows(&above));
                    if n_left < n_before {
                        let places = Places::new(&parts, config)?;
                        layer.project(&states, &places, layer_idx, config, memory)?;
                        states = states.narrow(0, n_before - n_left, n_left)?;
                        parts = above;
                    }
                    if n_left == 0 {
                        break;
                    }
                    let places = Places::new(&parts, config)?;
                    states = layer.forward(&states, &places, layer_idx, config, memory)?;
                }
                Ok(states)
            }
            Self::Single(single) => {
                let mut room = single.room();
                room.set_rows(pass.parts.iter().cloned(), config);
                room.states = input.flatten_all()?.to_vec1()?;
                for (layer_idx, layer) in single.layers.iter().enumerate() {
                    if !keep_going() {
                        return Err(Error::Stopped);
                    }
                    layer.project(layer_idx, &mut room, memory);
                    if pass.climb.is_some() {
                        room.keep_parts(pass.parts_of_depth(layer_idx + 1));
                    }
                    if room.states.is_empty() {
                        break;
                    }
                    layer.finish(layer_idx, &mut room, memory);
                }
                let shape = (room.states.len() / config.hidden_size, config.hidden_size);
                Ok(Tensor::from_slice(&room.states, shape, &Device::Cpu)?)
            }
        }
    }
}
