//! `dacapo lsp`: an editor at stdin and stdout.

use std::process::ExitCode;

use anyhow::Result;

use crate::arguments::Lsp;
use crate::model_source::{DEFAULT_MAX_TOKENS, ModelSource};

pub(crate) fn run(arguments: &Lsp) -> Result<ExitCode> {
    let assistant = ModelSource::find(&arguments.model.model)?.assistant(DEFAULT_MAX_TOKENS)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let options = server::Options { preload: true };
    let ended = runtime.block_on(server::serve(
        tokio::io::stdin(),
        tokio::io::stdout(),
        assistant,
        options,
    ));
    // Reading stdin blocks a thread that only a further byte would free.
    runtime.shutdown_background();
    Ok(ExitCode::from(ended?.exit_code()))
}
