//! `generation_config.json`: how a checkpoint's authors want it to be sampled.

use std::path::Path;

use anyhow::{Context, Result, bail};
use assist::{Beside, Layout, Ngrams, Sources};
use engine::Sampling;
use serde::Deserialize;

/// What the file says; every field may be absent, and so may the file.
#[derive(Debug, Default, PartialEq, Deserialize)]
pub(crate) struct GenerationConfig {
    #[serde(default)]
    do_sample: bool,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<usize>,
    eos_token_id: Option<EosTokenId>,
    /// Our own: name of the layout of a prompt that the model was trained with.
    prompt_layout: Option<String>,
    /// Our own: kinds of text from elsewhere that help the model, as `--sources` names them.
    prompt_sources: Option<String>,
    /// Our own: most tokens before the caret that the model was trained with.
    prompt_prefix_tokens: Option<usize>,
    /// Our own: most tokens after the caret that the model was trained with.
    prompt_suffix_tokens: Option<usize>,
    /// Our own: what the model counts beside runs of tokens around the caret, for one that gains by them.
    ngram_model_weight: Option<f32>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum EosTokenId {
    One(u32),
    Several(Vec<u32>),
}

impl GenerationConfig {
    pub(crate) fn from_json(json: &[u8], path: &Path) -> Result<Self> {
        serde_json::from_slice(json)
            .with_context(|| format!("{} is not a generation configuration", path.display()))
    }

    pub(crate) fn from_directory(directory: &Path) -> Result<Self> {
        let path = directory.join("generation_config.json");
        match std::fs::read(&path) {
            Ok(json) => Self::from_json(&json, &path),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// `None` where the file does not say.
    pub(crate) fn layout(&self) -> Result<Option<Layout>> {
        let Some(name) = &self.prompt_layout else { return Ok(None) };
        let known = Layout::ALL.map(Layout::name).join(", ");
        let layout = Layout::from_name(name).with_context(|| {
            format!(
                "generation_config.json names an unknown prompt_layout {name:?}; known are {known}"
            )
        })?;
        Ok(Some(layout))
    }

    /// `None` where the file does not say.
    pub(crate) fn sources(&self) -> Result<Option<Sources>> {
        let Some(names) = &self.prompt_sources else { return Ok(None) };
        match Sources::from_names(names) {
            Ok(sources) => Ok(Some(sources)),
            Err(name) => {
                bail!("generation_config.json names an unknown source {name:?} in prompt_sources")
            }
        }
    }

    pub(crate) fn beside(&self) -> Beside {
        Beside {
            n_prefix: self.prompt_prefix_tokens.unwrap_or(usize::MAX),
            n_suffix: self.prompt_suffix_tokens.unwrap_or(usize::MAX),
        }
    }

    /// `None` where the file does not say.
    pub(crate) fn ngrams(&self) -> Result<Option<Ngrams>> {
        let Some(model_weight) = self.ngram_model_weight else { return Ok(None) };
        if !(model_weight.is_finite() && 0.0 < model_weight) {
            bail!(
                "generation_config.json gives an ngram_model_weight that is not above 0 or is no number"
            );
        }
        Ok(Some(Ngrams { model_weight, sources: Sources::ALL }))
    }

    /// Greedy unless the file asks for draws.
    pub(crate) fn sampling(&self) -> Sampling {
        if !self.do_sample {
            return Sampling::GREEDY;
        }
        Sampling {
            temperature: self.temperature.unwrap_or(1.0),
            top_p: self.top_p.unwrap_or(1.0),
            top_k: self.top_k.unwrap_or(0),
            seed: 0,
        }
    }

    /// Ids that end a text, those of the model's own configuration included.
    pub(crate) fn stop_tokens(&self, of_model: &[u32]) -> Vec<u32> {
        let mut ids = of_model.to_vec();
        match &self.eos_token_id {
            None => {}
            Some(EosTokenId::One(id)) => ids.push(*id),
            Some(EosTokenId::Several(more)) => ids.extend(more),
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> GenerationConfig {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn draws_are_made_only_where_the_file_asks_for_them() {
        let recommended = parse(r#"{"do_sample":true,"temperature":0.6,"top_p":0.95,"top_k":20}"#);
        let expected = Sampling { temperature: 0.6, top_p: 0.95, top_k: 20, seed: 0 };
        assert_eq!(recommended.sampling(), expected);
        assert_eq!(parse(r#"{"temperature":0.6}"#).sampling(), Sampling::GREEDY);
    }

    #[test]
    fn text_beside_the_caret_is_limited_where_the_file_says_so() {
        assert_eq!(parse("{}").beside(), Beside::UNLIMITED);
        let limited = parse(r#"{"prompt_prefix_tokens":480}"#).beside();
        assert_eq!(limited, Beside { n_prefix: 480, ..Beside::UNLIMITED });
    }

    #[test]
    fn the_layout_has_a_known_name() {
        let layout = |json| parse(json).layout().map_err(|error| error.to_string());
        assert_eq!(layout("{}"), Ok(None));
        let named = layout(r#"{"prompt_layout":"suffix-first"}"#);
        assert_eq!(named, Ok(Some(Layout::SuffixFirst)));
        let error = layout(r#"{"prompt_layout":"sideways"}"#).unwrap_err();
        assert!(error.contains("known are suffix-first, prefix-first"), "{error}");
    }

    #[test]
    fn the_sources_have_known_names() {
        let sources = |json| parse(json).sources().map_err(|error| error.to_string());
        assert_eq!(sources("{}"), Ok(None));
        assert_eq!(sources(r#"{"prompt_sources":"none"}"#), Ok(Some(Sources::NONE)));
        let error = sources(r#"{"prompt_sources":"similar,rumour"}"#).unwrap_err();
        assert!(error.contains("\"rumour\""), "{error}");
    }

    #[test]
    fn the_weight_of_the_model_beside_ngrams_is_above_0() {
        let ngrams = |json: &str| parse(json).ngrams().map_err(|error| error.to_string());
        assert_eq!(ngrams("{}"), Ok(None));
        let weighed = Ngrams { model_weight: 4.0, sources: Sources::ALL };
        assert_eq!(ngrams(r#"{"ngram_model_weight":4}"#), Ok(Some(weighed)));
        for weight in ["0", "-1", "1e99"] {
            let json = format!(r#"{{"ngram_model_weight":{weight}}}"#);
            let error = ngrams(&json).unwrap_err();
            assert!(error.contains("is not above 0"), "{error}");
        }
    }

    #[test]
    fn every_end_of_text_counts() {
        let config = parse(r#"{"eos_token_id":[2,75864,75869]}"#);
        assert_eq!(config.stop_tokens(&[2, 9]), [2, 9, 75864, 75869]);
        assert_eq!(parse(r#"{"eos_token_id":3}"#).stop_tokens(&[2]), [2, 3]);
        assert_eq!(parse("{}").stop_tokens(&[2]), [2]);
    }

    #[test]
    fn the_file_may_be_absent_but_not_broken() {
        let directory = tempfile::tempdir().unwrap();
        let absent = GenerationConfig::from_directory(directory.path()).unwrap();
        assert_eq!(absent, GenerationConfig::default());
        std::fs::write(directory.path().join("generation_config.json"), "[").unwrap();
        let error = GenerationConfig::from_directory(directory.path()).unwrap_err().to_string();
        assert!(error.contains("generation_config.json is not a generation configuration"));
    }
}
