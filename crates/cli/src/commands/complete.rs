//! `dacapo complete`: one suggestion for a place in a file.

use std::io::Write;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use assist::{Completion, Suggestion, Trigger};
use engine::CancelFlag;
use serde::Serialize;
use text::{Buffer, Encoding};
use workspace::{Document, DocumentId, Index, Language, OsSystem, Scan, Workspace, holds_secrets};

use crate::arguments::Complete;
use crate::commands::generate::{Timings, finish_name};
use crate::model_source::DEFAULT_MAX_TOKENS;
use crate::settings::{Chosen, options};
use crate::terminal::{dimmed, highlighted, milliseconds, print_json};

/// Lines shown above a suggestion.
const N_CONTEXT_LINES: usize = 4;

#[derive(Serialize)]
struct Report {
    suggestion: Option<String>,
    range: Option<RangeReport>,
    /// Why there is no suggestion.
    reason: Option<ReasonReport>,
    finish: Option<&'static str>,
    /// What ended the text: a trim rule, the model, memory.
    stopped_by: &'static str,
    /// What the model wrote before it was trimmed.
    raw: String,
    prompt_tokens: PromptTokens,
    generated_tokens: usize,
    timings_ms: Option<Timings>,
    total_ms: f64,
    pieces: Vec<PieceReport>,
}

#[derive(Serialize)]
struct ReasonReport {
    code: &'static str,
    message: String,
}

/// 1-based; columns count Unicode scalar values.
#[derive(Serialize)]
struct Place {
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct RangeReport {
    start: Place,
    end: Place,
}

#[derive(Serialize, Default)]
struct PromptTokens {
    new: usize,
    reused: usize,
}

#[derive(Serialize)]
struct PieceReport {
    kind: &'static str,
    source: String,
    /// First and last line, 1-based, of a piece from elsewhere.
    lines: Option<[usize; 2]>,
    tokens: usize,
    /// Of a piece from elsewhere.
    score: Option<f64>,
    text: String,
}

pub(crate) fn run(arguments: &Complete) -> Result<ExitCode> {
    let (folder, _) = folder_of(&arguments.location.file, arguments.root.as_deref())?;
    let Chosen { source, device, .. } = arguments.model.choose(Some(&folder))?;
    let mut config = source.assist_config(arguments.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS))?;
    config.layout = arguments.layout.or(config.layout);
    if let Some(sources) = arguments.sources {
        config = config.with_sources(sources);
    }
    let is_indexed = config.looks_elsewhere();
    let assistant = source.assistant_with(config, device)?;
    let (workspace, id) = open(&arguments.location.file, arguments.root.as_deref(), is_indexed)?;
    let snapshot = workspace.snapshot();
    let document = snapshot.document(&id).context("the document is not open")?;
    let offset = arguments.location.offset(&document.buffer)?;
    let started = Instant::now();
    let completion =
        assistant.complete(&snapshot, &id, offset, Trigger::Invoked, &CancelFlag::default());
    let total_ms = milliseconds(started.elapsed());
    if arguments.json {
        print_json(&report(completion, &document.buffer, total_ms))?;
        return Ok(ExitCode::SUCCESS);
    }
    match &completion.suggestion {
        Ok(suggestion) => writeln!(std::io::stdout(), "{}", in_place(suggestion, document))?,
        Err(reason) => eprintln!("no suggestion: {reason}"),
    }
    if let Some(outcome) = &completion.outcome {
        eprintln!(
            "{} tokens after a prompt of {} in {total_ms:.0} ms (weights {:.0}, prompt {:.0}, tokens {:.0})",
            outcome.n_generated,
            outcome.n_prompt,
            milliseconds(outcome.queued),
            milliseconds(outcome.prefill),
            milliseconds(outcome.decode),
        );
    }
    Ok(if completion.suggestion.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A workspace in which `file` is the one open document; `is_indexed` if its repository is to be known, too.
pub(crate) fn open(
    file: &Path,
    root: Option<&Path>,
    is_indexed: bool,
) -> Result<(Workspace, DocumentId)> {
    let path = file.canonicalize().with_context(|| format!("cannot read {}", file.display()))?;
    let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", file.display()))?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bail!(
            "{} is not UTF-8: byte {} is not part of a character",
            file.display(),
            error.utf8_error().valid_up_to() + 1
        ),
    };
    let (root, is_repository) = folder_of(&path, root)?;
    let excluded = options().exclusion(&root);
    // For files of keys there is a reason of their own.
    if excluded.covers(&path) && !holds_secrets(&path) {
        bail!("the setting context.exclude keeps {} from the model", file.display());
    }
    let mut workspace = Workspace::new(vec![root.clone()]);
    workspace.set_excluded(excluded);
    // The folder of a file that lies in no repository may be anything.
    if is_indexed && is_repository {
        workspace.set_index(index_of(root));
    }
    let id = DocumentId(path.to_string_lossy().into());
    let language = Language::from_path(&path);
    workspace.open(id.clone(), Some(path), language, 0, &text);
    Ok((workspace, id))
}

/// The index that a server saved, brought up to date; nothing is written.
fn index_of(root: PathBuf) -> Index {
    let scan = Scan {
        n_threads: std::thread::available_parallelism().map_or(1, NonZero::get),
        cancel: &AtomicBool::new(false),
        progress: &|_| {},
    };
    Index::load(Arc::new(OsSystem), root).scan(&scan)
}

/// `root` if there is one, the nearest parent of `file` with a `.git`, else its directory; and whether it is a repository.
pub(crate) fn folder_of(file: &Path, root: Option<&Path>) -> Result<(PathBuf, bool)> {
    let canonical = |path: &Path| {
        path.canonicalize().with_context(|| format!("cannot read {}", path.display()))
    };
    if let Some(root) = root {
        return Ok((canonical(root)?, true));
    }
    let file = canonical(file)?;
    let directory = file.parent().unwrap_or(&file);
    let repository = directory.ancestors().find(|parent| parent.join(".git").exists());
    Ok((repository.unwrap_or(directory).to_owned(), repository.is_some()))
}

fn report(completion: Completion, buffer: &Buffer, total_ms: f64) -> Report {
    let (suggestion, range, reason) = match completion.suggestion {
        Ok(suggestion) => (Some(suggestion.text), Some(places(buffer, &suggestion.range)), None),
        Err(reason) => {
            let message = reason.to_string();
            (None, None, Some(ReasonReport { code: reason.code(), message }))
        }
    };
    let outcome = completion.outcome.as_ref();
    Report {
        suggestion,
        range,
        reason,
        finish: outcome.map(|outcome| finish_name(outcome.finish)),
        stopped_by: completion.stopped_by,
        raw: completion.raw,
        prompt_tokens: outcome
            .map(|outcome| PromptTokens {
                new: outcome.n_prompt - outcome.n_reused,
                reused: outcome.n_reused,
            })
            .unwrap_or_default(),
        generated_tokens: outcome.map_or(0, |outcome| outcome.n_generated),
        timings_ms: outcome.map(Timings::new),
        total_ms,
        pieces: completion
            .pieces
            .into_iter()
            .map(|piece| PieceReport {
                kind: piece.kind.name(),
                source: piece.source,
                lines: piece.lines.map(|lines| [lines.start + 1, lines.end]),
                tokens: piece.n_tokens,
                score: piece.score,
                text: piece.text,
            })
            .collect(),
    }
}

fn places(buffer: &Buffer, range: &Range<usize>) -> RangeReport {
    let place = |offset| {
        let position = buffer.position(offset, Encoding::Utf32);
        Place { line: position.line + 1, column: position.column + 1 }
    };
    RangeReport { start: place(range.start), end: place(range.end) }
}

/// The suggestion where it goes, below the lines before it.
fn in_place(suggestion: &Suggestion, document: &Document) -> String {
    let buffer = &document.buffer;
    let line = buffer.line_of(suggestion.range.start);
    let first = buffer.line_range(line.saturating_sub(N_CONTEXT_LINES)).start;
    let before = buffer.slice(first..suggestion.range.start);
    let after = buffer.slice(suggestion.range.end..buffer.line_range(line).end);
    format!("{}{}{}", dimmed(&before), highlighted(&suggestion.text), dimmed(&after))
}
