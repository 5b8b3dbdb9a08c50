//! All layers: in single precision on plain memory, or in tensors of double precision as the reference.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Tensor};

use crate::cache::HostMemory;
use crate::config::Config;
use crate::layer::{self, Places};
use crate::pass::Part;
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

    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Reference(layers) => layers.len(),
            Self::Single(single) => single.layers.len(),
        }
    }

    /// Residual stream [rows, hidden] of `parts` through the first `n_layers` layers, whose K/V and the next layer's are
    /// written. `keep_going` is asked before each layer; where it says no, this ends with [`Error::Stopped`].
    pub(crate) fn run(
        &self,
        input: Tensor,
        parts: &[Part],
        n_layers: usize,
        config: &Config,
        memory: &mut HostMemory,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Tensor, Error> {
        match self {
            Self::Reference(layers) => {
                let places = Places::new(parts, config)?;
                let mut states = input;
                for (layer_idx, layer) in layers[..n_layers].iter().enumerate() {
                    if !keep_going() {
                        return Err(Error::Stopped);
                    }
                    states = layer.forward(&states, &places, layer_idx, config, memory)?;
                }
                if let Some(layer) = layers.get(n_layers) {
                    layer.project(&states, &places, n_layers, config, memory)?;
                }
                Ok(states)
            }
            Self::Single(single) => {
                let mut room = single.room();
                let shape = input.dims2()?;
                room.set_rows(parts.iter().cloned(), config);
                room.states = input.flatten_all()?.to_vec1()?;
                if !run_single(&single.layers, n_layers, &mut room, memory, keep_going) {
                    return Err(Error::Stopped);
                }
                Ok(Tensor::from_slice(&room.states, shape, &Device::Cpu)?)
            }
        }
    }
}

/// The rows of `room` through the first `n_layers` of `layers`, as [`Stack::run`] does it; `false` when it was stopped.
pub(crate) fn run_single(
    layers: &[single::Layer],
    n_layers: usize,
    room: &mut Room,
    memory: &mut HostMemory,
    keep_going: &mut dyn FnMut() -> bool,
) -> bool {
    for (layer_idx, layer) in layers[..n_layers].iter().enumerate() {
        if !keep_going() {
            return false;
        }
        layer.forward(layer_idx, room, memory);
    }
    if let Some(layer) = layers.get(n_layers) {
        layer.project(n_layers, room, memory);
    }
    true
}
