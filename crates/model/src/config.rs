//! `config.json` of a released checkpoint, with the fall-backs of its configuration class, checked.

use std::path::Path;

use serde::Deserialize;

use crate::Error;

/// Largest value accepted for any one dimension; anything above is a damaged file, not a model.
const MAX_DIMENSION: usize = 1 << 24;

/// More loops than any released model by far; bounds the work a damaged file can ask for.
const MAX_LOOPS: usize = 16;

/// Shape and constants of a PLT.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub n_layers: usize,
    pub n_heads: usize,
    pub n_kv_heads: usize,
    pub head_dim: usize,
    /// Positions the model was made for.
    pub max_positions: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub tie_word_embeddings: bool,
    /// R: how often the stack of layers runs; 1 is an ordinary transformer.
    pub n_loops: usize,
    /// W: keys to the left of a token that the local branch sees besides the token itself.
    pub window: usize,
    /// The final norm is applied to what every loop hands on, not only to the last.
    pub normalize_per_loop: bool,
    /// Factor of the token embedding in the input of loops after the first.
    pub emb_scale: f64,
    /// Factor of the previous loop's state of the previous token in that input.
    pub hidden_scale: f64,
    /// Any of these ends a text; empty when the file names none.
    pub eos_token_ids: Vec<u32>,
    /// Name the checkpoint gives itself.
    pub name: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: Option<String>,
    #[serde(rename = "_name_or_path")]
    name: Option<String>,
    #[serde(default = "class_vocab_size")]
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    #[serde(default = "class_max_positions")]
    max_position_embeddings: usize,
    #[serde(default = "class_rms_norm_eps")]
    rms_norm_eps: f64,
    #[serde(default = "class_rope_theta")]
    rope_theta: f64,
    rope_scaling: Option<serde_json::Value>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
    eos_token_id: Option<EosTokenId>,
    plt_num_loops: Option<usize>,
    plt_window_size: Option<[i64; 2]>,
    plt_normalize_per_loop: Option<bool>,
    plt_emb_scale: Option<f64>,
    plt_hidden_scale: Option<f64>,
    plt_gate_use_hidden_states: Option<bool>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EosTokenId {
    One(u32),
    Several(Vec<u32>),
}

fn class_vocab_size() -> usize {
    75904
}

fn class_max_positions() -> usize {
    131_072
}

fn class_rms_norm_eps() -> f64 {
    1e-5
}

fn class_rope_theta() -> f64 {
    500_000.0
}

const CLASS_WINDOW: [i64; 2] = [64, 0];

impl Config {
    /// Parses and checks `config.json`; `origin` names it in errors.
    ///
    /// Absent `plt_*` fields take the configuration class's defaults: scales 1, window [64, 0], per-loop norm on, one loop.
    pub fn from_json(json: &[u8], origin: &str) -> Result<Self, Error> {
        let raw: Raw = serde_json::from_slice(json).map_err(|error| Error::Config {
            origin: origin.to_owned(),
            reason: error.to_string(),
        })?;
        raw.check_architecture(origin)?;
        raw.into_config().map_err(|reason| Error::Config { origin: origin.to_owned(), reason })
    }

    /// Reads `config.json` of a checkpoint directory.
    pub fn from_directory(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("config.json");
        let json =
            std::fs::read(&path).map_err(|source| Error::Io { path: path.clone(), source })?;
        Self::from_json(&json, &path.display().to_string())
    }

    /// Query heads that share one key/value head.
    pub fn group_size(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }

    /// Weights of the checkpoint; the layers count once, however often they run.
    pub fn n_parameters(&self) -> usize {
        let hidden = self.hidden_size;
        let attention = 2 * hidden * self.head_dim * (self.n_heads + self.n_kv_heads);
        let gate = match self.n_loops {
            1 => 0,
            _ => self.n_heads * (hidden + 1) + hidden,
        };
        let layer = attention + 3 * hidden * self.intermediate_size + 2 * hidden + gate;
        let n_tables = if self.tie_word_embeddings { 1 } else { 2 };
        n_tables * self.vocab_size * hidden + self.n_layers * layer + hidden
    }
}

impl Raw {
    fn check_architecture(&self, origin: &str) -> Result<(), Error> {
        let by_class = self.architectures.iter().any(|name| name == "IQuestPLTCoderForCausalLM");
        let by_type = self.model_type.as_deref() == Some("iquestpltcoder");
        if by_class || by_type {
            return Ok(());
        }
        let found = match self.architectures.first() {
            Some(name) => name.clone(),
            None => self.model_type.clone().unwrap_or_else(|| "none".to_owned()),
        };
        Err(Error::Architecture { origin: origin.to_owned(), found })
    }

    fn into_config(self) -> Result<Config, String> {
        let n_kv_heads = self.num_key_value_heads.unwrap_or(self.num_attention_heads);
        for (name, value) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", n_kv_heads),
            ("head_dim", self.head_dim.unwrap_or(1)),
            ("max_position_embeddings", self.max_position_embeddings),
        ] {
            if value == 0 || MAX_DIMENSION < value {
                return Err(format!("{name} is {value}; it must lie in 1..={MAX_DIMENSION}"));
            }
        }
        if !self.num_attention_heads.is_multiple_of(n_kv_heads) {
            return Err(format!(
                "num_attention_heads {} is not a multiple of num_key_value_heads {n_kv_heads}",
                self.num_attention_heads
            ));
        }
        let head_dim = match self.head_dim {
            Some(head_dim) => head_dim,
            None if self.hidden_size.is_multiple_of(self.num_attention_heads) => {
                self.hidden_size / self.num_attention_heads
            }
            None => {
                return Err(format!(
                    "hidden_size {} is not a multiple of num_attention_heads {} and head_dim is absent",
                    self.hidden_size, self.num_attention_heads
                ));
            }
        };
        if !head_dim.is_multiple_of(2) {
            return Err(format!("head_dim {head_dim} is odd; rotary embedding needs it even"));
        }
        if let Some(activation) = &self.hidden_act
            && activation != "silu"
        {
            return Err(format!("hidden_act {activation:?} is not supported; expected \"silu\""));
        }
        if self.rope_scaling.is_some() {
            return Err("rope_scaling is not supported".to_owned());
        }
        if self.attention_bias || self.mlp_bias {
            return Err("attention_bias and mlp_bias are not supported".to_owned());
        }
        let n_loops = self.plt_num_loops.unwrap_or(1).max(1);
        if MAX_LOOPS < n_loops {
            return Err(format!("plt_num_loops is {n_loops}; at most {MAX_LOOPS} are supported"));
        }
        if 1 < n_loops && !self.plt_gate_use_hidden_states.unwrap_or(false) {
            return Err(
                "plt_gate_use_hidden_states is not true; gates that read the query are not supported"
                    .to_owned(),
            );
        }
        let window = match self.plt_window_size.unwrap_or(CLASS_WINDOW) {
            [left, 0] if 0 <= left => {
                usize::try_from(left).map_err(|error| format!("plt_window_size: {error}"))?
            }
            other => return Err(format!("plt_window_size {other:?} is not of the form [left, 0]")),
        };
        let scales = [self.plt_emb_scale.unwrap_or(1.0), self.plt_hidden_scale.unwrap_or(1.0)];
        let constants = [self.rms_norm_eps, self.rope_theta];
        if scales.iter().chain(&constants).any(|value| !value.is_finite()) {
            return Err("a scale, rms_norm_eps or rope_theta is not finite".to_owned());
        }
        if constants.iter().any(|value| *value <= 0.0) {
            return Err("rms_norm_eps and rope_theta must be positive".to_owned());
        }
        Ok(Config {
            vocab_size: self.vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads,
            head_dim,
            max_positions: self.max_position_embeddings,
            rms_norm_eps: self.rms_norm_eps,
            rope_theta: self.rope_theta,
            tie_word_embeddings: self.tie_word_embeddings,
            n_loops,
            window,
            normalize_per_loop: self.plt_normalize_per_loop.unwrap_or(true),
            emb_scale: scales[0],
            hidden_scale: scales[1],
            eos_token_ids: match self.eos_token_id {
                None => Vec::new(),
                Some(EosTokenId::One(id)) => vec![id],
                Some(EosTokenId::Several(ids)) => ids,
            },
            name: self.name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"{"model_type":"iquestpltcoder","hidden_size":32,"intermediate_size":40,
        "num_hidden_layers":2,"num_attention_heads":4,"plt_gate_use_hidden_states":true"#;

    #[track_caller]
    fn parse(more: &str) -> Result<Config, String> {
        Config::from_json(format!("{SMALL}{more}}}").as_bytes(), "config.json")
            .map_err(|error| error.to_string())
    }

    #[track_caller]
    fn check_error(more: &str, expected: &str) {
        let error = parse(more).expect_err("the config should be refused");
        assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
    }

    #[test]
    fn absent_fields_take_the_class_defaults() {
        let config = parse("").unwrap();
        assert_eq!((config.n_loops, config.window, config.vocab_size), (1, 64, 75904));
        assert_eq!((config.emb_scale, config.hidden_scale), (1.0, 1.0));
        assert!(config.normalize_per_loop);
        assert!(!config.tie_word_embeddings);
        assert_eq!((config.n_kv_heads, config.head_dim), (4, 8));
    }

    #[test]
    fn the_released_shape_has_7_6_billion_parameters() {
        let json = r#"{"architectures":["IQuestPLTCoderForCausalLM"],"vocab_size":76800,
            "hidden_size":5120,"intermediate_size":27648,"num_hidden_layers":14,
            "num_attention_heads":40,"num_key_value_heads":8,"head_dim":128,
            "plt_num_loops":2,"plt_gate_use_hidden_states":true}"#;
        let config = Config::from_json(json.as_bytes(), "config.json").unwrap();
        assert_eq!(config.n_parameters(), 7_615_749_680);
    }

    #[test]
    fn null_scales_mean_one() {
        let config = parse(r#","plt_emb_scale":null,"plt_hidden_scale":null"#).unwrap();
        assert_eq!((config.emb_scale, config.hidden_scale), (1.0, 1.0));
    }

    #[test]
    fn eos_may_be_one_or_several() {
        assert_eq!(parse(r#","eos_token_id":7"#).unwrap().eos_token_ids, [7]);
        assert_eq!(parse(r#","eos_token_id":[2,75864]"#).unwrap().eos_token_ids, [2, 75864]);
    }

    #[test]
    fn bad_fields_are_named() {
        check_error(r#","num_key_value_heads":3"#, "not a multiple of num_key_value_heads 3");
        check_error(r#","num_key_value_heads":0"#, "num_key_value_heads is 0");
        check_error(r#","head_dim":7"#, "head_dim 7 is odd");
        check_error(r#","hidden_act":"gelu""#, "gelu");
        check_error(r#","rope_scaling":{"factor":2}"#, "rope_scaling");
        check_error(r#","plt_num_loops":99"#, "plt_num_loops is 99");
        check_error(r#","plt_window_size":[64,1]"#, "plt_window_size");
        check_error(r#","plt_window_size":[-2,0]"#, "plt_window_size");
        check_error(r#","vocab_size":99999999999"#, "vocab_size");
        check_error(r#","rope_theta":0"#, "positive");
        check_error(r#","attention_bias":true"#, "attention_bias");
    }

    #[test]
    fn query_gated_loops_are_refused() {
        let json = SMALL.replace("\"plt_gate_use_hidden_states\":true", "\"plt_num_loops\":2");
        let error = Config::from_json(format!("{json}}}").as_bytes(), "config.json").unwrap_err();
        assert!(error.to_string().contains("plt_gate_use_hidden_states"), "{error}");
    }

    #[test]
    fn other_architectures_are_named() {
        let json = SMALL.replace("iquestpltcoder", "gpt2");
        let error = Config::from_json(format!("{json}}}").as_bytes(), "config.json").unwrap_err();
        assert!(error.to_string().contains("\"gpt2\""), "{error}");
    }

    #[test]
    fn malformed_json_names_the_file() {
        let error = Config::from_json(b"{", "some/config.json").unwrap_err().to_string();
        assert!(error.starts_with("some/config.json: "), "{error}");
    }
}
