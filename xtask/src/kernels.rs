//! The kernels of the GPU engine: the image that the binary embeds, and the simulator that runs them without a GPU.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use crate::shell::{self, cargo, run};
use crate::tools;

/// A first compilation of everything for every target on two cores.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// Parts of the names of the tests that want a device, in the crates `cuda`, `model` and `engine`.
const NAMES: &[&str] = &[
    "device::",
    "graph::tests",
    "image::tests",
    "launch::",
    "pinned::tests",
    "available::tests",
    "a_device_",
];

/// Compiles all kernels into `kernels/prebuilt`, and says what registers and shared memory they take.
pub(crate) fn build() -> Result<()> {
    run(&mut compile()?, LIMIT)
}

/// Compiles all kernels, and fails if what comes out is not what `kernels/prebuilt` was made of, or if one spills registers.
pub(crate) fn compare() -> Result<()> {
    run(compile()?.arg("--compare"), LIMIT)
}

fn compile() -> Result<Command> {
    let (python, library) = tools::python::with_nvrtc()?;
    let mut command = shell::program(python);
    command.args(["-B", "kernels/build.py", "--library"]).arg(library);
    command.arg("--work").arg(shell::target().join("kernels"));
    Ok(command)
}

/// The simulated `libcuda.so.1`, built if a source is younger than it.
pub(crate) fn simulator() -> Result<PathBuf> {
    let folder = shell::target().join("simulator");
    let library = folder.join("libcuda.so.1");
    let kernels = shell::root().join("kernels");
    let simulator = kernels.join("simulator");
    let is_current = modified(&library).is_some_and(|built| {
        [&kernels, &simulator].iter().all(|folder| youngest(folder).is_none_or(|it| it < built))
    });
    if is_current {
        return Ok(library);
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Under another name first: a library that runs tests must not change under them.
    let unfinished = folder.join("unfinished");
    let mut command = compiler()?;
    command.args(["-fPIC", "-shared", "-fvisibility=hidden", "-Wl,-soname,libcuda.so.1"]);
    command.arg("-o").arg(&unfinished);
    command.args(["-x", "c++"]);
    command.args(files(&simulator, "cpp")?).args(files(&kernels, "cu")?);
    run(&mut command, LIMIT)?;
    fs::rename(&unfinished, &library)
        .with_context(|| format!("cannot write {}", library.display()))?;
    Ok(library)
}

/// Runs the tests that want a device on the simulated one; none of them may be skipped.
pub(crate) fn test() -> Result<()> {
    let library = simulator()?;
    let mut folders: Vec<OsString> = library.parent().map(Into::into).into_iter().collect();
    // With the compiler there, the way from sources to machine code is tested too.
    folders.extend(tools::python::with_nvrtc()?.1.parent().map(Into::into));
    folders.extend(std::env::var_os("LD_LIBRARY_PATH"));
    let folders = folders.join(OsStr::new(":"));
    // The whole workspace, since naming crates would choose other features of their dependencies and build them again.
    let mut command = cargo(&["test", "--workspace", "--lib", "--locked", "--"]);
    command.args(NAMES);
    run(command.env("LD_LIBRARY_PATH", &folders).env("DACAPO_REQUIRE_DEVICE", "1"), LIMIT)?;
    self_test()
}

/// Provokes the faults that the simulator is to find.
fn self_test() -> Result<()> {
    let folder = shell::root().join("kernels/simulator");
    let program = shell::target().join("simulator/self_test");
    let mut command = compiler()?;
    command.arg("-o").arg(&program).args(["-x", "c++"]);
    command.args(files(&folder, "cpp")?);
    command.args(files(&folder.join("self_test"), "cpp")?);
    command.args(files(&folder.join("self_test"), "cu")?);
    run(&mut command, LIMIT)?;
    run(&mut shell::program(program), LIMIT)
}

/// g++ as kernels are compiled for the simulator.
fn compiler() -> Result<Command> {
    let mut command = shell::program(tools::system::program(&["g++", "c++"], "g++")?);
    command.args(["-std=c++17", "-O2", "-Wno-unknown-pragmas", "-fno-strict-aliasing"]);
    command.args(["-U_FORTIFY_SOURCE", "-pthread", "-DSIMULATED", "-Ikernels"]);
    Ok(command)
}

fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|own| own == extension) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn youngest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .filter_map(|path| modified(&path))
        .max()
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
