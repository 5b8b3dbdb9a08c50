//! A tiny random model on disk, in the layout of the released checkpoints: config.json, model.safetensors, tokenizer.json.

use std::fs;
use std::path::Path;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use crate::byte_level::{byte_level_character, byte_level_tokenizer};
use crate::gguf::GgufFile;

/// Ids of a byte-level vocabulary without merges; special tokens follow the 256 bytes.
pub const SPECIAL_TOKENS: [&str; 8] = [
    "<|endoftext|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|file_sep|>",
    "<|repo_name|>",
    "<|im_end|>",
];
/// Id of the first of [`SPECIAL_TOKENS`].
pub const END_OF_TEXT: u32 = 256;

/// More rows than ids, as in released checkpoints.
const VOCAB_SIZE: usize = 272;
const HIDDEN: usize = 32;
const INTERMEDIATE: usize = 64;
const N_HEADS: usize = 4;
const N_KV_HEADS: usize = 2;
const HEAD_DIM: usize = HIDDEN / N_HEADS;

/// ggml's numbers of types of tensors and of kinds of tokens.
const F32: u32 = 0;
const Q8_0: u32 = 8;
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;

/// Values of a block, and a scale of 1/256 in half precision.
const Q8_0_LEN: usize = 32;
const Q8_0_SCALE: [u8; 2] = 0x1c00_u16.to_le_bytes();

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TinyModel {
    pub seed: u64,
    pub n_layers: usize,
    pub n_loops: usize,
    /// Tokens, prompt and answer together.
    pub n_context: usize,
}

impl TinyModel {
    pub const SMALL: Self = Self { seed: 1, n_layers: 2, n_loops: 2, n_context: 4096 };

    /// Writes the three files; the same values give the same bytes.
    #[track_caller]
    pub fn write(self, directory: &Path) {
        let write = |name: &str, bytes: &[u8]| {
            fs::write(directory.join(name), bytes).expect("a file of the checkpoint")
        };
        write("config.json", self.config().to_string().as_bytes());
        write("tokenizer.json", tokenizer().to_string().as_bytes());
        write("model.safetensors", &self.weights());
    }

    fn config(self) -> Value {
        json!({
            "architectures": ["IQuestPLTCoderForCausalLM"],
            "model_type": "iquestpltcoder",
            "vocab_size": VOCAB_SIZE,
            "hidden_size": HIDDEN,
            "intermediate_size": INTERMEDIATE,
            "num_hidden_layers": self.n_layers,
            "num_attention_heads": N_HEADS,
            "num_key_value_heads": N_KV_HEADS,
            "head_dim": HEAD_DIM,
            "hidden_act": "silu",
            "max_position_embeddings": self.n_context,
            "rms_norm_eps": 1e-5,
            "rope_theta": 500_000.0,
            "rope_scaling": null,
            "attention_bias": false,
            "mlp_bias": false,
            "tie_word_embeddings": true,
            "torch_dtype": "float32",
            "bos_token_id": null,
            "eos_token_id": [END_OF_TEXT],
            "plt_num_loops": self.n_loops,
            "plt_window_size": [64, 0],
            "plt_normalize_per_loop": true,
            "plt_emb_scale": 0.707,
            "plt_hidden_scale": 0.5,
            "plt_gate_use_hidden_states": true,
        })
    }

    /// Writes a GGUF file of a model of one loop with matrices in Q8_0 and the same tokenizer; neither scale nor values are
    /// those of [`Self::write`].
    #[track_caller]
    pub fn write_gguf(self, path: &Path) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut file = GgufFile::default();
        file.text("general.architecture", "llama");
        for (key, value) in [
            ("block_count", self.n_layers),
            ("context_length", self.n_context),
            ("embedding_length", HIDDEN),
            ("feed_forward_length", INTERMEDIATE),
            ("attention.head_count", N_HEADS),
            ("attention.head_count_kv", N_KV_HEADS),
        ] {
            file.integer(&format!("llama.{key}"), value as u64);
        }
        file.float("llama.attention.layer_norm_rms_epsilon", 1e-5);
        file.text("tokenizer.ggml.model", "gpt2");
        file.text("tokenizer.ggml.pre", "gpt-2");
        let bytes: Vec<String> =
            (0..=255).map(|byte| byte_level_character(byte).to_string()).collect();
        let spellings = bytes.iter().map(String::as_str).chain(SPECIAL_TOKENS);
        file.texts("tokenizer.ggml.tokens", spellings);
        let kinds = bytes.iter().map(|_| NORMAL).chain(SPECIAL_TOKENS.map(|_| CONTROL));
        file.integers("tokenizer.ggml.token_type", kinds);
        file.texts("tokenizer.ggml.merges", []);
        file.integer("tokenizer.ggml.eos_token_id", END_OF_TEXT.into());
        file.text("tokenizer.chat_template", "{{ messages[0].content }}<|im_end|>");

        let mut matrix = |name: String, [n_outputs, n_inputs]: [usize; 2]| {
            let block = |_| [&Q8_0_SCALE[..], &rng.random::<[u8; Q8_0_LEN]>()].concat();
            let bytes = (0..n_outputs * n_inputs / Q8_0_LEN).flat_map(block).collect();
            file.tensor(&name, &[n_inputs as u64, n_outputs as u64], Q8_0, bytes);
        };
        matrix("token_embd.weight".into(), [VOCAB_SIZE, HIDDEN]);
        for layer in 0..self.n_layers {
            let kv = N_KV_HEADS * HEAD_DIM;
            for (name, shape) in [
                ("attn_q", [HIDDEN, HIDDEN]),
                ("attn_k", [kv, HIDDEN]),
                ("attn_v", [kv, HIDDEN]),
                ("attn_output", [HIDDEN, HIDDEN]),
                ("ffn_gate", [INTERMEDIATE, HIDDEN]),
                ("ffn_up", [INTERMEDIATE, HIDDEN]),
                ("ffn_down", [HIDDEN, INTERMEDIATE]),
            ] {
                matrix(format!("blk.{layer}.{name}.weight"), shape);
            }
        }
        let mut norm = |name: String| {
            let ones = [1_f32; HIDDEN].map(f32::to_le_bytes).concat();
            file.tensor(&name, &[HIDDEN as u64], F32, ones);
        };
        norm("output_norm.weight".into());
        for layer in 0..self.n_layers {
            norm(format!("blk.{layer}.attn_norm.weight"));
            norm(format!("blk.{layer}.ffn_norm.weight"));
        }
        file.write(path);
    }

    fn weights(self) -> Vec<u8> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        let mut add = |name: String, shape: &[usize], centre: f32, spread: f32| {
            let n_values = shape.iter().product();
            let values = (0..n_values).map(|_| centre + spread * (rng.random::<f32>() * 2.0 - 1.0));
            tensors.push((name, shape.to_vec(), values.flat_map(f32::to_le_bytes).collect()));
        };
        add("model.embed_tokens.weight".into(), &[VOCAB_SIZE, HIDDEN], 0.0, 0.5);
        add("model.norm.weight".into(), &[HIDDEN], 1.0, 0.2);
        for layer in 0..self.n_layers {
            let layer = format!("model.layers.{layer}");
            let kv = N_KV_HEADS * HEAD_DIM;
            for (name, shape) in [
                ("self_attn.q_proj", [HIDDEN, HIDDEN]),
                ("self_attn.k_proj", [kv, HIDDEN]),
                ("self_attn.v_proj", [kv, HIDDEN]),
                ("self_attn.o_proj", [HIDDEN, HIDDEN]),
                ("self_attn.plt_gate", [N_HEADS, HIDDEN]),
                ("mlp.gate_proj", [INTERMEDIATE, HIDDEN]),
                ("mlp.up_proj", [INTERMEDIATE, HIDDEN]),
                ("mlp.down_proj", [HIDDEN, INTERMEDIATE]),
            ] {
                add(format!("{layer}.{name}.weight"), &shape, 0.0, 0.4);
            }
            add(format!("{layer}.self_attn.plt_gate.bias"), &[N_HEADS], 0.0, 0.5);
            for name in
                ["input_layernorm", "post_attention_layernorm", "self_attn.plt_gate.gate_norm"]
            {
                add(format!("{layer}.{name}.weight"), &[HIDDEN], 1.0, 0.2);
            }
        }
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                name.as_str(),
                TensorView::new(Dtype::F32, shape.clone(), bytes)
                    .expect("bytes that fill the shape"),
            )
        });
        safetensors::serialize(views, None).expect("a file in memory")
    }
}

/// A `tokenizer.json` whose ids 0..256 are the bytes.
fn tokenizer() -> Value {
    let bytes = (0..=255_u8).map(|byte| (byte_level_character(byte).to_string(), json!(byte)));
    byte_level_tokenizer(bytes.collect(), (END_OF_TEXT..).zip(SPECIAL_TOKENS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_files_are_there_and_repeatable() {
        let read = |directory: &Path| {
            ["config.json", "tokenizer.json", "model.safetensors"]
                .map(|name| fs::read(directory.join(name)).unwrap())
        };
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        TinyModel::SMALL.write(one.path());
        TinyModel::SMALL.write(two.path());
        assert_eq!(read(one.path()), read(two.path()));
        TinyModel { seed: 2, ..TinyModel::SMALL }.write(two.path());
        assert_ne!(read(one.path()), read(two.path()));
    }

    #[test]
    fn tensors_follow_the_released_layout() {
        let bytes = TinyModel::SMALL.weights();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        // Tied embeddings: one tensor fewer than the 3 + 12 per layer of the released files.
        assert_eq!(tensors.len(), 2 + 12 * TinyModel::SMALL.n_layers);
        assert_eq!(
            tensors.tensor("model.layers.1.self_attn.plt_gate.weight").unwrap().shape(),
            [N_HEADS, HIDDEN]
        );
    }
}
