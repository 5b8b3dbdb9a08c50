//! The steps of `cargo xtask test`, the fast ones first.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use crate::editors;
use crate::kernels;
use crate::shell::{self, cargo, run};
use crate::step::Step;
use crate::tools;

/// Every step, in the order in which they run.
///
/// The binary is the one of the dev profile: that profile optimises the dependencies and the model,
/// and the unit tests have built most of it already, where a release build would build all of it again.
pub(crate) const ALL: &[Step] = &[
    Step { name: "fmt", about: "Rust code is formatted", run: format },
    Step { name: "clippy", about: "no warning in any target of any crate", run: clippy },
    Step { name: "unit", about: "tests of all crates, layers and tidiness among them", run: unit },
    Step {
        name: "gpu",
        about: "tests that want a GPU, with the kernels on a simulated one",
        run: kernels::test,
    },
    Step {
        name: "kernels",
        about: "GPU kernels compile for every target into what the binary embeds",
        run: kernels::compare,
    },
    Step { name: "build", about: "the dacapo binary of the dev profile", run: build },
    Step {
        name: "parity",
        about: "the numerical reference on itself, and dacapo against it",
        run: parity,
    },
    Step {
        name: "tokenizers",
        about: "ids of a real tokenizer.json beside those of the Python package",
        run: tokenizers,
    },
    Step {
        name: "llama.cpp",
        about: "ids, perplexity and greedy text of a small public model beside llama.cpp's",
        run: llama,
    },
    Step {
        name: "pygls",
        about: "a language client that is not ours, with dacapo and its daemon",
        run: pygls,
    },
    Step {
        name: "replay",
        about: "several people type at once: one answer for each request, and bounded memory",
        run: replay,
    },
    Step {
        name: "act-instruct",
        about: "actions on the terminal by instruction with a small public model",
        run: act_instruct,
    },
    Step {
        name: "nvim",
        about: "a real Neovim edits with dacapo attached",
        run: || editors::neovim(&dacapo()?),
    },
    Step {
        name: "nvim-0.10",
        about: "the plugin in an older Neovim",
        run: || editors::older_neovim(&dacapo()?),
    },
    Step {
        name: "nvim-tty",
        about: "ghost text of a real Neovim in a terminal",
        run: || editors::neovim_screen(&dacapo()?),
    },
    Step {
        name: "nvim-instruct",
        about: "a real Neovim edits by instruction with a small public model",
        run: || editors::neovim_instruct(&dacapo()?),
    },
    Step {
        name: "helix",
        about: "a real Helix completes and saves",
        run: || editors::helix(&dacapo()?),
    },
    Step {
        name: "helix-instruct",
        about: "a real Helix edits by instruction with a small public model",
        run: || editors::helix_instruct(&dacapo()?),
    },
    Step {
        name: "emacs",
        about: "a real Emacs completes by eglot and saves",
        run: || editors::emacs(&dacapo()?),
    },
    Step {
        name: "vscode",
        about: "the extension is packed, and a real VS Code edits with it",
        run: || editors::vscode(&dacapo()?),
    },
    Step {
        name: "vscode-instruct",
        about: "a real VS Code edits by instruction with a small public model",
        run: || editors::vscode_instruct(&dacapo()?),
    },
    Step {
        name: "newcomer-nvim",
        about: "what docs/getting-started says of Neovim leads to a suggestion that is taken",
        run: || editors::newcomer(&dacapo()?, "nvim"),
    },
    Step {
        name: "newcomer-helix",
        about: "what docs/getting-started says of Helix leads to a suggestion that is taken",
        run: || editors::newcomer(&dacapo()?, "helix"),
    },
    Step {
        name: "newcomer-emacs",
        about: "what docs/getting-started says of Emacs leads to a suggestion that is taken",
        run: || editors::newcomer(&dacapo()?, "emacs"),
    },
    Step {
        name: "newcomer-vscode",
        about: "what docs/getting-started says of VS Code leads to a suggestion that is taken",
        run: || editors::newcomer(&dacapo()?, "vscode"),
    },
    Step { name: "doc", about: "documentation builds without a warning", run: doc },
];

const SHORT: Duration = Duration::from_secs(5 * 60);
/// A first build of everything on two cores.
const LONG: Duration = Duration::from_secs(45 * 60);

/// Lets the test that compares those files write them instead, so that both see the same.
pub(crate) fn codegen() -> Result<()> {
    let mut command =
        cargo(&["test", "--quiet", "--locked", "-p", "integration", "--test", "generated"]);
    run(command.env("DACAPO_CODEGEN", "1"), LONG)
}

fn format() -> Result<()> {
    run(&mut cargo(&["fmt", "--all", "--check"]), SHORT)
}

fn clippy() -> Result<()> {
    run(
        &mut cargo(&["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        LONG,
    )
}

/// nextest where it is installed: it stops a test that hangs.
fn unit() -> Result<()> {
    let has_nextest = shell::succeeds(&mut cargo(&["nextest", "--version"]));
    let verb: &[&str] = if has_nextest { &["nextest", "run"] } else { &["test"] };
    run(cargo(verb).args(["--workspace", "--locked"]), LONG)
}

/// The whole workspace, since naming one package would choose other features of its dependencies and build them again.
fn build() -> Result<()> {
    run(&mut cargo(&["build", "--workspace", "--bins", "--locked"]), LONG)
}

fn parity() -> Result<()> {
    let python = tools::python::with_numpy()?;
    run(shell::program(&python).args(["-m", "unittest", "discover", "tests/parity"]), SHORT)?;
    run(
        shell::program(&python).arg("tests/parity/check_cli.py").arg("--dacapo").arg(dacapo()?),
        SHORT,
    )
}

fn tokenizers() -> Result<()> {
    let (python, tokenizer) = (tools::python::with_tokenizers()?, tools::node::qwen_tokenizer()?);
    let mut command = shell::program(python);
    command.arg("tests/parity/compare_tokenizer.py").arg("--dacapo").arg(dacapo()?);
    command.arg("--tokenizer").arg(tokenizer).args(["--bytes", "2500000"]);
    run(command.args(["--text", "crates", "editors", "tests", "docs"]), SHORT)
}

fn llama() -> Result<()> {
    let (python, model) = (tools::python::with_llama()?, tools::python::smollm2()?);
    let mut command = shell::program(python);
    command.arg("tests/parity/compare_llama.py").arg("--dacapo").arg(dacapo()?);
    command.arg("--model").arg(model).args(["--text", "crates/assist/src/completer.rs"]);
    run(command.args(["--tokens", "1024"]), LONG)
}

fn pygls() -> Result<()> {
    let python = tools::python::with_pygls()?;
    let mut command = shell::program(&python);
    command.args(["-m", "unittest", "discover", "tests/pygls"]);
    run(command.env("DACAPO", dacapo()?), SHORT)
}

/// Only what holds on any machine is asserted; the times that it prints are of a build that is not for release.
fn replay() -> Result<()> {
    let mut command = shell::program("python3");
    command.arg("tests/replay/replay.py").arg("--dacapo").arg(dacapo()?);
    run(command.args(["--clients", "4", "--seconds", "10", "--most-memory", "200"]), SHORT)
}

fn act_instruct() -> Result<()> {
    let model = tools::python::smollm2()?;
    let mut command = shell::program("python3");
    command.arg("tests/act/instruct.py").env("DACAPO", dacapo()?).env("MODEL", model);
    run(&mut command, SHORT)
}

fn doc() -> Result<()> {
    let mut command =
        cargo(&["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"]);
    run(command.env("RUSTDOCFLAGS", "-D warnings"), LONG)
}

/// The binary that the steps after `build` drive; built here when one of them runs alone.
fn dacapo() -> Result<PathBuf> {
    build()?;
    Ok(shell::target().join("debug").join("dacapo"))
}
