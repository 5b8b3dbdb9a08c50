//! `dacapo model pull`: a model from the hub to the directory of models.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use hub::{Event, Pulled, Repository, Settings};
use serde::Serialize;

use crate::arguments::Pull;
use crate::terminal::{print_json, size};

/// Often enough to look alive.
const REDRAW: Duration = Duration::from_millis(100);

#[derive(Serialize)]
struct PullReport<'a> {
    repository: String,
    revision: &'a str,
    commit: &'a str,
    path: String,
    n_files: usize,
    /// Files that were not in place before.
    n_fetched: usize,
    bytes: u64,
}

pub(crate) fn run(arguments: &Pull) -> Result<ExitCode> {
    let repository: Repository = arguments.repository.parse()?;
    let settings = Settings::from_variables(|name| std::env::var_os(name))?;
    let mut progress = Progress::new();
    let pulled =
        hub::pull(&settings, &repository, &arguments.revision, &mut |event| progress.show(event));
    progress.clear();
    let pulled = pulled?;
    progress.say(&summary(&pulled));
    let path = pulled.directory.display().to_string();
    if arguments.json {
        print_json(&PullReport {
            repository: repository.to_string(),
            revision: &arguments.revision,
            commit: &pulled.commit,
            path,
            n_files: pulled.n_files,
            n_fetched: pulled.n_fetched,
            bytes: pulled.n_bytes,
        })?;
    } else {
        writeln!(std::io::stdout(), "{path}")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn summary(pulled: &Pulled) -> String {
    let Pulled { n_files, n_fetched, n_bytes, .. } = pulled;
    match n_fetched {
        0 => format!("everything is in place: {n_files} files, {}", size(*n_bytes)),
        _ => format!("fetched {n_fetched} of {n_files} files, {} in all", size(*n_bytes)),
    }
}

/// One line on stderr that changes, and words above it; on no terminal only the words.
struct Progress {
    is_terminal: bool,
    drawn: Option<Instant>,
}

impl Progress {
    fn new() -> Self {
        Self { is_terminal: std::io::stderr().is_terminal(), drawn: None }
    }

    fn show(&mut self, event: Event) {
        match event {
            Event::Waiting => self.say("another process pulls this model; waiting for it"),
            Event::Checking { file } => self.say(&format!("checking {file}, which is there")),
            Event::Retrying { reason } => self.say(&format!("trying again: {reason}")),
            Event::Progress { file, n_bytes, n_total } => self.draw(file, n_bytes, n_total),
        }
    }

    fn draw(&mut self, file: &str, n_bytes: u64, n_total: u64) {
        let is_due = self.drawn.is_none_or(|drawn| REDRAW <= drawn.elapsed());
        if self.is_terminal && (is_due || n_bytes == n_total) {
            let percent = u128::from(n_bytes) * 100 / u128::from(n_total.max(1));
            let line = format!("{percent:3} %  {} of {}  {file}", size(n_bytes), size(n_total));
            self.write(&format!("\r\u{1b}[K{line}"));
            self.drawn = Some(Instant::now());
        }
    }

    fn say(&mut self, words: &str) {
        self.clear();
        self.write(&format!("{words}\n"));
    }

    fn clear(&mut self) {
        if self.drawn.take().is_some() {
            self.write("\r\u{1b}[K");
        }
    }

    /// A closed stderr is no reason to stop.
    fn write(&self, text: &str) {
        let mut stderr = std::io::stderr().lock();
        let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
    }
}
