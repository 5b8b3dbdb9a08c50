//! The kernels of a device: from the image in the binary.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaModule};
use cudarc::nvrtc::Ptx;

use crate::available::DeviceInfo;
use crate::driver::calling;
use crate::error::{Error, Result};
use crate::launch::KERNELS;

const IMAGE: &[u8] = include_bytes!("../../../kernels/prebuilt/dacapo.fatbin");

/// Functions by name.
pub(crate) struct Kernels {
    functions: HashMap<&'static str, CudaFunction>,
}

impl Kernels {
    pub(crate) fn load(context: &Arc<CudaContext>, info: &DeviceInfo) -> Result<Self> {
        let _ = info;
        let module = context
            .load_module(Ptx::from_binary(IMAGE.to_vec()))
            .map_err(calling("cuModuleLoadData"))?;
        Ok(Self::of(&[module]))
    }

    fn of(modules: &[Arc<CudaModule>]) -> Self {
        let find = |name| modules.iter().find_map(|module| module.load_function(name).ok());
        let names = KERNELS.iter().copied().flatten().copied();
        Self { functions: names.filter_map(|name| Some((name, find(name)?))).collect() }
    }

    pub(crate) fn get(&self, name: &'static str) -> Result<&CudaFunction> {
        self.functions.get(name).ok_or(Error::MissingKernel { name })
    }
}
