//! `dacapo lsp`: an editor at stdin and stdout.

use std::process::ExitCode;

use anyhow::Result;
use serde_json::json;
use server::{Options, config};

use crate::arguments::Lsp;
use crate::model_source::{DEFAULT_MAX_TOKENS, ModelSource};

pub(crate) fn run(arguments: &Lsp) -> Result<ExitCode> {
    let user_file = config::user_file(|name| std::env::var_os(name));
    let command_line = match &arguments.model {
        Some(name) => json!({ "model": { "name": name } }),
        None => json!({}),
    };
    let options = Options { user_file, command_line };
    let name = options.resolve().config.model.name;
    let assistant = ModelSource::find(&name)?.assistant(DEFAULT_MAX_TOKENS)?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
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
