//! `dacapo eval`: how good completions are on a set of holes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use assist::{Sources, Trigger};
use eval::{Answer, Difference, Estimate, Given, Hole, Report, Summary};
use serde::Serialize;

use crate::arguments::{Ask, Eval, Switch};
use crate::model_source::DEFAULT_MAX_TOKENS;
use crate::progress::Bar;
use crate::settings::Chosen;
use crate::terminal::{milliseconds, print_json};

#[derive(Serialize)]
struct EvalReport {
    model: String,
    trigger: &'static str,
    runs: Vec<Run>,
}

#[derive(Serialize)]
struct Run {
    /// Which text from elsewhere went into the prompts.
    sources: String,
    #[serde(flatten)]
    report: Report,
    /// What it gains over the first run; absent from the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    gain: Option<Difference>,
}

#[derive(Serialize)]
struct AnswerReport<'a> {
    sources: &'a str,
    id: &'a str,
    language: &'static str,
    kind: &'static str,
    reference: &'a str,
    /// `null` when nothing was shown.
    answer: Option<&'a str>,
    /// Why nothing was shown.
    reason: Option<&'static str>,
    stopped_by: &'static str,
    confidence: Option<f32>,
    exact: bool,
    edit_similarity: f64,
    identifier_f1: Option<f64>,
    parses: bool,
    prompt_tokens: Option<usize>,
    generated_tokens: Option<usize>,
    latency_ms: f64,
}

pub(crate) fn run(arguments: &Eval) -> Result<ExitCode> {
    let path = arguments.holes.as_deref().unwrap_or(Path::new(""));
    let holes = eval::read(path, arguments.limit.unwrap_or(usize::MAX))?;
    if let Some(path) = &arguments.given {
        let report = eval::report(&holes, &eval::scored(&holes, &given(path)?));
        let run = Run { sources: "unknown".to_owned(), report, gain: None };
        let model = path.display().to_string();
        return show(&EvalReport { model, trigger: "given", runs: vec![run] }, arguments.json);
    }
    let Chosen { source, device, .. } = arguments.model.choose_here()?;
    let max_tokens = arguments.max_tokens.unwrap_or(DEFAULT_MAX_TOKENS);
    let mut config = source.assist_config(max_tokens)?;
    let asked = match (arguments.sources.as_slice(), arguments.context) {
        ([], None) => Vec::new(),
        ([], Some(Switch::On)) => vec![Sources::ALL],
        ([], Some(Switch::Off)) => vec![Sources::NONE],
        (sources, _) => sources.to_vec(),
    };
    config.min_confidence = arguments.min_confidence.unwrap_or(config.min_confidence);
    if let Some(n_prompt) = arguments.max_prompt {
        config.n_prompt = n_prompt.min(source.config()?.max_positions.saturating_sub(max_tokens));
    }
    let configs: Vec<_> = match asked.as_slice() {
        [] => vec![config],
        asked => asked.iter().map(|sources| config.with_sources(*sources)).collect(),
    };
    let assistants = source.assistants_with(&configs, device)?;
    let (trigger, trigger_name) = match arguments.trigger {
        Ask::Automatic => (Trigger::Automatic, "automatic"),
        Ask::Invoked => (Trigger::Invoked, "invoked"),
    };
    let mut bar = Bar::new(holes.len(), "holes");
    let answers = eval::run(&holes, &assistants, trigger, &mut |n_done| bar.show(n_done));
    drop(bar);
    let names: Vec<String> = configs.iter().map(|config| config.sources.to_string()).collect();
    if let Some(path) = &arguments.answers {
        write_answers(path, &holes, &names, &answers)?;
    }
    let first = answers.first().map_or(&[][..], Vec::as_slice);
    let runs = names.into_iter().zip(&answers).enumerate().map(|(idx, (sources, answers))| Run {
        sources,
        report: eval::report(&holes, answers),
        gain: (idx != 0).then(|| eval::difference(first, answers)),
    });
    let report =
        EvalReport { model: source.to_string(), trigger: trigger_name, runs: runs.collect() };
    show(&report, arguments.json)
}

/// Answers that something else gave; empty lines are passed over.
fn given(path: &Path) -> Result<Vec<Given>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(idx, line)| {
            serde_json::from_str(line)
                .with_context(|| format!("line {} of {} is no answer", idx + 1, path.display()))
        })
        .collect()
}

fn show(report: &EvalReport, as_json: bool) -> Result<ExitCode> {
    if as_json {
        print_json(report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = std::io::stdout().lock();
    for run in &report.runs {
        writeln!(stdout, "Text from elsewhere: {}", run.sources)?;
        writeln!(stdout, "{}", tables(&run.report))?;
        if let Some(gain) = &run.gain {
            writeln!(stdout, "{}", gains(gain))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write_answers(
    path: &Path,
    holes: &[Hole],
    names: &[String],
    runs: &[Vec<Answer>],
) -> Result<()> {
    let cannot_write = || format!("cannot write {}", path.display());
    let mut out = BufWriter::new(File::create(path).with_context(cannot_write)?);
    for (sources, answers) in names.iter().zip(runs) {
        for (hole, answer) in holes.iter().zip(answers) {
            serde_json::to_writer(&mut out, &answer_report(sources, hole, answer))?;
            writeln!(out).with_context(cannot_write)?;
        }
    }
    out.flush().with_context(cannot_write)
}

fn answer_report<'a>(sources: &'a str, hole: &'a Hole, answer: &'a Answer) -> AnswerReport<'a> {
    AnswerReport {
        sources,
        id: &hole.id,
        language: hole.language.name(),
        kind: hole.kind.name(),
        reference: &hole.reference,
        answer: answer.text.as_deref(),
        reason: answer.reason,
        stopped_by: answer.stopped_by,
        confidence: answer.confidence,
        exact: answer.score.exact,
        edit_similarity: answer.score.similarity,
        identifier_f1: answer.score.identifiers,
        parses: answer.score.parses,
        prompt_tokens: answer.outcome.as_ref().map(|outcome| outcome.n_prompt),
        generated_tokens: answer.outcome.as_ref().map(|outcome| outcome.n_generated),
        latency_ms: milliseconds(answer.latency),
    }
}

fn tables(report: &Report) -> String {
    let mut text = format!(
        "{:<24} {:>5} {:>6}  {:<19}  {:<19} {:>6} {:>6} {:>6}  {:>8} {:>8}\n",
        "",
        "holes",
        "shown",
        "exact match %",
        "edit similarity %",
        "names",
        "parse",
        "length",
        "p50 ms",
        "p95 ms"
    );
    let mut rows = |summaries: &BTreeMap<&'static str, Summary>| {
        for (name, summary) in summaries {
            text.push_str(&row(name, summary));
        }
    };
    rows(&report.languages);
    rows(&report.kinds);
    text.push_str(&row("all", &report.all));
    text.push_str("\nIf only confident suggestions were shown:\n");
    for threshold in &report.thresholds {
        text.push_str(&format!(
            "  {:.2} and more: {:5.1} % of them, exact match {}, edit similarity {:.1} %\n",
            threshold.confidence,
            100.0 * threshold.coverage,
            percent(Some(threshold.precision)),
            100.0 * threshold.edit_similarity,
        ));
    }
    let counts = |counts: &BTreeMap<&'static str, usize>| {
        let counts: Vec<_> = counts.iter().map(|(name, n)| format!("{name} {n}")).collect();
        counts.join(", ")
    };
    text.push_str(&format!("\nEnded by: {}\n", counts(&report.stopped_by)));
    if !report.reasons.is_empty() {
        text.push_str(&format!("Nothing shown: {}\n", counts(&report.reasons)));
    }
    text
}

fn gains(gain: &Difference) -> String {
    let plain = |estimate: Option<Estimate>| match estimate {
        Some(Estimate { mean, low, high, .. }) => format!("{mean:+.1} [{low:+.1}, {high:+.1}]"),
        None => "-".to_owned(),
    };
    let scaled = |estimate: Option<Estimate>| {
        plain(estimate.map(|it| Estimate {
            mean: 100.0 * it.mean,
            low: 100.0 * it.low,
            high: 100.0 * it.high,
            n: it.n,
        }))
    };
    format!(
        "Against the first run, hole by hole: exact match {} points, edit similarity {}, names {}, tokens of the prompt {}, milliseconds {}\n",
        scaled(gain.exact_match),
        scaled(gain.edit_similarity),
        scaled(gain.identifier_f1),
        plain(gain.prompt_tokens),
        plain(gain.latency_ms),
    )
}

fn row(name: &str, summary: &Summary) -> String {
    let mean = |estimate: Option<Estimate>| match estimate {
        Some(estimate) => format!("{:.1}", 100.0 * estimate.mean),
        None => "-".to_owned(),
    };
    let number = |value: Option<f64>, n_digits: usize| match value {
        Some(value) => format!("{value:.n_digits$}"),
        None => "-".to_owned(),
    };
    format!(
        "{name:<24} {:>5} {:>6}  {:<19}  {:<19} {:>6} {:>6} {:>6}  {:>8} {:>8}\n",
        summary.holes,
        mean(summary.shown),
        percent(summary.exact_match),
        percent(summary.edit_similarity),
        mean(summary.identifier_f1),
        mean(summary.parse_rate),
        number(summary.over_generation, 2),
        number(summary.latency_ms.p50, 1),
        number(summary.latency_ms.p95, 1),
    )
}

fn percent(estimate: Option<Estimate>) -> String {
    match estimate {
        Some(Estimate { mean, low, high, .. }) => {
            format!("{:5.1} [{:.1}, {:.1}]", 100.0 * mean, 100.0 * low, 100.0 * high)
        }
        None => "    -".to_owned(),
    }
}
