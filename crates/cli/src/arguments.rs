//! Verbs and flags of the command line.

use std::path::PathBuf;

use assist::{Layout, Sources};
use clap::{ArgGroup, Args, Parser, Subcommand, ValueEnum};
use model::DeviceChoice;

use crate::location::{Location, Span};

/// Completes code with a Parallel Loop Transformer that runs inside this process, offline.
///
/// Exit status: 0 done, 1 failed, 2 wrong usage. Results go to stdout, everything else to stderr; DACAPO_LOG sets the log level.
#[derive(Debug, Parser)]
#[command(name = "dacapo", version)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve an editor over stdin and stdout (Language Server Protocol)
    Lsp(Lsp),
    /// The process that serves every editor of a user
    #[cfg(unix)]
    Daemon(Daemon),
    /// Complete the code at a place in a file
    Complete(Complete),
    /// Let the model change the code at a place in a file; prints a unified diff
    Act(Act),
    /// Continue a text, or a list of token ids
    Generate(Generate),
    /// Look into a model
    Model(Model),
    /// Measure how fast the model is here, and how far that is from what the memory allows
    Bench(Bench),
    /// Measure completions on holes cut in real files, or cut such holes
    Eval(Box<Eval>),
    /// Show the machine, the model and one timed completion, and say what is wrong
    Doctor(Doctor),
}

#[derive(Debug, Args)]
pub(crate) struct ModelFlag {
    /// Directory of a checkpoint (config.json, tokenizer.json, safetensors), a GGUF file, OWNER/NAME of a pulled model, or
    /// `default` for the built-in one; else what the configuration says
    #[arg(long, value_name = "M", env = "DACAPO_MODEL")]
    pub(crate) model: Option<String>,
    #[command(flatten)]
    pub(crate) device: DeviceFlag,
}

#[derive(Debug, Args)]
pub(crate) struct DeviceFlag {
    /// What computes: auto, cpu, cuda, or cuda:N for the GPU of that number; auto takes a GPU where it is worth it; else
    /// what the configuration says
    #[arg(long, value_name = "DEVICE")]
    pub(crate) device: Option<DeviceChoice>,
}

#[derive(Debug, Args)]
pub(crate) struct Lsp {
    /// The model to use, whatever the configuration says
    #[arg(long, value_name = "M", env = "DACAPO_MODEL")]
    pub(crate) model: Option<String>,
    /// Serve the editor in this process, without the daemon (on Windows there is no other way)
    #[arg(long, env = "DACAPO_STANDALONE")]
    pub(crate) standalone: bool,
}

#[cfg(unix)]
#[derive(Debug, Args)]
pub(crate) struct Daemon {
    #[command(subcommand)]
    pub(crate) verb: DaemonVerb,
}

#[cfg(unix)]
#[derive(Debug, Subcommand)]
pub(crate) enum DaemonVerb {
    /// Who is connected, what is loaded, how long answers take
    Status {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// End the daemon and with it every session
    Stop {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Be the daemon; `dacapo lsp` starts it when there is none
    #[command(hide = true)]
    Run,
}

#[derive(Debug, Args)]
pub(crate) struct Complete {
    /// Place in a file; line and column are 1-based, columns count Unicode scalar values
    #[arg(value_name = "FILE:LINE:COL")]
    pub(crate) location: Location,
    #[command(flatten)]
    pub(crate) model: ModelFlag,
    /// Directory of the repository, whose other files the prompt may quote; else the nearest parent with `.git`
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Most tokens of the suggestion
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Order of the prompt: suffix-first, prefix-first, repository or continuation; else what the model was trained with
    #[arg(long, value_name = "NAME", value_parser = layout)]
    pub(crate) layout: Option<Layout>,
    /// Which text from other places goes into the prompt: all, none, or some of definition, enclosing, test, similar,
    /// edited and viewed with commas between them; else what helps the model
    #[arg(long, value_name = "NAMES", value_parser = sources)]
    pub(crate) sources: Option<Sources>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Act {
    /// Place or range in a file; lines and columns are 1-based, columns count Unicode scalar values
    #[arg(value_name = "FILE:LINE:COL[-LINE:COL]")]
    pub(crate) span: Span,
    /// complete: what is missing at the place, a whole body where there is none; rewrite: the range anew;
    /// document: a comment for the item; fix: the problem that --instruction quotes; edit: what --instruction or a comment
    /// `dacapo: ...` says; tests: for the item; explain: the item in words; next-edit: the change since --before once more, at the next place
    #[arg(value_name = "ACTION")]
    pub(crate) action: assist::Action,
    #[command(flatten)]
    pub(crate) model: ModelFlag,
    /// What to do, in your words
    #[arg(long, value_name = "TEXT")]
    pub(crate) instruction: Option<String>,
    /// The file as it was before the change that next-edit repeats; `-` for standard input, as in `git show HEAD:a.rs | dacapo act a.rs:1:1 next-edit --before -`
    #[arg(long, value_name = "FILE")]
    pub(crate) before: Option<PathBuf>,
    /// Change the file, unless it was changed meanwhile or would no longer parse
    #[arg(long)]
    pub(crate) write: bool,
    /// Directory that paths are relative to; else the nearest parent with `.git`
    #[arg(long, value_name = "DIR")]
    pub(crate) root: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("input").required(true)))]
pub(crate) struct Generate {
    /// Text to continue; the spelling of a control token means that token
    #[arg(long, value_name = "TEXT", group = "input")]
    pub(crate) prompt: Option<String>,
    /// Message of a user, put into the model's chat template
    #[arg(long, value_name = "TEXT", group = "input")]
    pub(crate) chat: Option<String>,
    /// Token ids to continue
    #[arg(long, value_name = "1,2,3", group = "input", value_delimiter = ',')]
    pub(crate) tokens: Vec<u32>,
    #[command(flatten)]
    pub(crate) model: ModelFlag,
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub(crate) max_tokens: usize,
    /// 0 always takes the likeliest token; without it the model's generation_config.json decides
    #[arg(long, value_name = "T", value_parser = non_negative)]
    pub(crate) temperature: Option<f32>,
    /// Draw from the smallest set of tokens whose probability reaches P
    #[arg(long, value_name = "P", value_parser = share)]
    pub(crate) top_p: Option<f32>,
    /// Draw from the K likeliest tokens; 0 for all
    #[arg(long, value_name = "K")]
    pub(crate) top_k: Option<usize>,
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Run the layers R times instead of what the model was trained for
    #[arg(long, value_name = "R", value_parser = n_loops)]
    pub(crate) loops: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Model {
    #[command(subcommand)]
    pub(crate) verb: ModelVerb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelVerb {
    /// Fetch a model from the hub, or go on with what a broken pull left; HF_ENDPOINT names a mirror, HF_TOKEN who asks
    Pull(Pull),
    /// The built-in model and those that were pulled
    List(List),
    /// Configuration, size and tensors of a checkpoint
    Inspect(Inspect),
    /// Compare every tensor with what the configuration asks for, and look at every value
    Verify(Inspect),
    /// Write a smaller copy with matrices of 8- or 4-bit integers, and say how far it is from the original
    Quantize(Quantize),
    /// Tokens of a text, and how well the model foresees them
    Tokens(Tokens),
    /// Logits after given tokens, for parity checks
    Logits(LogitsArguments),
}

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// Repository of the hub
    #[arg(value_name = "OWNER/NAME")]
    pub(crate) repository: String,
    /// Branch, tag or commit
    #[arg(long, value_name = "REV", default_value = "main")]
    pub(crate) revision: String,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// Directory of a checkpoint, a GGUF file, or `default`
    #[arg(value_name = "M")]
    pub(crate) model: String,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Quantize {
    /// Directory of a checkpoint, or a GGUF file
    #[arg(value_name = "M")]
    pub(crate) model: String,
    /// Directory for the copy
    #[arg(value_name = "OUT")]
    pub(crate) out: PathBuf,
    #[arg(long, value_enum)]
    pub(crate) format: Rounding,
    /// Compare perplexity and likeliest tokens of both on this text
    #[arg(long, value_name = "FILE")]
    pub(crate) text: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What matrices of the layers are rounded to; embedding and head are rounded to 8 bits in either case.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Rounding {
    Int8,
    Int4,
}

#[derive(Debug, Args)]
pub(crate) struct Tokens {
    /// Directory of a checkpoint, a GGUF file, or `default`
    #[arg(value_name = "M")]
    pub(crate) model: String,
    /// A text in UTF-8
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Run the model as well, and give the negative log-likelihood of every token but the first
    #[arg(long)]
    pub(crate) losses: bool,
    /// Look at the first N tokens only
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogitsArguments {
    /// Directory of a checkpoint, a GGUF file, or `default`
    #[arg(value_name = "M")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) device: DeviceFlag,
    #[arg(long, value_name = "1,2,3", required = true, value_delimiter = ',')]
    pub(crate) tokens: Vec<u32>,
    /// A row for every token instead of the last one's alone
    #[arg(long)]
    pub(crate) all: bool,
    /// sequential: one loop after the other over all tokens; fused: token by token, all loops in one pass;
    /// tail: later loops over the last tokens only, not with --all; chunked:N: sequential in chunks of N tokens
    #[arg(long, value_name = "MODE", default_value = "sequential")]
    pub(crate) mode: Mode,
    #[arg(long, value_enum, default_value_t = Precision::F32)]
    pub(crate) dtype: Precision,
    /// Run the layers R times instead of what the model was trained for
    #[arg(long, value_name = "R", value_parser = n_loops)]
    pub(crate) loops: Option<usize>,
    /// Print {"logits":[[...]]}
    #[arg(long)]
    pub(crate) json: bool,
}

/// Schedule of the loops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Sequential,
    Fused,
    Tail,
    Chunked(usize),
}

impl std::str::FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sequential" => Ok(Self::Sequential),
            "fused" => Ok(Self::Fused),
            "tail" => Ok(Self::Tail),
            _ => text
                .strip_prefix("chunked:")
                .and_then(|n| n.parse().ok())
                .filter(|n| *n != 0)
                .map(Self::Chunked)
                .ok_or_else(|| "expected sequential, fused, tail or chunked:N".to_owned()),
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Precision {
    F32,
    F64,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) model: ModelFlag,
    /// Run the layers R times instead of what the model was trained for
    #[arg(long, value_name = "R", value_parser = n_loops)]
    pub(crate) loops: Option<usize>,
    /// Threads that compute, and that read memory beside; else as many as the machine has
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) threads: Option<usize>,
    /// Tokens of the prompt
    #[arg(long, value_name = "N", default_value = "512", value_parser = at_least_one)]
    pub(crate) prompt: usize,
    /// Tokens decoded after it
    #[arg(long, value_name = "N", default_value = "64", value_parser = at_least_one)]
    pub(crate) tokens: usize,
    /// Times that everything is measured; the medians are given
    #[arg(long, value_name = "N", default_value = "5", value_parser = at_least_one)]
    pub(crate) rounds: usize,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The model to look at, whatever the configuration says
    #[arg(long, value_name = "M", env = "DACAPO_MODEL")]
    pub(crate) model: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Without a verb: fills every hole of a set and compares the answers with what stood there.
///
/// A set has one JSON object a line: id, language, kind (rest-of-line, whole-line, block, arguments, cross-file), prompt and
/// suffix (all text of the file before and after the hole), reference, path, and the repository around it as files
/// (path to text) or root (a directory, relative to the set). docs/evaluation.md says what the figures mean.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Eval {
    #[command(subcommand)]
    pub(crate) verb: Option<EvalVerb>,
    /// Set of holes
    #[arg(long, value_name = "FILE.jsonl", required = true)]
    pub(crate) holes: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) model: ModelFlag,
    /// Look at the first N holes only
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    /// Ask as an editor does while the user types, or as the user does by hand
    #[arg(long, value_enum, default_value_t = Ask::Automatic)]
    pub(crate) trigger: Ask,
    /// Whether text from elsewhere in the repository goes into the prompt; else what helps the model
    #[arg(long, value_enum)]
    pub(crate) context: Option<Switch>,
    /// Which text from elsewhere: all, none, or kinds with commas between them, as for `dacapo complete`; given more than
    /// once, each is a run of its own, they take turns at every hole, and later ones are compared with the first
    #[arg(long, value_name = "NAMES", value_parser = sources, conflicts_with = "context")]
    pub(crate) sources: Vec<Sources>,
    /// Most tokens of an answer
    #[arg(long, value_name = "N")]
    pub(crate) max_tokens: Option<usize>,
    /// Most tokens of a prompt
    #[arg(long, value_name = "N")]
    pub(crate) max_prompt: Option<usize>,
    /// Show less likely suggestions too, or fewer of them: 0 to 1, and 0 shows all
    #[arg(long, value_name = "P", value_parser = probability)]
    pub(crate) min_confidence: Option<f32>,
    /// Write every answer with its figures, one JSON object a line
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) answers: Option<PathBuf>,
    /// Score answers that something else gave instead of asking a model: one JSON object a line with the `id` of the hole,
    /// the `answer` and perhaps `latency_ms`, as --answers writes them
    #[arg(
        long,
        value_name = "FILE.jsonl",
        conflicts_with_all = ["trigger", "context", "sources", "answers"]
    )]
    pub(crate) given: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Ask {
    Automatic,
    Invoked,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvalVerb {
    /// Cut holes in the files of repositories, drawn by a seed and balanced over languages, kinds, repositories and files
    Cut(Cut),
}

#[derive(Debug, Args)]
pub(crate) struct Cut {
    /// Repositories; what .gitignore names is left out, and so is what a program made
    #[arg(value_name = "DIR", required = true)]
    pub(crate) directories: Vec<PathBuf>,
    /// Set to write
    #[arg(long, value_name = "FILE.jsonl")]
    pub(crate) out: PathBuf,
    /// Most holes for each pair of a language and a kind
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub(crate) each: usize,
    /// Kinds of holes; all without it
    #[arg(long, value_name = "KIND,...", value_delimiter = ',', value_parser = kind)]
    pub(crate) kinds: Vec<eval::Kind>,
    /// Languages; all without it
    #[arg(long, value_name = "LANGUAGE,...", value_delimiter = ',', value_parser = language)]
    pub(crate) languages: Vec<workspace::Language>,
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub(crate) seed: u64,
    /// Refuse a directory that is not named after a package of this manifest with --split, as NAME or NAME-VERSION
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) manifest: Option<PathBuf>,
    /// Split of the manifest
    #[arg(long, value_name = "SPLIT", default_value = "test")]
    pub(crate) split: String,
    /// Put the repository's files into each hole, so that the set stands by itself
    #[arg(long)]
    pub(crate) inline_files: bool,
}

fn kind(name: &str) -> Result<eval::Kind, String> {
    let names: Vec<_> = eval::Kind::CUT.iter().map(|kind| kind.name()).collect();
    eval::Kind::from_name(name).ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

fn language(name: &str) -> Result<workspace::Language, String> {
    let all = workspace::Language::ALL;
    let names: Vec<_> = all.iter().map(|language| language.name()).collect();
    all.into_iter()
        .find(|language| language.name() == name)
        .ok_or_else(|| format!("expected one of {}", names.join(", ")))
}

fn non_negative(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if value.is_finite() && 0.0 <= value => Ok(value),
        _ => Err("expected a number of 0 or more".to_owned()),
    }
}

fn probability(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("expected a number from 0 to 1".to_owned()),
    }
}

fn layout(text: &str) -> Result<Layout, String> {
    let known = Layout::ALL.map(Layout::name).join(", ");
    Layout::from_name(text).ok_or_else(|| format!("expected one of {known}"))
}

fn sources(text: &str) -> Result<Sources, String> {
    Sources::from_names(text).map_err(|name| format!("there is no source {name:?}"))
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if 0.0 < value && value <= 1.0 => Ok(value),
        _ => Err("expected a number above 0 and at most 1".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(value) if 0 < value => Ok(value),
        _ => Err("expected a number of 1 or more".to_owned()),
    }
}

fn n_loops(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(value) if (1..=16).contains(&value) => Ok(value),
        _ => Err("expected 1 to 16".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[track_caller]
    fn check_refused(arguments: &[&str], expected: &str) {
        let error = Arguments::try_parse_from(arguments).expect_err("should be refused");
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn wrong_usage_says_what_was_expected() {
        check_refused(&["dacapo", "generate"], "--prompt");
        check_refused(
            &["dacapo", "generate", "--prompt", "a", "--tokens", "1"],
            "cannot be used with",
        );
        check_refused(&["dacapo", "generate", "--prompt", "a", "--top-p", "0"], "above 0");
        check_refused(&["dacapo", "generate", "--prompt", "a", "--loops", "0"], "1 to 16");
        check_refused(&["dacapo", "model", "logits", "m", "--tokens", "1,x"], "invalid digit");
        check_refused(
            &["dacapo", "model", "logits", "m", "--tokens", "1", "--mode", "chunked:0"],
            "chunked:N",
        );
        check_refused(&["dacapo", "complete", "src/main.rs"], "FILE:LINE:COL");
        check_refused(&["dacapo", "bench", "--tokens", "0"], "1 or more");
        check_refused(&["dacapo", "bench", "--device", "tpu"], "auto, cpu, cuda");
        check_refused(&["dacapo", "eval"], "--holes");
        check_refused(
            &["dacapo", "eval", "--holes", "a", "--context", "on", "--sources", "all"],
            "cannot be used with",
        );
        check_refused(
            &["dacapo", "eval", "--holes", "a", "--given", "b", "--answers", "c"],
            "cannot be used with",
        );
        check_refused(&["dacapo", "eval", "cut", ".", "--out", "a", "--kinds", "x"], "whole-line");
        check_refused(&["dacapo", "eval", "cut", ".", "--out", "a", "--languages", "x"], "python");
        check_refused(&["dacapo", "complete", "a:1:1", "--layout", "x"], "suffix-first");
        check_refused(&["dacapo", "complete", "a:1:1", "--sources", "x"], "no source \"x\"");
    }
}
