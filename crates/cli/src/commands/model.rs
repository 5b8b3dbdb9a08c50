//! `dacapo model`: what a checkpoint holds and what it computes.

use std::io::Write;
use std::process::ExitCode;

use anyhow::{Result, bail};
use model::{CacheFormat, CacheOptions, Config, DType, LoadOptions, Plt, TensorSummary};
use serde::Serialize;

use crate::arguments::{Inspect, LogitsArguments, Mode, Model, ModelVerb, Precision};
use crate::commands::{list, pull, quantize, tokens};
use crate::model_source::ModelSource;
use crate::terminal::print_json;

pub(crate) fn run(arguments: &Model) -> Result<ExitCode> {
    match &arguments.verb {
        ModelVerb::Pull(arguments) => pull::run(arguments),
        ModelVerb::List(arguments) => list::run(arguments),
        ModelVerb::Inspect(arguments) => inspect(arguments),
        ModelVerb::Quantize(arguments) => quantize::run(arguments),
        ModelVerb::Verify(arguments) => verify(arguments),
        ModelVerb::Tokens(arguments) => tokens::run(arguments),
        ModelVerb::Logits(arguments) => logits(arguments),
    }
}

#[derive(Serialize)]
struct InspectReport {
    name: Option<String>,
    n_parameters: usize,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    n_layers: usize,
    n_heads: usize,
    n_kv_heads: usize,
    head_dim: usize,
    max_positions: usize,
    tie_word_embeddings: bool,
    n_loops: usize,
    window: usize,
    normalize_per_loop: bool,
    emb_scale: f64,
    hidden_scale: f64,
    rope_theta: f64,
    rms_norm_eps: f64,
    eos_token_ids: Vec<u32>,
    tensors: Vec<TensorReport>,
}

#[derive(Serialize)]
struct TensorReport {
    name: String,
    dtype: String,
    shape: Vec<usize>,
}

impl InspectReport {
    fn new(config: Config, tensors: Vec<TensorSummary>) -> Self {
        Self {
            n_parameters: config.n_parameters(),
            name: config.name,
            vocab_size: config.vocab_size,
            hidden_size: config.hidden_size,
            intermediate_size: config.intermediate_size,
            n_layers: config.n_layers,
            n_heads: config.n_heads,
            n_kv_heads: config.n_kv_heads,
            head_dim: config.head_dim,
            max_positions: config.max_positions,
            tie_word_embeddings: config.tie_word_embeddings,
            n_loops: config.n_loops,
            window: config.window,
            normalize_per_loop: config.normalize_per_loop,
            emb_scale: config.emb_scale,
            hidden_scale: config.hidden_scale,
            rope_theta: config.rope_theta,
            rms_norm_eps: config.rms_norm_eps,
            eos_token_ids: config.eos_token_ids,
            tensors: tensors
                .into_iter()
                .map(|TensorSummary { name, dtype, shape }| TensorReport { name, dtype, shape })
                .collect(),
        }
    }
}

fn inspect(arguments: &Inspect) -> Result<ExitCode> {
    let source = ModelSource::find(&arguments.model)?;
    let report = InspectReport::new(source.config()?, source.weights()?.summaries());
    if arguments.json {
        print_json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", report.name.as_deref().unwrap_or("(unnamed)"))?;
    writeln!(stdout, "  parameters     {}", report.n_parameters)?;
    writeln!(stdout, "  loops          {} over {} layers", report.n_loops, report.n_layers)?;
    writeln!(stdout, "  hidden / MLP   {} / {}", report.hidden_size, report.intermediate_size)?;
    writeln!(
        stdout,
        "  heads          {} query, {} key/value, {} wide",
        report.n_heads, report.n_kv_heads, report.head_dim
    )?;
    writeln!(stdout, "  local window   {} to the left and self", report.window)?;
    writeln!(stdout, "  loop input     {} E + {} h", report.emb_scale, report.hidden_scale)?;
    writeln!(stdout, "  context        {} tokens", report.max_positions)?;
    writeln!(
        stdout,
        "  vocabulary     {}, {} head",
        report.vocab_size,
        if report.tie_word_embeddings { "tied" } else { "separate" }
    )?;
    writeln!(stdout, "  tensors        {}", report.tensors.len())?;
    for tensor in &report.tensors {
        writeln!(stdout, "    {:<5} {:?} {}", tensor.dtype, tensor.shape, tensor.name)?;
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Serialize)]
struct VerifyReport {
    n_tensors: usize,
    defects: Vec<DefectReport>,
    /// Tensors that the configuration does not ask for.
    unexpected: Vec<String>,
}

#[derive(Serialize)]
struct DefectReport {
    tensor: String,
    defect: String,
}

fn verify(arguments: &Inspect) -> Result<ExitCode> {
    let source = ModelSource::find(&arguments.model)?;
    let verification = model::verify(&source.config()?, &source.weights()?);
    let code = if verification.defects.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    let report = VerifyReport {
        n_tensors: verification.n_tensors,
        defects: verification
            .defects
            .into_iter()
            .map(|(tensor, defect)| DefectReport { tensor, defect: defect.to_string() })
            .collect(),
        unexpected: verification.unexpected,
    };
    if arguments.json {
        print_json(&report)?;
        return Ok(code);
    }
    let mut stdout = std::io::stdout().lock();
    for DefectReport { tensor, defect } in &report.defects {
        writeln!(stdout, "{tensor}: {defect}")?;
    }
    for tensor in &report.unexpected {
        writeln!(stdout, "{tensor}: not asked for by the configuration, and not used")?;
    }
    writeln!(stdout, "{} tensors, {} defects", report.n_tensors, report.defects.len())?;
    Ok(code)
}

#[derive(Serialize)]
struct LogitsReport {
    /// One row per token asked for, each of vocabulary size.
    logits: Vec<Vec<f64>>,
}

fn logits(arguments: &LogitsArguments) -> Result<ExitCode> {
    let dtype = match arguments.dtype {
        Precision::F32 => DType::F32,
        Precision::F64 => DType::F64,
    };
    // Parity is of the model, not of how its cache is rounded.
    let cache = CacheOptions { format: Some(CacheFormat::Exact), ..CacheOptions::default() };
    let options = LoadOptions {
        dtype,
        n_loops: arguments.loops,
        cache,
        device: arguments.device.device.unwrap_or_default(),
    };
    let model = ModelSource::find(&arguments.model)?.plt(options)?;
    if arguments.all && arguments.mode == Mode::Tail {
        bail!("--mode tail computes the last token's logits alone; leave out --all");
    }
    let mut rows = rows(&model, &arguments.tokens, arguments.mode)?;
    if !arguments.all {
        rows.drain(..rows.len().saturating_sub(1));
    }
    if arguments.json {
        print_json(&LogitsReport { logits: rows })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut stdout = std::io::stdout().lock();
    for (row, logits) in rows.iter().enumerate() {
        let mut ranked: Vec<(usize, f64)> = logits.iter().copied().enumerate().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let best: Vec<String> =
            ranked.iter().take(5).map(|(id, logit)| format!("{id}: {logit:.4}")).collect();
        writeln!(stdout, "{row}  {}", best.join("  "))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn rows(model: &Plt, tokens: &[u32], mode: Mode) -> Result<Vec<Vec<f64>>> {
    let mut cache = model.new_cache();
    let mut rows = Vec::new();
    match mode {
        Mode::Fused => {
            for &token in tokens {
                rows.extend(model.decode(token, &mut cache)?.to_f64()?);
            }
        }
        Mode::Tail => rows.extend(model.prefill(tokens, &mut cache)?.to_f64()?),
        Mode::Sequential => rows.extend(model.prefill_all(tokens, &mut cache)?.to_f64()?),
        Mode::Chunked(len) => {
            for chunk in tokens.chunks(len) {
                rows.extend(model.prefill_all(chunk, &mut cache)?.to_f64()?);
            }
        }
    }
    Ok(rows)
}
