//! `dacapo lsp`: an editor at stdin and stdout, served by the user's daemon or by this process.

use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Result;
use serde_json::json;
use server::{Ended, Host, Options, config};

use crate::arguments::Lsp;
use crate::model_source::ModelDirectory;

pub(crate) fn run(arguments: &Lsp) -> Result<ExitCode> {
    let options = Options {
        user_file: config::user_file(|name| std::env::var_os(name)),
        command_line: match &arguments.model {
            Some(name) => json!({ "model": { "name": absolute(name) } }),
            None => json!({}),
        },
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let ended = runtime.block_on(async {
        match arguments.standalone {
            true => standalone(options).await,
            false => attached(options).await,
        }
    });
    // Reading stdin blocks a thread that only a further byte would free.
    runtime.shutdown_background();
    Ok(ExitCode::from(ended?.exit_code()))
}

async fn standalone(options: Options) -> Result<Ended> {
    let host =
        Arc::new(Host::new(ModelDirectory::of(&options.resolve(None).config)).saving_indexes());
    Ok(server::serve(tokio::io::stdin(), tokio::io::stdout(), host, options).await?)
}

/// An editor is served either way: where no daemon can be had, by this process.
#[cfg(unix)]
async fn attached(options: Options) -> Result<Ended> {
    use anyhow::Context;
    use server::daemon::{connect, greeting::Build, pipe, place::Place};

    let found = async {
        let place = Place::find(|name| std::env::var_os(name))?;
        let build = Build::of_this_program();
        connect::session(&place, &build, &options, super::daemon::command).await
    };
    let socket = match found.await {
        Ok(socket) => socket,
        Err(error) => {
            tracing::warn!(%error, "no daemon; this process serves the editor alone");
            return standalone(options).await;
        }
    };
    let ended = pipe::run(tokio::io::stdin(), tokio::io::stdout(), socket).await?;
    ended.context("the daemon ended; let your editor start the language server again")
}

#[cfg(not(unix))]
async fn attached(options: Options) -> Result<Ended> {
    standalone(options).await
}

/// The daemon works in another directory, so a path must not depend on ours.
fn absolute(model: &str) -> String {
    match std::path::Path::new(model).canonicalize() {
        Ok(path) => path.to_string_lossy().into_owned(),
        Err(_) => model.to_owned(),
    }
}
