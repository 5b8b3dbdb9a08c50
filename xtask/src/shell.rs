//! Runs programs: where they run, how long they may take, and what a failure says.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How often a running program is looked at.
const POLL: Duration = Duration::from_millis(20);

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_path_buf()
}

/// The folder that Cargo builds into; everything that xtask makes lies there too.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// A program that runs in the workspace's folder.
pub(crate) fn program(path: impl AsRef<Path>) -> Command {
    let mut command = Command::new(path.as_ref());
    command.current_dir(root());
    command
}

/// The Cargo that runs xtask.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = program(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments);
    command
}

/// Runs `command` with our own output and waits for it.
///
/// # Errors
/// If it cannot be started, ends with another code than 0, or runs longer than `limit` (it is killed then).
pub(crate) fn run(command: &mut Command, limit: Duration) -> Result<()> {
    let words = words(command);
    let mut child = command.spawn().with_context(|| format!("cannot start `{words}`"))?;
    let start = Instant::now();
    loop {
        if let Some(status) =
            child.try_wait().with_context(|| format!("cannot wait for `{words}`"))?
        {
            return judge(&words, status);
        }
        if limit <= start.elapsed() {
            child
                .kill()
                .and_then(|()| child.wait())
                .with_context(|| format!("cannot stop `{words}`"))?;
            bail!("`{words}` was stopped after {} s", limit.as_secs());
        }
        thread::sleep(POLL);
    }
}

/// Whether `command` can be started and ends with 0; its output is not shown.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

fn judge(words: &str, status: ExitStatus) -> Result<()> {
    if !status.success() {
        bail!("`{words}` failed ({status})");
    }
    Ok(())
}

/// The command as a person would type it, from the workspace's folder.
fn words(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![match (program.strip_prefix(root()), program.file_name()) {
        (Err(_), Some(name)) => name.to_string_lossy().into_owned(),
        _ => short(program.as_os_str()),
    }];
    words.extend(command.get_args().map(short));
    words.join(" ")
}

/// Paths below the workspace's folder start there.
fn short(word: &OsStr) -> String {
    let path = Path::new(word);
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_program_that_ends_well_is_fine() {
        run(program("sh").args(["-c", "exit 0"]), LONG).unwrap();
    }

    #[test]
    fn a_failure_names_the_command_and_its_code() {
        let error = run(program("sh").args(["-c", "exit 3"]), LONG).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3` failed (exit status: 3)");
    }

    #[test]
    fn a_missing_program_is_named() {
        let error = run(&mut program("no-such-program"), LONG).unwrap_err();
        assert_eq!(error.to_string(), "cannot start `no-such-program`");
    }

    #[test]
    fn a_program_past_its_limit_is_stopped() {
        let error = run(program("sleep").arg("600"), Duration::ZERO).unwrap_err();
        assert_eq!(error.to_string(), "`sleep 600` was stopped after 0 s");
    }

    #[test]
    fn programs_from_elsewhere_go_by_their_name() {
        assert_eq!(words(program("/usr/bin/cargo").args(["fmt", "/etc"])), "cargo fmt /etc");
    }

    #[test]
    fn paths_of_the_workspace_are_shortened() {
        let command = &mut program(root().join("target/x"));
        assert_eq!(words(command.arg("--flag")), "target/x --flag");
    }
}
