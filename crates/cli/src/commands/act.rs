//! `dacapo act`: a code action on a file, shown as a diff.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use assist::{
    Action, ActionAnswer, ActionRequest, Change, Concern, Diagnostic, Effect, Target, Watch,
};
use engine::CancelFlag;
use serde::Serialize;
use similar::TextDiff;
use text::Encoding;
use workspace::{Document, DocumentId, Workspace};

use crate::arguments::Act;
use crate::commands::complete::{folder_of, open};
use crate::commands::generate::{Timings, finish_name};
use crate::location::Span;
use crate::model_source::DEFAULT_MAX_TOKENS;
use crate::settings::Chosen;
use crate::terminal::{milliseconds, print_json};

#[derive(Serialize)]
struct Report {
    action: &'static str,
    /// Unified diff; `null` where nothing is to be changed.
    diff: Option<String>,
    /// Words instead of a change.
    text: Option<String>,
    /// The file that the diff is of.
    file: Option<String>,
    /// Why there is no change.
    reason: Option<ReasonReport>,
    /// Why the change should be looked at before it is made.
    concern: Option<&'static str>,
    written: bool,
    /// What the model wrote, before anything was taken from it.
    raw: String,
    finish: Option<&'static str>,
    prompt_tokens: usize,
    generated_tokens: usize,
    timings_ms: Option<Timings>,
    total_ms: f64,
}

#[derive(Serialize)]
struct ReasonReport {
    code: &'static str,
    message: String,
}

/// A change to a file on disk.
struct Patch {
    path: std::path::PathBuf,
    /// `None` for a file that is yet to be created.
    before: Option<String>,
    after: String,
    diff: String,
}

pub(crate) fn run(arguments: &Act) -> Result<ExitCode> {
    let Span { start, end } = &arguments.span;
    let (folder, _) = folder_of(&start.file, arguments.root.as_deref())?;
    let Chosen { source, device, .. } = arguments.model.choose(Some(&folder))?;
    let assistant = source.assistant(DEFAULT_MAX_TOKENS, device)?;
    let (mut workspace, id) = open(&start.file, arguments.root.as_deref(), true)?;
    if let Some(before) = &arguments.before {
        change_since(&mut workspace, &id, &read_before(before)?)?;
    } else if arguments.action == Action::NextEdit {
        bail!("say with --before FILE what the file was before the change that is to be repeated");
    }
    let snapshot = workspace.snapshot();
    let document = snapshot.document(&id).context("the document is not open")?;
    let from = start.offset(&document.buffer)?;
    let to = match end {
        Some(end) => end.offset(&document.buffer)?,
        None => from,
    };
    if to < from {
        bail!("the range ends before it begins: write FILE:LINE:COL-LINE:COL");
    }
    let request = ActionRequest {
        action: arguments.action,
        document: id,
        selection: from..to,
        instruction: arguments.instruction.clone(),
        // On the terminal it is the user who says what the compiler found.
        diagnostic: arguments.instruction.clone().map(|message| Diagnostic {
            range: from..to,
            message,
            related: Vec::new(),
        }),
    };
    let started = Instant::now();
    let cancel = CancelFlag::default();
    let answer = assistant.act(&snapshot, &request, Watch { cancel: &cancel, report: &|_| {} });
    let total_ms = milliseconds(started.elapsed());
    let patch = match &answer.effect {
        Ok(Effect::Edit(change)) => Some(patch(change, document, arguments.root.as_deref())?),
        Ok(Effect::Show(_)) | Err(_) => None,
    };
    let concern = concern(&answer);
    let refused = arguments.write && concern.is_some();
    let write = arguments.write && concern.is_none();
    if let (true, Some(patch)) = (write, &patch) {
        patch.write()?;
    }
    let done = answer.effect.is_ok() && !refused;
    if arguments.json {
        print_json(&report(arguments, answer, patch, write, total_ms))?;
    } else {
        print(arguments, &answer, patch.as_ref(), write)?;
    }
    if refused {
        eprintln!(
            "nothing was written: with this change the file would no longer parse; apply the diff by hand if it is what you want"
        );
    }
    Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn read_before(file: &Path) -> Result<String> {
    let text = match file == Path::new("-") {
        true => std::io::read_to_string(std::io::stdin()),
        false => fs::read_to_string(file),
    };
    text.with_context(|| format!("cannot read {}", file.display()))
}

/// Lets the workspace see how the document came to be what it is, as an editor lets it see every change.
fn change_since(workspace: &mut Workspace, id: &DocumentId, before: &str) -> Result<()> {
    let document = workspace.document(id).context("the document is not open")?.clone();
    let now = document.buffer.to_string();
    workspace.open(id.clone(), document.path.clone(), document.language, 0, before);
    workspace.change(id, 1, Encoding::Utf8, [workspace::Change::Full(now)])?;
    Ok(())
}

fn concern(answer: &ActionAnswer) -> Option<&'static str> {
    match &answer.effect {
        Ok(Effect::Edit(Change { concern: Some(Concern::NoLongerParses), .. })) => {
            Some("no-longer-parses")
        }
        _ => None,
    }
}

fn print(
    arguments: &Act,
    answer: &ActionAnswer,
    patch: Option<&Patch>,
    written: bool,
) -> Result<()> {
    match (&answer.effect, patch) {
        (Ok(Effect::Show(text)), _) => writeln!(std::io::stdout(), "{}", text.trim_end())?,
        (Err(refusal), _) => eprintln!("no change: {refusal}"),
        (Ok(Effect::Edit(_)), Some(patch)) => {
            write!(std::io::stdout(), "{}", patch.diff)?;
            if written {
                eprintln!("{} is written", patch.path.display());
            }
        }
        (Ok(Effect::Edit(_)), None) => {}
    }
    if !arguments.write && concern(answer).is_some() {
        eprintln!("with this change the file would no longer parse");
    }
    Ok(())
}

fn patch(change: &Change, document: &Document, root: Option<&Path>) -> Result<Patch> {
    let path = match &change.target {
        Target::Open { .. } => document.path.clone().context("the document is on no disk")?,
        Target::File { path, .. } => path.clone(),
    };
    let is_new = matches!(change.target, Target::File { exists: false, .. });
    let (before, after) = (change.before.to_string(), change.after().to_string());
    let current = std::env::current_dir().ok();
    let name = [root, current.as_deref()]
        .into_iter()
        .flatten()
        .find_map(|folder| path.strip_prefix(folder.canonicalize().ok()?).ok().map(Path::to_owned))
        .unwrap_or_else(|| path.clone());
    // Names as `patch -p1` and `git apply` expect them.
    let name = name.display().to_string();
    let name = name.trim_start_matches('/');
    let old_name = if is_new { "/dev/null".to_owned() } else { format!("a/{name}") };
    let diff = TextDiff::from_lines(&before, &after);
    let diff = diff.unified_diff().header(&old_name, &format!("b/{name}")).to_string();
    Ok(Patch { path, before: (!is_new).then_some(before), after, diff })
}

impl Patch {
    /// All or nothing: written beside the file, then renamed over it, unless the file was changed meanwhile.
    fn write(&self) -> Result<()> {
        let path = &self.path;
        let named = || path.display();
        let now = match fs::read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
            Err(error) => return Err(error).with_context(|| format!("cannot read {}", named())),
        };
        if now.as_deref() != self.before.as_deref().map(str::as_bytes) {
            bail!(
                "{} was changed while the model wrote; nothing was written, run the command again",
                named()
            );
        }
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let cannot = || format!("cannot write {}", named());
        let mut file = tempfile::NamedTempFile::new_in(folder).with_context(cannot)?;
        file.write_all(self.after.as_bytes()).with_context(cannot)?;
        file.as_file().sync_all().with_context(cannot)?;
        if self.before.is_some() {
            let permissions = fs::metadata(path).with_context(cannot)?.permissions();
            fs::set_permissions(file.path(), permissions).with_context(cannot)?;
            file.persist(path).with_context(cannot)?;
        } else {
            file.persist_noclobber(path).with_context(cannot)?;
        }
        Ok(())
    }
}

fn report(
    arguments: &Act,
    answer: ActionAnswer,
    patch: Option<Patch>,
    written: bool,
    total_ms: f64,
) -> Report {
    let concern = concern(&answer);
    let (text, reason) = match answer.effect {
        Ok(Effect::Show(text)) => (Some(text), None),
        Ok(Effect::Edit(_)) => (None, None),
        Err(refusal) => {
            (None, Some(ReasonReport { code: refusal.code(), message: refusal.to_string() }))
        }
    };
    Report {
        action: arguments.action.id(),
        written: written && patch.is_some(),
        file: patch.as_ref().map(|patch| patch.path.display().to_string()),
        diff: patch.map(|patch| patch.diff),
        text,
        reason,
        concern,
        raw: answer.raw,
        finish: answer.outcome.map(|outcome| finish_name(outcome.finish)),
        prompt_tokens: answer.outcome.map_or(0, |outcome| outcome.n_prompt),
        generated_tokens: answer.outcome.map_or(0, |outcome| outcome.n_generated),
        timings_ms: answer.outcome.as_ref().map(Timings::new),
        total_ms,
    }
}
