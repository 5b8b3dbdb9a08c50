//! Editors from Debian 13, unpacked without a change to the system.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{INSTALL_LIMIT, MissingTool, installed};
use crate::shell;

/// The release that has editors young enough.
const RELEASE: &str = "trixie";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

struct Editor {
    package: &'static str,
    name: &'static str,
    /// Lines for `sh`, where `$R` is the folder of the unpacked packages and `run` runs one of its programs.
    launcher: &'static str,
}

const HELIX: Editor = Editor {
    package: "hx",
    name: "Helix",
    launcher: r#"export HELIX_RUNTIME="$R/usr/lib/hx/runtime"
run "$R/usr/lib/hx/hx" "$@""#,
};

const NEOVIM: Editor = Editor {
    package: "neovim",
    name: "Neovim of Debian 13",
    launcher: r#"export VIMRUNTIME="$R/usr/share/nvim/runtime"
export LUA_PATH="$R/usr/share/lua/5.1/?.lua;$R/usr/share/lua/5.1/?/init.lua;;"
export LUA_CPATH="$R/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;"
run "$R/usr/bin/nvim" "$@""#,
};

const EMACS: Editor = Editor {
    package: "emacs-nox",
    name: "Emacs",
    launcher: r#"VERSION=$(ls "$R/usr/share/emacs" | grep '^[0-9]' | head -n 1)
LIBRARY="$R/usr/libexec/emacs/$VERSION/x86_64-linux-gnu"
export EMACSLOADPATH="$R/usr/share/emacs/$VERSION/lisp" EMACSPATH="$LIBRARY"
export EMACSDATA="$R/usr/share/emacs/$VERSION/etc" EMACSDOC="$R/usr/share/emacs/$VERSION/etc"
run "$R/usr/bin/emacs-nox" --dump-file="$(ls "$LIBRARY"/*.pdmp)" "$@""#,
};

/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn helix() -> Result<PathBuf> {
    editor(&HELIX)
}

/// An older Neovim than the one of the Python package index.
///
/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn older_neovim() -> Result<PathBuf> {
    editor(&NEOVIM)
}

/// # Errors
/// [`MissingTool`] if it cannot be installed.
pub(crate) fn emacs() -> Result<PathBuf> {
    editor(&EMACS)
}

/// The launcher of an editor whose packages are unpacked below `target/tools`.
fn editor(editor: &Editor) -> Result<PathBuf> {
    let folder = installed(&format!("{RELEASE}-{}", editor.package), |folder| {
        download(editor.package, folder)?;
        unpack(folder)?;
        write_launcher(editor, folder)
    })
    .map_err(|error| MissingTool {
        name: editor.name.to_owned(),
        reason: format!("{error:#}; it needs apt-get, dpkg and the packages of Debian {RELEASE}"),
        is_required: false,
    })?;
    Ok(launcher(&folder))
}

fn launcher(folder: &Path) -> PathBuf {
    folder.join("run")
}

/// Downloads `package` and all that it needs, by an apt that has a state of its own and believes nothing to be installed.
fn download(package: &str, folder: &Path) -> Result<()> {
    if std::env::consts::ARCH != "x86_64" {
        bail!("the launcher knows x86-64 alone");
    }
    let state = folder.join("apt");
    for part in [
        "etc/apt/sources.list.d",
        "etc/apt/preferences.d",
        "etc/apt/apt.conf.d",
        "etc/apt/trusted.gpg.d",
        "var/lib/apt/lists/partial",
        "var/cache/apt/archives/partial",
        "var/lib/dpkg",
    ] {
        fs::create_dir_all(state.join(part)).context("cannot make a folder for apt")?;
    }
    let source = format!("deb [signed-by={KEYRING}] {} {RELEASE} main\n", mirror()?);
    fs::write(state.join("etc/apt/sources.list"), source)?;
    fs::write(state.join("var/lib/dpkg/status"), "")?;
    let state = state.display();
    let configuration = folder.join("apt.conf");
    fs::write(
        &configuration,
        format!(
            "Dir \"{state}\";\nDir::State::status \"{state}/var/lib/dpkg/status\";\n\
             Dir::Etc::sourceparts \"-\";\nAPT::Architecture \"amd64\";\n\
             APT::Architectures \"amd64\";\nAcquire::Languages \"none\";\nDebug::NoLocking \"1\";\n\
             APT::Sandbox::User \"root\";\n"
        ),
    )?;
    let apt = |arguments: &[&str]| {
        let mut apt = shell::program("apt-get");
        apt.env("APT_CONFIG", &configuration).args(arguments);
        shell::run(&mut apt, INSTALL_LIMIT)
    };
    apt(&["update", "-qq"])?;
    apt(&["install", "-y", "-qq", "--no-install-recommends", "--download-only", package])
}

/// The mirror that the system uses.
fn mirror() -> Result<String> {
    let lists = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let text: String = lists.iter().filter_map(|list| fs::read_to_string(list).ok()).collect();
    let is_address = |word: &&str| word.starts_with("http://") || word.starts_with("https://");
    match text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .find_map(|line| line.split_whitespace().find(is_address))
    {
        Some(address) => Ok(address.to_owned()),
        None => bail!("no mirror in {}", lists.join(" or ")),
    }
}

fn unpack(folder: &Path) -> Result<()> {
    let archives = folder.join("apt/var/cache/apt/archives");
    for entry in fs::read_dir(&archives).with_context(|| format!("no {}", archives.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut dpkg = shell::program("dpkg");
            shell::run(dpkg.arg("-x").arg(&path).arg(folder.join("root")), INSTALL_LIMIT)?;
        }
    }
    fs::remove_dir_all(folder.join("apt")).context("cannot remove what apt downloaded")
}

fn write_launcher(editor: &Editor, folder: &Path) -> Result<()> {
    let root = folder.join("root");
    // The release's own loader and libraries: those of an older system would not do.
    let run = r#"run() { exec "$R/usr/lib64/ld-linux-x86-64.so.2" --library-path "$R/usr/lib/x86_64-linux-gnu" "$@"; }"#;
    let text = format!("#!/bin/sh\nR='{}'\n{run}\n{}\n", root.display(), editor.launcher);
    let path = launcher(folder);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot change {}", path.display()))
}
