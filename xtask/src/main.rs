//! Automation: what CI runs, as commands a person can run.
#![expect(clippy::print_stdout, reason = "xtask talks to a person")]

mod shell;
mod tools;

mod report;
mod step;

mod editors;
mod kernels;

mod steps;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};

use crate::report::Summary;
use crate::step::Step;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Builds and checks the project")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run every check that CI runs, the fast ones first, and stop at the first that fails
    Test {
        /// Run this step alone; may be given several times
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
        /// Print the steps and run nothing
        #[arg(long)]
        list: bool,
    },
    /// Write the files in docs that are made from the code: the configuration page and its schema
    Codegen,
    /// Compile the GPU kernels for every target into `kernels/prebuilt`, which the binary embeds
    Kernels,
    /// Build the simulated GPU that runs the kernels on the CPU, if it is not there yet, and print its path
    Simulator,
    /// Install an editor that the tests use, if it is not there yet, and print its path
    Editor { name: Editor },
    /// Fetch the small public model for instructions that the tests use, if it is not there yet, and print its path
    Model,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Editor {
    Nvim,
    #[value(name = "nvim-0.10")]
    OlderNvim,
    Helix,
    Emacs,
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().verb {
        Verb::Test { list: true, .. } => {
            for step in steps::ALL {
                println!("{:15} {}", step.name, step.about);
            }
        }
        Verb::Test { only, list: false } => {
            let steps = step::select(steps::ALL, &only)?;
            return Ok(test(&steps));
        }
        Verb::Codegen => steps::codegen()?,
        Verb::Kernels => kernels::build()?,
        Verb::Simulator => println!("{}", kernels::simulator()?.display()),
        Verb::Editor { name } => println!("{}", path_of(name)?.display()),
        Verb::Model => println!("{}", tools::python::smollm2()?.display()),
    }
    Ok(ExitCode::SUCCESS)
}

fn path_of(editor: Editor) -> anyhow::Result<PathBuf> {
    match editor {
        Editor::Nvim => tools::python::neovim(),
        Editor::OlderNvim => tools::debian::older_neovim(),
        Editor::Helix => tools::debian::helix(),
        Editor::Emacs => tools::debian::emacs(),
    }
}

/// Runs the steps and prints the summary, whose last line is the last line of all.
fn test(steps: &[&Step]) -> ExitCode {
    let summary = Summary::of(steps, tools::must_be_complete());
    print!("{summary}");
    if summary.is_green() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
