//! Programs of the system; in CI, which is root on Debian, they are installed where they are missing.

use std::path::PathBuf;

use anyhow::Result;

use super::{INSTALL_LIMIT, MissingTool, must_be_complete};
use crate::shell;

/// The first of `programs` on the `PATH`; in CI, as root on Debian, `package` is installed if there is none.
///
/// # Errors
/// [`MissingTool`] if there is none.
pub(crate) fn program(programs: &[&str], package: &str) -> Result<PathBuf> {
    if let Some(path) = on_path(programs) {
        return Ok(path);
    }
    let missing =
        |reason: String| MissingTool { name: programs.join(" or "), reason, is_required: false };
    if !must_be_complete() {
        return Err(missing(format!("install the package {package}")).into());
    }
    let install = || -> Result<()> {
        let mut update = shell::program("apt-get");
        shell::run(update.args(["update", "-qq"]), INSTALL_LIMIT)?;
        let mut install = shell::program("apt-get");
        install.env("DEBIAN_FRONTEND", "noninteractive");
        install.args(["install", "-y", "-qq", "--no-install-recommends", package]);
        shell::run(&mut install, INSTALL_LIMIT)
    };
    install().map_err(|error| missing(format!("{error:#}")))?;
    on_path(programs).ok_or_else(|| missing(format!("{package} does not bring it")).into())
}

fn on_path(programs: &[&str]) -> Option<PathBuf> {
    let folders: Vec<_> = std::env::split_paths(&std::env::var_os("PATH")?).collect();
    programs
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)))
        .find(|path| path.is_file())
}
