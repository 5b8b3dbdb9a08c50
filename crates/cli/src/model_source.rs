//! From what `--model` names to a tokenizer and an engine.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use assist::{Assistant, Sampling, Sources};
use engine::Handle;
use model::{Config, DeviceChoice, LoadOptions, Plt, Weights};
use tokenizer::{ChatTemplate, Tokenizer};

use crate::generation_config::GenerationConfig;

/// Name of the built-in model in errors.
const EMBEDDED: &str = "built-in model";

/// Most tokens of one suggestion unless the user says otherwise.
pub(crate) const DEFAULT_MAX_TOKENS: usize = 64;

/// Most tokens of a prompt: on a processor, reading more takes longer than a person who types waits.
const MAX_PROMPT: usize = 2048;

/// Where a model's files are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelSource {
    Embedded,
    Directory(PathBuf),
    /// A single GGUF file with everything in it.
    Gguf(PathBuf),
}

impl ModelSource {
    /// `name` is `default`, the path of a checkpoint directory or of a GGUF file, or `owner/name` of a pulled model.
    pub(crate) fn find(name: &str) -> Result<Self> {
        if name == "default" {
            return Ok(Self::Embedded);
        }
        let path = PathBuf::from(name);
        if path.is_dir() {
            return Ok(Self::Directory(path));
        }
        if path.is_file() {
            if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf")) {
                return Ok(Self::Gguf(path));
            }
            bail!(
                "{name} is a file; a model is a GGUF file (NAME.gguf) or a directory with config.json, tokenizer.json and safetensors weights"
            );
        }
        if let Ok(repository) = name.parse() {
            return Self::pulled(&repository);
        }
        bail!(
            "there is no model {name:?}: neither a directory nor a GGUF file nor the name `default`"
        )
    }

    fn pulled(repository: &hub::Repository) -> Result<Self> {
        let models = hub::models_directory(|name| std::env::var_os(name))?;
        match hub::find_local(&models, repository) {
            Some(model) if model.is_complete => Ok(Self::Directory(model.directory)),
            Some(_) => bail!(
                "the model {repository} is not complete; `dacapo model pull {repository}` goes on with it"
            ),
            None => bail!(
                "there is no model {repository}: neither a directory nor pulled; `dacapo model pull {repository}` fetches it"
            ),
        }
    }

    pub(crate) fn config(&self) -> Result<Config> {
        Ok(match self {
            Self::Embedded => Config::from_json(default_model::CONFIG, EMBEDDED)?,
            Self::Directory(path) => Config::from_directory(path)?,
            Self::Gguf(path) => Config::from_gguf(path)?,
        })
    }

    pub(crate) fn weights(&self) -> Result<Weights, model::Error> {
        match self {
            Self::Embedded => Weights::from_static(default_model::WEIGHTS, EMBEDDED),
            Self::Directory(path) => Weights::from_directory(path),
            Self::Gguf(path) => Weights::from_gguf(path),
        }
    }

    pub(crate) fn tokenizer(&self) -> Result<Tokenizer> {
        Ok(match self {
            Self::Embedded => Tokenizer::from_json(default_model::TOKENIZER)?,
            Self::Directory(path) => Tokenizer::from_directory(path)?,
            Self::Gguf(path) => Tokenizer::from_gguf(path)?,
        })
    }

    /// `None` when the model was not made to follow instructions.
    pub(crate) fn chat_template(&self) -> Result<Option<ChatTemplate>> {
        Ok(match self {
            Self::Embedded => None,
            Self::Directory(path) => ChatTemplate::from_directory(path)?,
            Self::Gguf(path) => ChatTemplate::from_gguf(path)?,
        })
    }

    /// How the model's authors want it to be sampled.
    pub(crate) fn generation_config(&self) -> Result<GenerationConfig> {
        match self {
            Self::Embedded => {
                GenerationConfig::from_json(default_model::GENERATION_CONFIG, Path::new(EMBEDDED))
            }
            Self::Gguf(path) => {
                GenerationConfig::from_json(Config::generation_json_of_gguf(path)?.as_bytes(), path)
            }
            Self::Directory(path) => GenerationConfig::from_directory(path),
        }
    }

    pub(crate) fn plt(&self, options: LoadOptions) -> Result<Plt> {
        let config = self.config()?;
        Ok(Plt::from_weights(config, &self.weights()?, options)?)
    }

    /// An engine that reads the weights when it first needs them.
    pub(crate) fn engine(&self, options: LoadOptions) -> Result<Handle> {
        self.engine_under(engine::Options::default(), options)
    }

    fn engine_under(&self, engine: engine::Options, options: LoadOptions) -> Result<Handle> {
        let config = self.config()?;
        let source = self.clone();
        Ok(Handle::start(engine, move |progress| {
            Plt::load(config.clone(), &source.weights()?, options, progress)
        }))
    }

    /// How an assistant uses this model unless the user says otherwise.
    pub(crate) fn assist_config(&self, max_tokens: usize) -> Result<assist::Config> {
        let n_prompt = self.config()?.max_positions.saturating_sub(max_tokens);
        let generation_config = self.generation_config()?;
        Ok(assist::Config {
            max_tokens,
            n_prompt: n_prompt.min(MAX_PROMPT),
            sampling: Sampling::GREEDY,
            min_confidence: assist::MIN_CONFIDENCE as f32,
            layout: generation_config.layout()?,
            sources: generation_config.sources()?.unwrap_or(Sources::ALL),
            beside: generation_config.beside(),
            ngrams: generation_config.ngrams()?,
        })
    }

    /// An assistant over an engine of this model.
    pub(crate) fn assistant(&self, max_tokens: usize, device: DeviceChoice) -> Result<Assistant> {
        self.assistant_with(self.assist_config(max_tokens)?, device)
    }

    pub(crate) fn assistant_with(
        &self,
        assist_config: assist::Config,
        device: DeviceChoice,
    ) -> Result<Assistant> {
        let assistants = self.assistants_with(&[assist_config], device)?;
        assistants.into_iter().next().context("there is an assistant for each configuration")
    }

    /// Assistants over one engine, one for each configuration.
    pub(crate) fn assistants_with(
        &self,
        configs: &[assist::Config],
        device: DeviceChoice,
    ) -> Result<Vec<Assistant>> {
        self.assistants_under(engine::Options::default(), device, configs)
    }

    fn assistants_under(
        &self,
        options: engine::Options,
        device: DeviceChoice,
        configs: &[assist::Config],
    ) -> Result<Vec<Assistant>> {
        let tokenizer = self.tokenizer().with_context(|| format!("no tokenizer for {self}"))?;
        let tokenizer = Arc::new(tokenizer);
        let config = self.config()?;
        let stop_tokens = self.generation_config()?.stop_tokens(&config.eos_token_ids);
        let engine =
            self.engine_under(options, LoadOptions { device, ..LoadOptions::default() })?;
        let assistant = |config: &assist::Config| {
            let assistant = Assistant::new(
                engine.clone(),
                Arc::clone(&tokenizer),
                stop_tokens.clone(),
                *config,
            );
            Ok(match self.chat_template()? {
                Some(chat) => assistant.with_chat(chat),
                None => assistant,
            })
        };
        configs.iter().map(assistant).collect()
    }
}

/// Models by the names that [`ModelSource::find`] knows.
#[derive(Debug)]
pub(crate) struct ModelDirectory {
    engine: engine::Options,
    device: DeviceChoice,
}

impl ModelDirectory {
    pub(crate) fn of(config: &server::config::Config) -> Self {
        let model = &config.model;
        let seconds = model.unload_after_seconds;
        let engine = engine::Options {
            idle: (seconds != 0).then(|| Duration::from_secs(seconds.into())),
            n_sequences: model.kept_texts as usize,
            cache_bytes: (model.kept_megabytes as usize) << 20,
        };
        Self { engine, device: device_choice(model.device) }
    }
}

impl server::Models for ModelDirectory {
    fn open(&self, name: &str) -> Result<Assistant, String> {
        let open = || -> Result<Assistant> {
            let source = ModelSource::find(name)?;
            let config = source.assist_config(DEFAULT_MAX_TOKENS)?;
            let assistants = source.assistants_under(self.engine, self.device, &[config])?;
            assistants.into_iter().next().context("there is an assistant for the configuration")
        };
        open().map_err(|error| format!("{error:#}"))
    }
}

pub(crate) fn device_choice(device: server::config::Device) -> DeviceChoice {
    match device {
        server::config::Device::Auto => DeviceChoice::Auto,
        server::config::Device::Cpu => DeviceChoice::Cpu,
        server::config::Device::Cuda => DeviceChoice::Cuda(0),
    }
}

impl std::fmt::Display for ModelSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str(EMBEDDED),
            Self::Directory(path) | Self::Gguf(path) => write!(f, "{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use assist::Layout;

    use super::*;

    #[track_caller]
    fn check_error(name: &str, expected: &str) {
        let error = ModelSource::find(name).expect_err("should not be found").to_string();
        assert!(error.contains(expected), "{error}");
    }

    #[test]
    fn what_is_no_model_is_refused_in_words() {
        check_error("/nonexistent", "there is no model \"/nonexistent\"");
        check_error(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "is a file");
    }

    #[test]
    fn the_engine_keeps_what_the_settings_allow() {
        let mut config = server::config::Config::default();
        assert_eq!(
            ModelDirectory::of(&config).engine,
            engine::Options { idle: Some(Duration::from_secs(900)), ..engine::Options::default() }
        );
        config.model.unload_after_seconds = 0;
        config.model.kept_texts = 2;
        config.model.kept_megabytes = 3;
        let expected = engine::Options { idle: None, n_sequences: 2, cache_bytes: 3 << 20 };
        assert_eq!(ModelDirectory::of(&config).engine, expected);
    }

    #[test]
    fn the_built_in_model_is_whole() {
        let source = ModelSource::find("default").unwrap();
        let config = source.config().unwrap();
        let tokenizer = source.tokenizer().unwrap();
        assert!(tokenizer.fim().is_some());
        assert_eq!(source.assist_config(64).unwrap().layout, Some(Layout::SuffixFirst));
        assert!(tokenizer.vocab_size() <= config.vocab_size);
        assert!(!config.eos_token_ids.is_empty());
        let model = source.plt(LoadOptions::default()).unwrap();
        assert_eq!(model.config().n_loops, 2);
    }
}
