//! The `dacapo` binary: parses flags, runs one verb, prints.

#![expect(clippy::print_stderr, reason = "errors are for the terminal")]

mod arguments;

mod location;

mod generation_config;

mod model_source;

mod settings;

mod likelihood;

mod terminal;

mod progress;

mod commands;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;

use crate::arguments::{Arguments, EvalVerb, Verb};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // stdout belongs to the protocol and to results, so the log goes to stderr.
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("DACAPO_LOG")
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn")),
        )
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    std::panic::set_hook(Box::new(report_panic));
    let result = match arguments.verb {
        Verb::Lsp(arguments) => commands::lsp::run(&arguments),
        #[cfg(unix)]
        Verb::Daemon(arguments) => commands::daemon::run(&arguments),
        Verb::Complete(arguments) => commands::complete::run(&arguments),
        Verb::Act(arguments) => commands::act::run(&arguments),
        Verb::Generate(arguments) => commands::generate::run(&arguments),
        Verb::Model(arguments) => commands::model::run(&arguments),
        Verb::Eval(arguments) => match &arguments.verb {
            Some(EvalVerb::Cut(cut)) => commands::cut::run(cut),
            None => commands::eval::run(&arguments),
        },
        Verb::Bench(arguments) => commands::bench::run(&arguments),
        Verb::Doctor(arguments) => commands::doctor::run(&arguments),
    };
    match result {
        Ok(code) => code,
        // Whoever reads our output has seen enough, as in `dacapo ... | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("dacapo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Says where, and not what: the message of a failed slice quotes the text that was sliced, which is the user's.
fn report_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    tracing::error!(
        location,
        thread = thread.name(),
        "defect: a panic, caught where it costs one answer"
    );
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io_error = cause.downcast_ref::<std::io::Error>();
        io_error.is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
            || cause
                .downcast_ref::<serde_json::Error>()
                .is_some_and(|error| error.io_error_kind() == Some(std::io::ErrorKind::BrokenPipe))
    })
}
