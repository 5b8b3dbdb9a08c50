//! The steps that drive real editors, each with folders of its own, so that a person's own are neither read nor touched.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;

use crate::shell::{self, run};
use crate::tools::{debian, node, python, system};

/// What an editor takes on a machine that does much else.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Neovim 0.11: the server in two languages, and the plugin.
pub(crate) fn neovim(dacapo: &Path) -> Result<()> {
    let neovim = python::neovim()?;
    for language in ["rust", "python"] {
        neovim_spec(&neovim, dacapo, &["tests/nvim/spec.lua", language], &[])?;
    }
    neovim_plugin(&neovim, dacapo)
}

/// Neovim 0.10: the plugin.
pub(crate) fn older_neovim(dacapo: &Path) -> Result<()> {
    neovim_plugin(&debian::older_neovim()?, dacapo)
}

fn neovim_plugin(neovim: &Path, dacapo: &Path) -> Result<()> {
    neovim_spec(neovim, dacapo, &["tests/nvim/ghost_spec.lua"], &[])?;
    neovim_spec(neovim, dacapo, &["tests/nvim/plugin_spec.lua"], &[])
}

fn neovim_spec(neovim: &Path, dacapo: &Path, words: &[&str], more: &[(&str, &Path)]) -> Result<()> {
    let mut command = shell::program(neovim);
    command.args(["--headless", "--clean", "-l"]).args(words);
    command.env("DACAPO", dacapo).env("NEOVIM", neovim).envs(more.iter().copied());
    run(at_home(&mut command, "nvim"), LIMIT)
}

/// Neovim in a terminal: ghost text on the screen.
pub(crate) fn neovim_screen(dacapo: &Path) -> Result<()> {
    system::program(&["tmux"], "tmux")?;
    let mut command = shell::program("python3");
    command.args(["-B", "tests/nvim/screen.py"]);
    command.env("DACAPO", dacapo).env("NEOVIM", python::neovim()?);
    run(&mut command, LIMIT)
}

/// Neovim 0.11 with a model for instructions: edit, fix, explain, cancel.
pub(crate) fn neovim_instruct(dacapo: &Path) -> Result<()> {
    let (neovim, model) = (python::neovim()?, python::smollm2()?);
    neovim_spec(&neovim, dacapo, &["tests/nvim/instruct_spec.lua"], &[("MODEL", &model)])
}

/// Helix in a terminal: complete, accept, act, save.
pub(crate) fn helix(dacapo: &Path) -> Result<()> {
    helix_spec(dacapo, "tests/helix/spec.py", &[])
}

/// Helix with a model for instructions: edit by a comment, explain.
pub(crate) fn helix_instruct(dacapo: &Path) -> Result<()> {
    helix_spec(dacapo, "tests/helix/instruct.py", &[("MODEL", &python::smollm2()?)])
}

fn helix_spec(dacapo: &Path, spec: &str, more: &[(&str, &Path)]) -> Result<()> {
    system::program(&["tmux"], "tmux")?;
    let mut command = shell::program("python3");
    command.args(["-B", spec]).envs(more.iter().copied());
    command.env("DACAPO", dacapo).env("HELIX", debian::helix()?);
    run(&mut command, LIMIT)
}

/// Emacs in batch: complete by eglot, save.
pub(crate) fn emacs(dacapo: &Path) -> Result<()> {
    let mut command = shell::program(debian::emacs()?);
    command.args(["--batch", "-Q", "-l", "tests/emacs/spec.el"]);
    run(command.env("DACAPO", dacapo), LIMIT)
}

/// The extension's checks and its package, then the workbench in a browser.
pub(crate) fn vscode(dacapo: &Path) -> Result<()> {
    let node = node::Node::get()?;
    let folder = extension(&node)?;
    run(node.npm(&folder).args(["run", "--silent", "check"]), LIMIT)?;
    vscode_spec(&node, &folder, dacapo, "typing", &[])
}

/// The workbench with a model for instructions: edit, fix, explain, cancel.
pub(crate) fn vscode_instruct(dacapo: &Path) -> Result<()> {
    let node = node::Node::get()?;
    let model = python::smollm2()?;
    vscode_spec(&node, &extension(&node)?, dacapo, "instruct", &[("MODEL", &model)])
}

/// The folder of the extension, with the packages that it needs.
fn extension(node: &node::Node) -> Result<PathBuf> {
    let folder = shell::root().join("editors/vscode");
    node::packages(node, &folder)?;
    Ok(folder)
}

fn vscode_spec(
    node: &node::Node,
    extension: &Path,
    dacapo: &Path,
    spec: &str,
    more: &[(&str, &Path)],
) -> Result<()> {
    run(node.npm(extension).args(["run", "--silent", "package"]), LIMIT)?;
    let mut command = node.npm(extension);
    command.args(["run", "--silent", "e2e", "--"]).arg(format!("dist/e2e/{spec}.mjs"));
    command.env("DACAPO", dacapo).env("CHROMIUM", chromium()?).envs(more.iter().copied());
    command.env("CODE_SERVER", node::code_server(node)?);
    command.env("VSIX", extension.join("dist/dacapo.vsix"));
    run(&mut command, LIMIT)
}

/// Somebody who types what the pages for newcomers say.
pub(crate) fn newcomer(dacapo: &Path, editor: &str) -> Result<()> {
    system::program(&["tmux"], "tmux")?;
    let mut command = shell::program("python3");
    let program = match editor {
        "nvim" => python::neovim()?,
        "helix" => debian::helix()?,
        "emacs" => debian::emacs()?,
        _ => {
            let node = node::Node::get()?;
            let folder = extension(&node)?;
            run(node.npm(&folder).args(["run", "--silent", "e2e", "--", "--version"]), LIMIT)?;
            command = node.program("python3");
            command.env("CHROMIUM", chromium()?).env("CODE_SERVER", node::code_server(&node)?);
            folder.join("dist/e2e/newcomer.mjs")
        }
    };
    command.args(["-B", "tests/newcomer/newcomer.py", editor]);
    run(command.env("DACAPO", dacapo).env("PROGRAM", program), LIMIT)
}

fn chromium() -> Result<PathBuf> {
    system::program(&["chromium", "chromium-browser", "google-chrome"], "chromium")
}

/// Folders for settings, state and logs below the build folder.
fn at_home<'a>(command: &'a mut Command, name: &str) -> &'a mut Command {
    let home = shell::target().join("tmp").join(name);
    for part in ["CONFIG", "DATA", "STATE", "CACHE"] {
        command.env(format!("XDG_{part}_HOME"), home.join(part.to_lowercase()));
    }
    command
}
