//! `dacapo doctor`: what runs where, and one timed completion.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use assist::Trigger;
use engine::CancelFlag;
use serde::Serialize;
use serde_json::{Value, json};
use server::{IndexReport, Options, config};
use workspace::{DocumentId, Index, Language, OsSystem, Workspace};

use crate::arguments::Doctor;
use crate::model_source::{DEFAULT_MAX_TOKENS, ModelSource, device_choice};
use crate::terminal::{milliseconds, print_json};

/// Completed to see that everything from text to tokens and back works.
const SAMPLE: &str = "fn largest(values: &[i32]) -> Option<i32> {\n    let mut best = None;\n    for value in values {\n        ";

#[derive(Serialize)]
struct Report {
    version: &'static str,
    device: Device,
    model: ModelReport,
    settings: Vec<Setting>,
    daemon: DaemonReport,
    index: SavedIndex,
    completion: Option<CompletionReport>,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct Device {
    kind: &'static str,
    n_threads: usize,
    instruction_sets: Vec<&'static str>,
    kernels: &'static str,
    /// A line each.
    gpus: Vec<String>,
    /// Why there is none.
    no_gpu: Option<String>,
}

#[derive(Serialize, Default)]
struct ModelReport {
    source: String,
    name: Option<String>,
    n_parameters: Option<usize>,
    n_loops: Option<usize>,
    n_context: Option<usize>,
    infilling: Option<bool>,
    chat: Option<bool>,
    /// The GPU, or the CPU and why; one line.
    computes_on: Option<String>,
}

/// A setting and where its value came from.
#[derive(Serialize)]
struct Setting {
    name: &'static str,
    value: Value,
    origin: String,
}

/// Where the daemon is to be found, and whether it is there.
#[derive(Serialize, Default)]
struct DaemonReport {
    running: bool,
    socket: Option<PathBuf>,
    log_file: Option<PathBuf>,
    n_sessions: Option<usize>,
    same_build: Option<bool>,
    indexes: Vec<IndexReport>,
}

/// What was known of the folder when an index of it was saved last; nothing where none was.
#[derive(Serialize, Default)]
struct SavedIndex {
    folder: Option<PathBuf>,
    n_files: usize,
    n_lines: usize,
}

#[derive(Serialize)]
struct CompletionReport {
    suggestion: Option<String>,
    reason: Option<String>,
    load_ms: f64,
    cold_ms: f64,
    warm_ms: f64,
}

pub(crate) fn run(arguments: &Doctor) -> Result<ExitCode> {
    let report = examine(arguments.model.as_deref());
    let code = if report.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(code)
}

fn examine(model: Option<&str>) -> Report {
    let options = Options {
        user_file: config::user_file(|name| std::env::var_os(name)),
        command_line: model.map_or(json!({}), |name| json!({ "model": { "name": name } })),
    };
    let folder = std::env::current_dir().ok();
    let resolved = options.resolve(folder.as_deref());
    let (daemon, problem) = examine_daemon();
    let mut problems: Vec<String> = resolved.problems.iter().map(ToString::to_string).collect();
    problems.extend(problem);
    let settings = resolved.settings().into_iter().map(|(name, value, sources)| {
        let sources: Vec<String> = sources.iter().map(ToString::to_string).collect();
        Setting { name, value, origin: sources.join(", ") }
    });
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION"),
        device: device(),
        model: ModelReport::default(),
        settings: settings.chain([log_level()]).collect(),
        daemon,
        index: folder.map(saved_index).unwrap_or_default(),
        completion: None,
        problems,
    };
    if let Err(error) = examine_model(&resolved.config.model, &mut report) {
        report.problems.push(format!("{error:#}"));
    }
    report
}

fn saved_index(folder: PathBuf) -> SavedIndex {
    let size = Index::load(Arc::new(OsSystem), folder.clone()).size();
    SavedIndex { folder: Some(folder), n_files: size.n_files, n_lines: size.n_lines }
}

fn log_level() -> Setting {
    let (value, origin) = match std::env::var("DACAPO_LOG") {
        Ok(level) => (level, "DACAPO_LOG"),
        Err(_) => ("warn".to_owned(), "default"),
    };
    Setting { name: "DACAPO_LOG", value: value.into(), origin: origin.to_owned() }
}

/// What is found, and what is wrong.
#[cfg(unix)]
fn examine_daemon() -> (DaemonReport, Option<String>) {
    use server::daemon::{Error, connect, greeting::Build, place::Place};

    let mut report = DaemonReport::default();
    let asked = tokio::runtime::Builder::new_current_thread().enable_all().build().map(|runtime| {
        runtime.block_on(async {
            let place = Place::find(|name| std::env::var_os(name))?;
            report.socket = Some(place.socket());
            report.log_file = Some(place.log_file());
            let build = Build::of_this_program();
            let found = connect::report(&place, &build).await?;
            Ok::<_, Error>((found.sessions.len(), found.build == build, found.indexes))
        })
    });
    match asked {
        Ok(Ok((n_sessions, same_build, indexes))) => {
            report.indexes = indexes;
            report.running = true;
            report.n_sessions = Some(n_sessions);
            report.same_build = Some(same_build);
            (report, None)
        }
        Ok(Err(Error::NotRunning)) => (report, None),
        Ok(Err(error)) => (report, Some(format!("the daemon: {error}"))),
        Err(error) => (report, Some(format!("the daemon: {error}"))),
    }
}

#[cfg(not(unix))]
fn examine_daemon() -> (DaemonReport, Option<String>) {
    (DaemonReport::default(), None)
}

fn examine_model(setting: &config::ModelConfig, report: &mut Report) -> Result<()> {
    let source = ModelSource::find(&setting.name)?;
    report.model.source = source.to_string();
    let config = source.config()?;
    report.model.name = config.name.clone();
    report.model.n_parameters = Some(config.n_parameters());
    report.model.n_loops = Some(config.n_loops);
    report.model.n_context = Some(config.max_positions);
    report.model.infilling = Some(source.tokenizer()?.fim().is_some());
    report.model.chat = Some(source.chat_template()?.is_some());

    let assistant = source.assistant(DEFAULT_MAX_TOKENS, device_choice(setting.device))?;
    let mut workspace = Workspace::new(Vec::new());
    let id = DocumentId("sample".into());
    workspace.open(id.clone(), Some("sample.rs".into()), Some(Language::Rust), 0, SAMPLE);
    let snapshot = workspace.snapshot();
    let started = Instant::now();
    let first =
        assistant.complete(&snapshot, &id, SAMPLE.len(), Trigger::Invoked, &CancelFlag::default());
    let cold = started.elapsed();
    report.model.computes_on = assistant.engine().model_info().map(|info| info.device);
    let load = first.outcome.map(|outcome| outcome.queued).unwrap_or_default();

    // One more character makes it a new prompt whose beginning is known.
    let typed = format!("{SAMPLE}i");
    let mut workspace = Workspace::new(Vec::new());
    workspace.open(id.clone(), Some("sample.rs".into()), Some(Language::Rust), 1, &typed);
    let snapshot = workspace.snapshot();
    let started = Instant::now();
    assistant.complete(&snapshot, &id, typed.len(), Trigger::Invoked, &CancelFlag::default());
    let warm = started.elapsed();

    let (suggestion, reason) = match first.suggestion {
        Ok(suggestion) => (Some(suggestion.text), None),
        Err(reason) => (None, Some(reason.to_string())),
    };
    if first.outcome.is_none()
        && let Some(reason) = &reason
    {
        report.problems.push(format!("the sample could not be completed: {reason}"));
    }
    report.completion = Some(CompletionReport {
        suggestion,
        reason,
        load_ms: milliseconds(load),
        cold_ms: milliseconds(cold.saturating_sub(load)),
        warm_ms: milliseconds(warm),
    });
    Ok(())
}

fn device() -> Device {
    let (gpus, no_gpu) = match model::gpus() {
        Ok(gpus) => (gpus, None),
        Err(reason) => (Vec::new(), Some(reason)),
    };
    Device {
        kind: "cpu",
        n_threads: std::thread::available_parallelism().map_or(1, usize::from),
        instruction_sets: instruction_sets(),
        kernels: model::processor_kernels(),
        gpus,
        no_gpu,
    }
}

#[cfg(target_arch = "x86_64")]
fn instruction_sets() -> Vec<&'static str> {
    [
        ("avx2", std::is_x86_feature_detected!("avx2")),
        ("fma", std::is_x86_feature_detected!("fma")),
        ("avx512f", std::is_x86_feature_detected!("avx512f")),
        ("avx512vnni", std::is_x86_feature_detected!("avx512vnni")),
    ]
    .into_iter()
    .filter_map(|(name, found)| found.then_some(name))
    .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn instruction_sets() -> Vec<&'static str> {
    Vec::new()
}

fn print(report: &Report) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let unknown = || "unknown".to_owned();
    let number = |value: Option<usize>| value.map_or_else(unknown, |value| value.to_string());
    let yes_no = |value: Option<bool>| match value {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    writeln!(stdout, "dacapo {}", report.version)?;
    writeln!(
        stdout,
        "device       {}, {} threads, {}",
        report.device.kind,
        report.device.n_threads,
        report.device.instruction_sets.join(" ")
    )?;
    writeln!(stdout, "kernels      {}", report.device.kernels)?;
    for gpu in &report.device.gpus {
        writeln!(stdout, "gpu          {gpu}")?;
    }
    if let Some(reason) = &report.device.no_gpu {
        writeln!(stdout, "gpu          none: {reason}")?;
    }
    writeln!(
        stdout,
        "model        {} ({})",
        report.model.name.as_deref().unwrap_or("unnamed"),
        report.model.source
    )?;
    writeln!(
        stdout,
        "             {} parameters, {} loops, context of {} tokens",
        number(report.model.n_parameters),
        number(report.model.n_loops),
        number(report.model.n_context)
    )?;
    writeln!(
        stdout,
        "             infilling: {}, chat: {}",
        yes_no(report.model.infilling),
        yes_no(report.model.chat)
    )?;
    if let Some(computes_on) = &report.model.computes_on {
        writeln!(stdout, "             computes on {computes_on}")?;
    }
    for setting in &report.settings {
        writeln!(stdout, "setting      {} = {} ({})", setting.name, setting.value, setting.origin)?;
    }
    if let Some(socket) = &report.daemon.socket {
        let state = match (report.daemon.running, report.daemon.n_sessions) {
            (true, Some(n_sessions)) => format!("runs with {n_sessions} sessions"),
            _ => "does not run".to_owned(),
        };
        writeln!(stdout, "daemon       {state}, socket {}", socket.display())?;
    }
    for index in &report.daemon.indexes {
        let state = if index.complete { "" } else { ", being read" };
        let (root, files, lines) = (index.root.display(), index.files, index.lines);
        writeln!(stdout, "index        {root}: {files} files, {lines} lines{state}")?;
    }
    let SavedIndex { folder, n_files, n_lines } = &report.index;
    let is_served = |folder: &PathBuf| report.daemon.indexes.iter().any(|it| it.root == *folder);
    if let Some(folder) = folder.as_ref().filter(|folder| !is_served(folder)) {
        let folder = folder.display();
        match n_files {
            0 => writeln!(
                stdout,
                "index        {folder}: none yet; an editor that opens it makes one"
            )?,
            _ => writeln!(
                stdout,
                "index        {folder}: {n_files} files, {n_lines} lines when it was saved"
            )?,
        }
    }
    if let Some(completion) = &report.completion {
        writeln!(
            stdout,
            "completion   weights {:.0} ms, first {:.0} ms, after one more character {:.0} ms",
            completion.load_ms, completion.cold_ms, completion.warm_ms
        )?;
        match (&completion.suggestion, &completion.reason) {
            (Some(text), _) => writeln!(stdout, "             {text:?}")?,
            (None, Some(reason)) => writeln!(stdout, "             no suggestion: {reason}")?,
            (None, None) => {}
        }
    }
    if report.problems.is_empty() {
        writeln!(stdout, "problems     none")?;
    }
    for problem in &report.problems {
        writeln!(stdout, "problem      {problem}")?;
    }
    Ok(())
}
