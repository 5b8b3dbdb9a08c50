//! The kernels of a device: machine code from the image in the binary, else what its driver or a compiler makes of it.

use std::collections::HashMap;
use std::sync::Arc;

use cudarc::driver::{CudaContext, CudaFunction, CudaModule};
use cudarc::nvrtc::Ptx;

use crate::available::DeviceInfo;
use crate::driver::calling;
use crate::error::{Error, Result};
use crate::image::cache::Cache;
use crate::image::parts::{Image, Target};
use crate::launch::KERNELS;

mod cache;
mod compiler;
mod parts;

const IMAGE: &[u8] = include_bytes!("../../../kernels/prebuilt/dacapo.image");

/// Functions by name.
pub(crate) struct Kernels {
    functions: HashMap<&'static str, CudaFunction>,
}

impl Kernels {
    pub(crate) fn load(context: &Arc<CudaContext>, info: &DeviceInfo) -> Result<Self> {
        Self::load_from(IMAGE, context, info, &Cache::of_the_user())
    }

    /// Machine code for the device, else PTX, else what a compiler on this machine makes of the sources.
    fn load_from(
        image: &'static [u8],
        context: &Arc<CudaContext>,
        info: &DeviceInfo,
        cache: &Cache,
    ) -> Result<Self> {
        let mut reasons = Vec::new();
        match Image::read(image) {
            Ok(image) => {
                for target in image.targets(info.capability) {
                    match load_all(context, image.of(target)) {
                        Ok(modules) => return Ok(Self::of(&modules)),
                        Err(reason) => reasons.push(format!("{target}: {reason}")),
                    }
                }
                if reasons.is_empty() {
                    reasons.push(format!("none is compiled for {}", Target::real(info.capability)));
                }
                match compile_all(context, &image, info, cache) {
                    Ok(modules) => return Ok(Self::of(&modules)),
                    Err(reason) => reasons.push(reason),
                }
            }
            Err(reason) => reasons.push(reason),
        }
        Err(Error::NoKernels { reason: reasons.join("; ") })
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

fn load_all(
    context: &Arc<CudaContext>,
    parts: impl Iterator<Item = std::result::Result<Vec<u8>, String>>,
) -> std::result::Result<Vec<Arc<CudaModule>>, String> {
    parts.map(|part| load(context, part?)).collect()
}

fn load(
    context: &Arc<CudaContext>,
    mut code: Vec<u8>,
) -> std::result::Result<Arc<CudaModule>, String> {
    // PTX ends with a zero byte, and machine code may.
    code.push(0);
    context
        .load_module(Ptx::from_binary(code))
        .map_err(calling("cuModuleLoadData"))
        .map_err(|error| error.to_string())
}

fn compile_all(
    context: &Arc<CudaContext>,
    image: &Image,
    info: &DeviceInfo,
    cache: &Cache,
) -> std::result::Result<Vec<Arc<CudaModule>>, String> {
    let (sources, headers) = image.sources()?;
    let target = Target::real(info.capability);
    let compile = |source| {
        let code = cache.get_or(&headers, source, target, info.driver, || {
            compiler::compile(source, &headers, target)
        })?;
        load(context, code)
    };
    sources.iter().map(compile).collect()
}

#[cfg(test)]
mod tests;
