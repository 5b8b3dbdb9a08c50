//! A small random checkpoint, written as safetensors with `config.json` and as a GGUF file.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::{Dtype, TensorView};
use serde_json::json;
use test_support::gguf::GgufFile;

const HIDDEN: usize = 32;
const MLP: usize = 64;
const VOCAB: usize = 48;
const N_HEADS: usize = 4;
const N_KV_HEADS: usize = 2;

/// What matrices are stored as; vectors are stored in single precision by all but `F16` and `Bf16` safetensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    F32,
    F16,
    Bf16,
    Q8,
}

impl Stored {
    fn number(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
            Self::Bf16 => 30,
            Self::Q8 => 8,
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 | Self::Q8 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }

    fn bytes(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::F16 => {
                values.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect()
            }
            Self::Bf16 => {
                values.iter().flat_map(|value| half::bf16::from_f32(*value).to_le_bytes()).collect()
            }
            Self::Q8 => values.chunks(32).flat_map(q8_block).collect(),
        }
    }
}

/// A scale and 32 signed bytes.
fn q8_block(values: &[f32]) -> Vec<u8> {
    let largest = values.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    let scale = half::f16::from_f32(largest / 127.0);
    let bytes =
        values.iter().flat_map(|value| ((value / scale.to_f32()).round() as i8).to_le_bytes());
    scale.to_le_bytes().into_iter().chain(bytes).collect()
}

/// Tensors under their released names.
pub(super) struct Checkpoint {
    architecture: &'static str,
    head_dim: usize,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl Checkpoint {
    pub(super) fn new(architecture: &'static str) -> Self {
        Self::with_heads(architecture, HIDDEN / N_HEADS)
    }

    /// Of heads that are so wide.
    pub(super) fn with_heads(architecture: &'static str, head_dim: usize) -> Self {
        let (queries, key_values) = (N_HEADS * head_dim, N_KV_HEADS * head_dim);
        let mut checkpoint = Self { architecture, head_dim, tensors: BTreeMap::new() };
        checkpoint.add("model.embed_tokens.weight", &[VOCAB, HIDDEN]);
        checkpoint.add("lm_head.weight", &[VOCAB, HIDDEN]);
        checkpoint.add("model.norm.weight", &[HIDDEN]);
        for layer in 0..2 {
            let mut add = |name: &str, shape: &[usize]| {
                checkpoint.add(&format!("model.layers.{layer}.{name}"), shape);
            };
            add("input_layernorm.weight", &[HIDDEN]);
            add("post_attention_layernorm.weight", &[HIDDEN]);
            for (name, out) in [("q", queries), ("k", key_values), ("v", key_values)] {
                add(&format!("self_attn.{name}_proj.weight"), &[out, HIDDEN]);
                if architecture == "qwen2" {
                    add(&format!("self_attn.{name}_proj.bias"), &[out]);
                }
            }
            add("self_attn.o_proj.weight", &[HIDDEN, queries]);
            add("mlp.gate_proj.weight", &[MLP, HIDDEN]);
            add("mlp.up_proj.weight", &[MLP, HIDDEN]);
            add("mlp.down_proj.weight", &[HIDDEN, MLP]);
        }
        checkpoint
    }

    pub(super) fn tied(mut self) -> Self {
        self.tensors.remove("lm_head.weight");
        self
    }

    pub(super) fn values_of(&mut self, name: &str) -> &mut Vec<f32> {
        &mut self.tensors.get_mut(name).expect("the tensor is there").1
    }

    /// Values between -0.5 and 0.5 that depend on the name alone.
    fn add(&mut self, name: &str, shape: &[usize]) {
        let mut state =
            name.bytes().fold(7_u64, |state, byte| state.wrapping_mul(31) ^ u64::from(byte));
        let values = (0..shape.iter().product()).map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 24) as f32 - 0.5
        });
        self.tensors.insert(name.to_owned(), (shape.to_vec(), values.collect()));
    }

    pub(super) fn write_released(&self, directory: &Path, stored: Stored) {
        let class = match self.architecture {
            "qwen2" => "Qwen2ForCausalLM",
            _ => "LlamaForCausalLM",
        };
        let config = json!({
            "architectures": [class], "vocab_size": VOCAB, "hidden_size": HIDDEN,
            "intermediate_size": MLP, "num_hidden_layers": 2, "num_attention_heads": N_HEADS,
            "num_key_value_heads": N_KV_HEADS, "head_dim": self.head_dim, "max_position_embeddings": 64, "rms_norm_eps": 1e-5_f32 as f64,
            "rope_theta": 5e4, "tie_word_embeddings": !self.tensors.contains_key("lm_head.weight"),
        });
        std::fs::write(directory.join("config.json"), config.to_string()).unwrap();
        let tensors: Vec<_> = self
            .tensors
            .iter()
            .map(|(name, (shape, values))| (name, shape, type_of(shape, stored), values))
            .map(|(name, shape, stored, values)| (name, shape, stored, stored.bytes(values)))
            .collect();
        let views = tensors.iter().map(|(name, shape, stored, bytes)| {
            (name, TensorView::new(stored.dtype(), (*shape).clone(), bytes).unwrap())
        });
        let path = directory.join("model.safetensors");
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
    }

    pub(super) fn write_gguf(
        &self,
        path: &Path,
        stored: Stored,
        change: impl FnOnce(&mut GgufFile),
    ) {
        let name = self.architecture;
        let mut file = GgufFile::default();
        file.text("general.architecture", name);
        for (key, value) in [
            ("block_count", 2),
            ("context_length", 64),
            ("embedding_length", HIDDEN),
            ("feed_forward_length", MLP),
            ("attention.head_count", N_HEADS),
            ("attention.head_count_kv", N_KV_HEADS),
            ("attention.key_length", self.head_dim),
            ("attention.value_length", self.head_dim),
        ] {
            file.integer(&format!("{name}.{key}"), value as u64);
        }
        file.float(&format!("{name}.attention.layer_norm_rms_epsilon"), 1e-5);
        file.float(&format!("{name}.rope.freq_base"), 5e4);
        for (released, (shape, values)) in &self.tensors {
            let stored = type_of(shape, stored);
            let name = gguf_name(released);
            let paired = self.architecture == "llama"
                && (released.ends_with("q_proj.weight") || released.ends_with("k_proj.weight"));
            let values = if paired { in_pairs(values, self.head_dim) } else { values.clone() };
            let dimensions: Vec<u64> = shape.iter().rev().map(|size| *size as u64).collect();
            file.tensor(&name, &dimensions, stored.number(), stored.bytes(&values));
        }
        change(&mut file);
        file.write(path);
    }
}

/// Vectors are never quantised.
fn type_of(shape: &[usize], stored: Stored) -> Stored {
    match shape {
        [_, _] => stored,
        _ => Stored::F32,
    }
}

/// Rows as converters write them: element i of a head's first half, then element i of its second.
fn in_pairs(values: &[f32], head_dim: usize) -> Vec<f32> {
    let rows: Vec<&[f32]> = values.chunks(HIDDEN).collect();
    let half = head_dim / 2;
    let order = |row: usize| row / head_dim * head_dim + row % head_dim / 2 + row % 2 * half;
    (0..rows.len()).flat_map(|row| rows[order(row)].iter().copied()).collect()
}

fn gguf_name(released: &str) -> String {
    let mut name = released.to_owned();
    for (from, to) in [
        ("model.layers.", "blk."),
        ("model.embed_tokens", "token_embd"),
        ("model.norm", "output_norm"),
        ("lm_head", "output"),
        ("input_layernorm", "attn_norm"),
        ("post_attention_layernorm", "ffn_norm"),
        ("self_attn.o_proj", "attn_output"),
        ("self_attn.", "attn_"),
        ("mlp.", "ffn_"),
        ("_proj", ""),
    ] {
        name = name.replace(from, to);
    }
    name
}
