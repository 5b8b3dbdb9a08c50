//! Tools that the steps need and Cargo does not bring: pinned, installed once below `target/tools`.

use std::error::Error;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell;

pub(crate) mod debian;
pub(crate) mod node;
pub(crate) mod python;
pub(crate) mod system;

const INSTALL_LIMIT: Duration = Duration::from_secs(600);

/// A tool is not there and cannot be installed: a named skip on a person's machine.
#[derive(Debug)]
pub(crate) struct MissingTool {
    pub(crate) name: String,
    pub(crate) reason: String,
    /// Whether CI fails without it.
    ///
    /// An editor that comes from one distribution's packages is not required: where they are not to be had,
    /// the rest still says something.
    pub(crate) is_required: bool,
}

impl fmt::Display for MissingTool {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} is missing: {}", self.name, self.reason)
    }
}

impl Error for MissingTool {}

/// Whether a missing tool that is required is a failure: CI sets `CI=true`.
pub(crate) fn must_be_complete() -> bool {
    std::env::var("CI").is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"))
}

/// The folder `name` below `target/tools`, filled by `install` if that has not been done to its end.
fn installed(name: &str, install: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
    let folder = shell::target().join("tools").join(name);
    // Written last, so that an installation that was interrupted is begun again.
    let stamp = folder.join("complete");
    if stamp.exists() {
        return Ok(folder);
    }
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot clear {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    install(&folder)?;
    fs::write(&stamp, name).with_context(|| format!("cannot write {}", stamp.display()))?;
    Ok(folder)
}
