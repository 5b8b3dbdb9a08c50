//! `dacapo daemon`: the process that serves every editor of a user.

use std::io::Write;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use server::daemon::greeting::Build;
use server::daemon::place::Place;
use server::daemon::{Error, Report, Service, connect};
use server::{Host, Options, config};

use crate::arguments::{Daemon, DaemonVerb};
use crate::model_source::ModelDirectory;
use crate::terminal::{print_json, size};

pub(crate) fn run(arguments: &Daemon) -> Result<ExitCode> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let done = runtime.block_on(async {
        let place = Place::find(|name| std::env::var_os(name))?;
        let build = Build::of_this_program();
        match &arguments.verb {
            DaemonVerb::Run => serve(place, build).await,
            DaemonVerb::Status { json } => status(&place, &build, *json).await,
            DaemonVerb::Stop { json } => stop(&place, &build, *json).await,
        }
    });
    // A session's work is not waited for.
    runtime.shutdown_background();
    done?;
    Ok(ExitCode::SUCCESS)
}

/// How `dacapo lsp` starts a daemon.
pub(crate) fn command() -> Command {
    // Where the program cannot be told, the one on the PATH is the best guess.
    let program = std::env::current_exe().unwrap_or_else(|_| "dacapo".into());
    let mut command = Command::new(program);
    command.args(["daemon", "run"]);
    if std::env::var_os("DACAPO_LOG").is_none() {
        command.env("DACAPO_LOG", "info");
    }
    command
}

async fn serve(place: Place, build: Build) -> Result<()> {
    if connect::report(&place, &build).await.is_ok() {
        tracing::info!("a daemon runs already");
        return Ok(());
    }
    let user_file = config::user_file(|name| std::env::var_os(name));
    let config = Options { user_file, ..Options::default() }.resolve(None).config;
    let host = Arc::new(Host::new(ModelDirectory::of(&config)).saving_indexes());
    let exit_after = Duration::from_secs(config.daemon.exit_after_seconds.into());
    Ok(server::daemon::run(Service { place, build, host, exit_after }).await?)
}

async fn status(place: &Place, build: &Build, json: bool) -> Result<()> {
    let report = match connect::report(place, build).await {
        Ok(report) => Some(report),
        Err(Error::NotRunning) => None,
        Err(error) => return Err(error.into()),
    };
    if json {
        let mut value = serde_json::to_value(&report)?;
        match &mut value {
            serde_json::Value::Object(fields) => {
                fields.insert("running".into(), true.into());
            }
            other => *other = json!({ "running": false }),
        }
        print_json(&value)?;
        return Ok(());
    }
    match report {
        Some(report) => print(&report)?,
        None => writeln!(std::io::stdout(), "no daemon runs; `dacapo lsp` starts one")?,
    }
    Ok(())
}

async fn stop(place: &Place, build: &Build, json: bool) -> Result<()> {
    let stopped = match connect::stop(place, build).await {
        Ok(()) => true,
        Err(Error::NotRunning) => false,
        Err(error) => return Err(error.into()),
    };
    match (json, stopped) {
        (true, _) => print_json(&json!({ "stopped": stopped }))?,
        (false, true) => writeln!(std::io::stdout(), "the daemon has ended")?,
        (false, false) => writeln!(std::io::stdout(), "no daemon runs")?,
    }
    Ok(())
}

fn print(report: &Report) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "daemon     process {}, up {} s", report.process_id, report.uptime_seconds)?;
    writeln!(stdout, "build      {}", report.build.0)?;
    writeln!(stdout, "socket     {}", report.socket.display())?;
    writeln!(stdout, "log        {}", report.log_file.display())?;
    if let Some(bytes) = report.memory_bytes {
        writeln!(stdout, "memory     {}", size(bytes))?;
    }
    for model in &report.models {
        let message = model.message.as_deref().map(|message| format!(": {message}"));
        writeln!(
            stdout,
            "model      {}, {}{}",
            model.name,
            model.state,
            message.unwrap_or_default()
        )?;
    }
    for index in &report.indexes {
        let state = if index.complete { "" } else { ", being read" };
        writeln!(
            stdout,
            "index      {}: {} files, {} lines{state}",
            index.root.display(),
            index.files,
            index.lines
        )?;
    }
    write!(stdout, "requests   {}", report.requests)?;
    match &report.latency {
        Some(latency) => writeln!(
            stdout,
            "; of the last {}, half took {:.0} ms or less and 95 % {:.0} ms or less",
            latency.whole.requests, latency.whole.p50_ms, latency.whole.p95_ms
        )?,
        None => writeln!(stdout)?,
    }
    if let Some(latency) = &report.latency {
        let parts = [
            ("waited", latency.waited),
            ("queued", latency.queued),
            ("prefill", latency.prefill),
            ("decode", latency.decode),
            ("cancel", latency.cancel_to_idle),
        ];
        for (name, times) in parts {
            let Some(times) = times else { continue };
            writeln!(
                stdout,
                "  {name:8} half {:.1} ms or less, 95 % {:.1} ms or less, at most {:.1} ms",
                times.p50_ms, times.p95_ms, times.longest_ms
            )?;
        }
    }
    writeln!(stdout, "sessions   {}", report.sessions.len())?;
    for session in &report.sessions {
        let folders: Vec<String> =
            session.folders.iter().map(|folder| folder.display().to_string()).collect();
        writeln!(
            stdout,
            "  {}  {}, {} s, {} open documents, {} requests, {} suggestions taken and {} left, {} waiting  {}",
            session.number,
            session.client.as_deref().unwrap_or("unnamed editor"),
            session.connected_seconds,
            session.open_documents,
            session.requests,
            session.taken,
            session.left,
            session.running,
            folders.join(" ")
        )?;
    }
    Ok(())
}
