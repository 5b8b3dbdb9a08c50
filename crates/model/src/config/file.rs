//! `config.json` of a checkpoint, with the fall-backs of its configuration class, checked.

use serde::Deserialize;

use crate::Error;
use crate::config::Config;

/// Largest value accepted for any one dimension; anything above is a damaged file, not a model.
const MAX_DIMENSION: usize = 1 << 24;

/// More loops than any released model by far; bounds the work a damaged file can ask for.
const MAX_LOOPS: usize = 16;

const CLASS_WINDOW: [i64; 2] = [64, 0];

#[derive(Deserialize)]
pub(super) struct File {
    #[serde(default)]
    architectures: Vec<String>,
    model_type: Option<String>,
    #[serde(rename = "_name_or_path")]
    name: Option<String>,
    vocab_size: Option<usize>,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<String>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    rope_theta: Option<f64>,
    rope_scaling: Option<RopeParameters>,
    /// Newer files put the base in here, beside the kind of scaling.
    rope_parameters: Option<RopeParameters>,
    partial_rotary_factor: Option<f64>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    tie_word_embeddings: bool,
    use_sliding_window: Option<bool>,
    sliding_window: Option<serde_json::Value>,
    #[serde(default)]
    layer_types: Vec<String>,
    eos_token_id: Option<EosTokenId>,
    plt_num_loops: Option<usize>,
    plt_window_size: Option<[i64; 2]>,
    plt_normalize_per_loop: Option<bool>,
    plt_emb_scale: Option<f64>,
    plt_hidden_scale: Option<f64>,
    plt_gate_use_hidden_states: Option<bool>,
}

#[derive(Deserialize)]
struct RopeParameters {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
    factor: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum EosTokenId {
    One(u32),
    Several(Vec<u32>),
}

/// Configuration class: what absent fields mean, and which fields count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plt,
    Llama,
    Qwen2,
}

/// Values of absent fields.
struct Defaults {
    vocab_size: usize,
    max_positions: usize,
    rms_norm_eps: f64,
    rope_theta: f64,
}

impl Class {
    const ALL: [(Self, &str, &str); 3] = [
        (Self::Plt, "IQuestPLTCoderForCausalLM", "iquestpltcoder"),
        (Self::Llama, "LlamaForCausalLM", "llama"),
        (Self::Qwen2, "Qwen2ForCausalLM", "qwen2"),
    ];

    /// The class as `transformers` defines it.
    fn defaults(self) -> Defaults {
        match self {
            Self::Plt => Defaults {
                vocab_size: 75904,
                max_positions: 131_072,
                rms_norm_eps: 1e-5,
                rope_theta: 500_000.0,
            },
            Self::Llama => Defaults {
                vocab_size: 32000,
                max_positions: 2048,
                rms_norm_eps: 1e-6,
                rope_theta: 10_000.0,
            },
            Self::Qwen2 => Defaults {
                vocab_size: 151_936,
                max_positions: 32768,
                rms_norm_eps: 1e-6,
                rope_theta: 10_000.0,
            },
        }
    }
}

impl File {
    pub(super) fn into_config(self, origin: &str) -> Result<Config, Error> {
        let Some(class) = self.class() else {
            let found = match self.architectures.first() {
                Some(name) => name.clone(),
                None => self.model_type.unwrap_or_else(|| "none".to_owned()),
            };
            return Err(Error::Architecture { origin: origin.to_owned(), found });
        };
        self.checked(class).map_err(|reason| Error::Config { origin: origin.to_owned(), reason })
    }

    /// By the architecture, which tells a language model from a classifier of the same type; by the type where
    /// the file names no architecture. A PLT is known by its type alone.
    fn class(&self) -> Option<Class> {
        let found = Class::ALL.iter().find(|(class, architecture, model_type)| {
            let by_type = self.model_type.as_deref() == Some(model_type);
            self.architectures.iter().any(|name| name == architecture)
                || by_type && (self.architectures.is_empty() || *class == Class::Plt)
        });
        found.map(|(class, _, _)| *class)
    }

    fn checked(self, class: Class) -> Result<Config, String> {
        let defaults = class.defaults();
        let vocab_size = self.vocab_size.unwrap_or(defaults.vocab_size);
        let max_positions = self.max_position_embeddings.unwrap_or(defaults.max_positions);
        let n_kv_heads = self.num_key_value_heads.unwrap_or(self.num_attention_heads);
        for (name, value) in [
            ("vocab_size", vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("num_key_value_heads", n_kv_heads),
            ("head_dim", self.head_dim.unwrap_or(1)),
            ("max_position_embeddings", max_positions),
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
        let head_dim = self.head_dim()?;
        if let Some(activation) = &self.hidden_act
            && activation != "silu"
        {
            return Err(format!("hidden_act {activation:?} is not supported; expected \"silu\""));
        }
        let rope_theta = self.rope_theta()?.unwrap_or(defaults.rope_theta);
        if self.attention_bias || self.mlp_bias {
            return Err("attention_bias and mlp_bias are not supported".to_owned());
        }
        self.check_attention(class)?;
        let n_loops = self.n_loops(class)?;
        let window = match self.plt_window_size.unwrap_or(CLASS_WINDOW) {
            [left, 0] if 0 <= left => {
                let left = usize::try_from(left).map_err(|e| format!("plt_window_size: {e}"))?;
                // A wider one sees no more.
                left.min(max_positions)
            }
            other => return Err(format!("plt_window_size {other:?} is not of the form [left, 0]")),
        };
        let scales = [self.plt_emb_scale.unwrap_or(1.0), self.plt_hidden_scale.unwrap_or(1.0)];
        let rms_norm_eps = self.rms_norm_eps.unwrap_or(defaults.rms_norm_eps);
        let constants = [rms_norm_eps, rope_theta];
        if scales.iter().chain(&constants).any(|value| !value.is_finite()) {
            return Err("a scale, rms_norm_eps or rope_theta is not finite".to_owned());
        }
        if constants.iter().any(|value| *value <= 0.0) {
            return Err("rms_norm_eps and rope_theta must be positive".to_owned());
        }
        Ok(Config {
            vocab_size,
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            n_layers: self.num_hidden_layers,
            n_heads: self.num_attention_heads,
            n_kv_heads,
            head_dim,
            max_positions,
            rms_norm_eps,
            rope_theta,
            tie_word_embeddings: self.tie_word_embeddings,
            qkv_bias: class == Class::Qwen2,
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

    fn head_dim(&self) -> Result<usize, String> {
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
        Ok(head_dim)
    }

    /// Base of the rotary embedding, if the file gives one; anything but plain rotation is refused.
    fn rope_theta(&self) -> Result<Option<f64>, String> {
        let given =
            [("rope_parameters", &self.rope_parameters), ("rope_scaling", &self.rope_scaling)];
        let mut theta = None;
        for (name, parameters) in given {
            let Some(parameters) = parameters else { continue };
            match (parameters.rope_type.as_deref(), parameters.factor) {
                (Some("default"), _) | (None, None) => {}
                (kind, _) => {
                    let kind = kind.unwrap_or("by a factor");
                    return Err(format!(
                        "{name}: scaling {kind:?} is not supported; expected none"
                    ));
                }
            }
            theta = theta.or(parameters.rope_theta);
        }
        if self.partial_rotary_factor.is_some_and(|factor| factor != 1.0) {
            return Err("partial_rotary_factor is not supported; expected whole heads".to_owned());
        }
        Ok(theta.or(self.rope_theta))
    }

    /// Refuses attention that does not see every token before.
    fn check_attention(&self, class: Class) -> Result<(), String> {
        let slides = match (class, self.use_sliding_window) {
            // Qwen2 names a window that its switch turns off.
            (Class::Qwen2, None | Some(false)) | (_, Some(false)) => false,
            _ => self.sliding_window.as_ref().is_some_and(|window| !window.is_null()),
        };
        if slides {
            return Err("sliding_window is not supported; expected full attention".to_owned());
        }
        match self.layer_types.iter().find(|kind| *kind != "full_attention") {
            Some(kind) => Err(format!("layer type {kind:?} is not supported")),
            None => Ok(()),
        }
    }

    fn n_loops(&self, class: Class) -> Result<usize, String> {
        if class != Class::Plt {
            return Ok(1);
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
        Ok(n_loops)
    }
}
