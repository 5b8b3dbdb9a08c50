//! `dacapo model tokens`: how a text is cut into tokens, and how well the model foresees them.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::arguments::Tokens;
use crate::likelihood;
use crate::model_source::ModelSource;
use crate::terminal::print_json;

#[derive(Serialize)]
struct Report {
    tokens: Vec<u32>,
    /// Negative log-likelihood in nats of every token but the first.
    losses: Option<Vec<f64>>,
    perplexity: Option<f64>,
}

pub(crate) fn run(arguments: &Tokens) -> Result<ExitCode> {
    let source = ModelSource::find(&arguments.model)?;
    let path = &arguments.file;
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {} as UTF-8", path.display()))?;
    let mut tokens = source.tokenizer()?.encode(&text);
    let mut losses = None;
    if arguments.losses {
        tokens.truncate(source.config()?.max_positions);
    }
    tokens.truncate(arguments.limit.unwrap_or(usize::MAX));
    if arguments.losses {
        if tokens.len() < 2 {
            bail!("a text of {} tokens has none to foresee", tokens.len());
        }
        losses = Some(likelihood::read(&source, &tokens)?.0);
    }
    let mean = |losses: &Vec<f64>| losses.iter().sum::<f64>() / losses.len() as f64;
    let report =
        Report { perplexity: losses.as_ref().map(|losses| mean(losses).exp()), tokens, losses };
    if arguments.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = std::io::stdout().lock();
    let ids: Vec<String> = report.tokens.iter().map(u32::to_string).collect();
    writeln!(stdout, "{}", ids.join(" "))?;
    if let Some(perplexity) = report.perplexity {
        writeln!(stdout, "perplexity {perplexity:.4} over {} tokens", ids.len())?;
    }
    Ok(ExitCode::SUCCESS)
}
