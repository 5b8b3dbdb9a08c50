//! `dacapo generate`: continues a text without an editor.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use engine::{Finish, Outcome, Request, Sampling};
use model::LoadOptions;
use serde::Serialize;
use tokenizer::{Message, Tokenizer};

use crate::arguments::Generate;
use crate::model_source::ModelSource;
use crate::settings::Chosen;
use crate::terminal::{milliseconds, print_json};

#[derive(Serialize)]
struct Report {
    text: String,
    tokens: Vec<u32>,
    finish: &'static str,
    prompt_tokens: usize,
    timings_ms: Timings,
}

/// Of one generation, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Timings {
    /// Until the engine took the request up; the first request waits for the weights here.
    pub(crate) queued: f64,
    pub(crate) prefill: f64,
    pub(crate) decode: f64,
}

impl Timings {
    pub(crate) fn new(outcome: &Outcome) -> Self {
        Self {
            queued: milliseconds(outcome.queued),
            prefill: milliseconds(outcome.prefill),
            decode: milliseconds(outcome.decode),
        }
    }
}

pub(crate) fn finish_name(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Cancelled => "cancelled",
    }
}

pub(crate) fn run(arguments: &Generate) -> Result<ExitCode> {
    let Chosen { source, device, .. } = arguments.model.choose_here()?;
    let tokenizer = source.tokenizer()?;
    let config = source.config()?;
    let generation_config = source.generation_config()?;
    let recommended = generation_config.sampling();
    let prompt = prompt(arguments, &source, &tokenizer)?;
    let request = Request {
        tokens: prompt.clone(),
        max_tokens: arguments.max_tokens,
        sampling: Sampling {
            temperature: arguments.temperature.unwrap_or(recommended.temperature),
            top_p: arguments.top_p.unwrap_or(recommended.top_p),
            top_k: arguments.top_k.unwrap_or(recommended.top_k),
            seed: arguments.seed,
        },
        stop_tokens: generation_config.stop_tokens(&config.eos_token_ids),
        n_usable_tokens: tokenizer.vocab_size(),
        ..Request::default()
    };
    let engine = source.engine(LoadOptions {
        n_loops: arguments.loops,
        device,
        ..LoadOptions::default()
    })?;
    let mut generation = engine.generate(request)?;
    let mut stdout = std::io::stdout();
    let mut stream = tokenizer.decode_stream_after(&prompt);
    let (mut text, mut tokens) = (String::new(), Vec::new());
    while let Some(token) = generation.next_token() {
        tokens.push(token);
        let piece = stream.push(token);
        if !arguments.json {
            write!(stdout, "{piece}")?;
            stdout.flush()?;
        }
        text.push_str(&piece);
    }
    let rest = stream.finish();
    let outcome = generation.finish()?;
    if arguments.json {
        text.push_str(&rest);
        print_json(&Report {
            text,
            tokens,
            finish: finish_name(outcome.finish),
            prompt_tokens: outcome.n_prompt,
            timings_ms: Timings::new(&outcome),
        })?;
    } else {
        writeln!(stdout, "{rest}")?;
        let seconds = outcome.decode.as_secs_f64();
        eprintln!(
            "{} tokens after a prompt of {}, {:.0} tokens/s, finish: {}",
            outcome.n_generated,
            outcome.n_prompt,
            outcome.n_generated as f64 / seconds.max(1e-9),
            finish_name(outcome.finish),
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn prompt(arguments: &Generate, source: &ModelSource, tokenizer: &Tokenizer) -> Result<Vec<u32>> {
    if let Some(text) = &arguments.prompt {
        let start = tokenizer.bos_to_add();
        let ids = tokenizer.encode_with_specials(text);
        let has_own_start = start.is_some() && ids.first() == start.as_ref();
        return Ok(start.into_iter().filter(|_| !has_own_start).chain(ids).collect());
    }
    if let Some(message) = &arguments.chat {
        let template = source
            .chat_template()?
            .with_context(|| format!("{source} has no chat template: it was not made to follow instructions; use --prompt"))?;
        let turn = Message { role: "user".to_owned(), content: message.clone() };
        return Ok(template.encode(&[turn], tokenizer)?);
    }
    Ok(arguments.tokens.clone())
}
