//! `dacapo model quantize`: a smaller copy of a checkpoint, and how far it is from the original.

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use model::{Config, Format, Rounded};
use serde::Serialize;
use serde_json::json;

use crate::arguments::{Quantize, Rounding};
use crate::likelihood;
use crate::model_source::ModelSource;
use crate::terminal::print_json;

/// Files of a checkpoint that stand beside the weights and are copied as they are.
const COMPANIONS: &[&str] = &[
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
];

#[derive(Serialize)]
struct Report {
    out: String,
    original_bytes: u64,
    bytes: u64,
    /// Types to which the original's matrices were rounded before; their loss is in neither the errors nor the comparison.
    rounded_before: Vec<String>,
    tensors: Vec<TensorReport>,
    comparison: Option<Comparison>,
}

#[derive(Serialize)]
struct TensorReport {
    name: String,
    original: String,
    format: &'static str,
    group_size: usize,
    relative_error: f64,
}

/// Both models on the same text.
#[derive(Serialize)]
struct Comparison {
    n_tokens: usize,
    original_perplexity: f64,
    perplexity: f64,
    /// Share of positions at which both find the same token likeliest.
    top1_agreement: f64,
}

pub(crate) fn run(arguments: &Quantize) -> Result<ExitCode> {
    let source = ModelSource::find(&arguments.model)?;
    let original = match &source {
        ModelSource::Embedded => bail!(
            "{source} is not a file; only a checkpoint in a directory or a GGUF file can be quantized"
        ),
        ModelSource::Directory(directory) => Original::in_directory(directory)?,
        ModelSource::Gguf(path) => Original::in_gguf(path)?,
    };
    let out = &arguments.out;
    if out.join("model.safetensors").exists() {
        bail!("{} holds a model already; name another directory", out.display());
    }
    std::fs::create_dir_all(out).with_context(|| format!("cannot create {}", out.display()))?;
    let (format, name) = match arguments.format {
        Rounding::Int8 => (Format::Int8, "int8"),
        Rounding::Int4 => (Format::Int4, "int4"),
    };
    let rounded = model::quantize(&source.weights()?, format, out)?;
    write_beside(&original, name, out)?;
    let smaller = ModelSource::Directory(out.clone());
    let comparison = match &arguments.text {
        Some(text) => Some(compare(&source, &smaller, text)?),
        None => None,
    };
    let report = Report {
        out: out.display().to_string(),
        original_bytes: original.bytes_of_weights,
        bytes: bytes_of_weights(out)?,
        rounded_before: rounded_before(&rounded),
        tensors: rounded.into_iter().map(TensorReport::from).collect(),
        comparison,
    };
    if arguments.json {
        print_json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What is beside the tensors of a model.
struct Original {
    config: serde_json::Value,
    /// Names and contents of what a copy takes along.
    companions: Vec<(&'static str, Vec<u8>)>,
    bytes_of_weights: u64,
}

impl Original {
    fn in_directory(directory: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let found = COMPANIONS.iter().filter(|name| directory.join(name).is_file());
        Ok(Self {
            config: serde_json::from_slice(&read("config.json")?)?,
            companions: found.map(|name| Ok((*name, read(name)?))).collect::<Result<_>>()?,
            bytes_of_weights: bytes_of_weights(directory)?,
        })
    }

    fn in_gguf(path: &Path) -> Result<Self> {
        let mut companions =
            vec![("generation_config.json", Config::generation_json_of_gguf(path)?.into_bytes())];
        companions.extend(tokenizer::files_of_gguf(path)?);
        Ok(Self {
            config: serde_json::from_str(&Config::json_of_gguf(path)?)?,
            companions,
            bytes_of_weights: std::fs::metadata(path)?.len(),
        })
    }
}

impl From<Rounded> for TensorReport {
    fn from(rounded: Rounded) -> Self {
        Self {
            name: rounded.name,
            original: rounded.stored,
            format: match rounded.format {
                Format::Int8 => "int8",
                Format::Int4 => "int4",
            },
            group_size: rounded.group_size,
            relative_error: rounded.relative_error,
        }
    }
}

/// The configuration with a note on the format, and the files that need no change.
fn write_beside(original: &Original, format: &str, out: &Path) -> Result<()> {
    let mut config = original.config.clone();
    config["quantization_config"] = json!({ "quant_method": "dacapo", "format": format });
    write(out, "config.json", &serde_json::to_vec_pretty(&config)?)?;
    for (name, contents) in &original.companions {
        write(out, name, contents)?;
    }
    // The library makes the file readable to its owner alone; a model is as public as its configuration.
    let permissions = std::fs::metadata(out.join("config.json"))?.permissions();
    Ok(std::fs::set_permissions(out.join("model.safetensors"), permissions)?)
}

fn write(directory: &Path, name: &str, contents: &[u8]) -> Result<()> {
    let path = directory.join(name);
    std::fs::write(&path, contents).with_context(|| format!("cannot write {}", path.display()))
}

fn bytes_of_weights(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.path().extension().is_some_and(|extension| extension == "safetensors") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}

fn rounded_before(rounded: &[Rounded]) -> Vec<String> {
    let before = rounded.iter().filter(|tensor| tensor.was_rounded_before());
    let mut types: Vec<String> = before.map(|tensor| tensor.stored.clone()).collect();
    types.sort();
    types.dedup();
    types
}

fn compare(original: &ModelSource, smaller: &ModelSource, text: &Path) -> Result<Comparison> {
    let text = std::fs::read_to_string(text)
        .with_context(|| format!("cannot read {} as UTF-8", text.display()))?;
    let mut tokens = original.tokenizer()?.encode(&text);
    tokens.truncate(original.config()?.max_positions);
    if tokens.len() < 2 {
        bail!("the text is too short to compare on");
    }
    let (losses, likeliest) = likelihood::read(original, &tokens)?;
    let (smaller_losses, smaller_likeliest) = likelihood::read(smaller, &tokens)?;
    let mean = |losses: &[f64]| losses.iter().sum::<f64>() / losses.len() as f64;
    let n_agreed = likeliest.iter().zip(&smaller_likeliest).filter(|(a, b)| a == b).count();
    Ok(Comparison {
        n_tokens: tokens.len(),
        original_perplexity: mean(&losses).exp(),
        perplexity: mean(&smaller_losses).exp(),
        top1_agreement: n_agreed as f64 / likeliest.len() as f64,
    })
}

fn print(report: &Report) -> Result<()> {
    let mut stdout = std::io::stdout().lock();
    for tensor in &report.tensors {
        writeln!(
            stdout,
            "{} from {:<4} groups of {:<4} error {:.4}  {}",
            tensor.format, tensor.original, tensor.group_size, tensor.relative_error, tensor.name
        )?;
    }
    if !report.rounded_before.is_empty() {
        writeln!(
            stdout,
            "The original's matrices were rounded before ({}), so this copy has lost twice. What is said here is its distance from that file, not from the weights that the file was made of; start from those where you can.",
            report.rounded_before.join(", ")
        )?;
    }
    if let Some(comparison) = &report.comparison {
        writeln!(
            stdout,
            "perplexity {:.4}, of the original {:.4}, over {} tokens; same likeliest token at {:.1} %",
            comparison.perplexity,
            comparison.original_perplexity,
            comparison.n_tokens,
            comparison.top1_agreement * 100.0
        )?;
    }
    writeln!(
        stdout,
        "{}: {:.1} MB, of the original {:.1} MB",
        report.out,
        report.bytes as f64 / 1e6,
        report.original_bytes as f64 / 1e6
    )?;
    Ok(())
}
