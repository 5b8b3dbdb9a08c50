//! `dacapo bench`: how fast the model is here, and how far that is from what the memory allows.

mod stream;

use std::io::Write;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use engine::{Handle, Request};
use model::{Draws, LoadOptions, Plt};
use serde::Serialize;

use self::stream::Stream;
use crate::arguments::Bench;
use crate::settings::Chosen;
use crate::terminal::{milliseconds, print_json, size};

/// Tokens that go through the model together while a prompt comes in, as many as the engine gives it at most.
const CHUNK: usize = 512;

#[derive(Serialize)]
struct Report {
    model: String,
    device: &'static str,
    /// The card, or why there is none.
    device_description: String,
    n_parameters: usize,
    n_loops: usize,
    n_threads: usize,
    prompt_tokens: usize,
    /// Tokens that were decoded in each round.
    tokens: usize,
    rounds: usize,
    load_ms: f64,
    prefill_ms: f64,
    prefill_tokens_per_second: f64,
    decode_ms: f64,
    decode_tokens_per_second: f64,
    /// Weights as stored, each read once for all loops, and keys and values after the prompt.
    bytes_per_token: usize,
    weight_bytes_per_token: usize,
    cache_bytes_per_token: usize,
    achieved_gb_per_second: f64,
    /// What as many threads can read, measured between the rounds; of a GPU, what a copy reads and writes.
    stream_gb_per_second: f64,
    fraction_of_limit: f64,
    first_token_fresh_ms: f64,
    /// With the last of the prompt's tokens changed.
    first_token_after_edit_ms: f64,
    resident_bytes: Option<u64>,
}

/// What was seen in each round.
#[derive(Default)]
struct Samples {
    prefill: Vec<f64>,
    decode: Vec<f64>,
    stream: Vec<f64>,
    fresh: Vec<f64>,
    after_edit: Vec<f64>,
}

pub(crate) fn run(arguments: &Bench) -> Result<ExitCode> {
    let n_threads = match arguments.threads {
        Some(n_threads) => n_threads,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    model::set_n_threads(n_threads);
    let report = measure(arguments, n_threads)?;
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(arguments: &Bench, n_threads: usize) -> Result<Report> {
    let Chosen { name, source, device } = arguments.model.choose_here()?;
    let options = LoadOptions { n_loops: arguments.loops, device, ..LoadOptions::default() };
    let started = Instant::now();
    let model = source.plt(options)?;
    let load_ms = milliseconds(started.elapsed());
    let config = model.config().clone();
    let (n_prompt, n_tokens) = (arguments.prompt, arguments.tokens);
    let n_needed = n_prompt + n_tokens;
    ensure!(
        n_needed <= config.max_positions,
        "--prompt and --tokens ask for {n_needed} positions and the model has {}; ask for fewer",
        config.max_positions
    );
    let text = Text { vocab_size: config.vocab_size };
    let stream = Stream::new(n_threads);
    let mut samples = Samples::default();
    for round in 0..arguments.rounds {
        samples.stream.push(stream.measure());
        through_the_model(&model, &text.tokens(round, n_prompt), n_tokens, &mut samples)?;
    }
    let resident_bytes = resident_bytes();
    let weight_bytes = source.weights()?.bytes_per_token(&config);
    let cache_bytes = model.attended_bytes(n_prompt + n_tokens / 2);
    let placement = model.placement().clone();
    let copied = model.gpu_bytes_per_second()?;

    // The engine opens the model itself, and no second one shall stand beside it.
    drop(model);
    let engine = source.engine(options)?;
    first_token(&engine, &[0])?;
    for round in 0..arguments.rounds {
        let mut prompt = text.tokens(arguments.rounds + round, n_prompt);
        samples.fresh.push(first_token(&engine, &prompt)?);
        if let Some(last) = prompt.last_mut() {
            *last = (*last + 1) % config.vocab_size as u32;
        }
        samples.after_edit.push(first_token(&engine, &prompt)?);
    }

    let prefill = median(&mut samples.prefill);
    let decode = median(&mut samples.decode);
    let stream_gb_per_second = copied.map_or(median(&mut samples.stream), |copied| copied / 1e9);
    let bytes_per_token = weight_bytes + cache_bytes;
    let achieved = bytes_per_token as f64 / decode / 1e9;
    Ok(Report {
        model: name,
        device: placement.kind(),
        device_description: placement.to_string(),
        n_parameters: config.n_parameters(),
        n_loops: config.n_loops,
        n_threads,
        prompt_tokens: n_prompt,
        tokens: n_tokens,
        rounds: arguments.rounds,
        load_ms,
        prefill_ms: in_milliseconds(prefill),
        prefill_tokens_per_second: n_prompt as f64 / prefill,
        decode_ms: in_milliseconds(decode),
        decode_tokens_per_second: 1.0 / decode,
        bytes_per_token,
        weight_bytes_per_token: weight_bytes,
        cache_bytes_per_token: cache_bytes,
        achieved_gb_per_second: achieved,
        stream_gb_per_second,
        fraction_of_limit: achieved / stream_gb_per_second,
        first_token_fresh_ms: in_milliseconds(median(&mut samples.fresh)),
        first_token_after_edit_ms: in_milliseconds(median(&mut samples.after_edit)),
        resident_bytes,
    })
}

/// A fresh prompt and tokens after it, in seconds; a prompt as a whole, each token by itself or as one of many.
fn through_the_model(
    model: &Plt,
    prompt: &[u32],
    n_tokens: usize,
    samples: &mut Samples,
) -> Result<()> {
    let mut cache = model.new_cache();
    let started = Instant::now();
    for chunk in prompt.chunks(CHUNK) {
        model.extend(chunk, &mut cache)?;
    }
    model.settle(&mut cache, || true)?;
    samples.prefill.push(started.elapsed().as_secs_f64());
    if model.runs_ahead() {
        let started = Instant::now();
        let draws = Draws::greedy(model.config().vocab_size);
        model.decode_while(prompt[0], &mut cache, draws, n_tokens, |_| true)?;
        samples.decode.push(started.elapsed().as_secs_f64() / n_tokens as f64);
        return Ok(());
    }
    for token in 0..n_tokens {
        let started = Instant::now();
        // What the sampler would read is part of a token's time.
        std::hint::black_box(model.decode(prompt[token % prompt.len()], &mut cache)?.last()?);
        samples.decode.push(started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Seconds from the request to its first token.
fn first_token(engine: &Handle, prompt: &[u32]) -> Result<f64> {
    let request = Request { tokens: prompt.to_vec(), max_tokens: 1, ..Request::default() };
    let started = Instant::now();
    let mut generation = engine.generate(request)?;
    let token = generation.next_token();
    let elapsed = started.elapsed().as_secs_f64();
    generation.finish()?;
    token.context("the model made no token")?;
    Ok(elapsed)
}

/// Prompts that have nothing in common.
struct Text {
    vocab_size: usize,
}

impl Text {
    fn tokens(&self, round: usize, n: usize) -> Vec<u32> {
        let mut state = (round as u32 + 1).wrapping_mul(0x9e37_79b9);
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((u64::from(state) * self.vocab_size as u64) >> 32) as u32
        };
        (0..n).map(|_| draw()).collect()
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn in_milliseconds(seconds: f64) -> f64 {
    milliseconds(Duration::from_secs_f64(seconds.max(0.0)))
}

/// Memory of this process that lies in RAM, the weights' map included; known on Linux alone.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

fn print(report: &Report) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    let per_second = |value: f64| format!("{value:.1} GB/s");
    writeln!(
        stdout,
        "{}: {} parameters, {} loops, {} threads",
        report.model, report.n_parameters, report.n_loops, report.n_threads
    )?;
    writeln!(stdout, "  computed on          {}", report.device_description)?;
    writeln!(stdout, "  opened in            {:.0} ms", report.load_ms)?;
    writeln!(
        stdout,
        "  prefill              {:.1} ms for {} tokens, {:.0} tokens/s",
        report.prefill_ms, report.prompt_tokens, report.prefill_tokens_per_second
    )?;
    writeln!(
        stdout,
        "  decode               {:.2} ms per token, {:.1} tokens/s",
        report.decode_ms, report.decode_tokens_per_second
    )?;
    writeln!(
        stdout,
        "  read per token       {}: {} of weights, {} of keys and values",
        size(report.bytes_per_token as u64),
        size(report.weight_bytes_per_token as u64),
        size(report.cache_bytes_per_token as u64)
    )?;
    writeln!(stdout, "  reached              {}", per_second(report.achieved_gb_per_second))?;
    writeln!(stdout, "  memory gives         {}", per_second(report.stream_gb_per_second))?;
    writeln!(stdout, "  share of the limit   {:.0} %", report.fraction_of_limit * 100.0)?;
    writeln!(stdout, "  first token, fresh   {:.1} ms", report.first_token_fresh_ms)?;
    writeln!(stdout, "  first token, edited  {:.1} ms", report.first_token_after_edit_ms)?;
    if let Some(bytes) = report.resident_bytes {
        writeln!(stdout, "  resident             {}", size(bytes))?;
    }
    writeln!(stdout, "medians of {} rounds", report.rounds)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_lie_within_the_vocabulary_and_differ_from_their_first_tokens_on() {
        let text = Text { vocab_size: 48 };
        let prompts: Vec<Vec<u32>> = (0..4).map(|round| text.tokens(round, 200)).collect();
        assert!(prompts.iter().flatten().all(|token| *token < 48));
        for (i, prompt) in prompts.iter().enumerate() {
            assert!(prompts[..i].iter().all(|other| other[..8] != prompt[..8]));
        }
    }

    #[test]
    fn a_median_is_the_middle_one() {
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert!(median(&mut []).is_nan());
    }
}
