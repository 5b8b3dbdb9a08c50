//! Random checkpoints of shapes that kernels know, in every format of weights.

use std::path::Path;

use half::bf16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::json;
use tempfile::TempDir;

use crate::verify::layout;
use crate::{
    CacheOptions, Config, DType, DeviceChoice, Format, LoadOptions, Plt, Weights, quantize,
};

/// What differs from model to model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Checkpoint {
    pub(super) n_loops: usize,
    pub(super) n_layers: usize,
    pub(super) head_dim: usize,
    pub(super) n_heads: usize,
    pub(super) n_kv_heads: usize,
    pub(super) window: usize,
    pub(super) max_positions: usize,
    pub(super) is_tied: bool,
    pub(super) normalizes: bool,
    /// `None` is bf16.
    pub(super) format: Option<Format>,
    /// Of the weights.
    pub(super) seed: u32,
}

impl Checkpoint {
    pub(super) const PLAIN: Self = Self {
        n_loops: 2,
        n_layers: 2,
        head_dim: 32,
        n_heads: 4,
        n_kv_heads: 2,
        window: 5,
        max_positions: 512,
        is_tied: false,
        normalizes: true,
        format: None,
        seed: 1,
    };

    /// Random as real weights are: norms near 1, matrices that keep the size of what they multiply.
    fn write(self, directory: &Path) {
        let json = json!({
            "architectures": ["IQuestPLTCoderForCausalLM"],
            "model_type": "iquestpltcoder",
            "vocab_size": 96,
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_hidden_layers": self.n_layers,
            "num_attention_heads": self.n_heads,
            "num_key_value_heads": self.n_kv_heads,
            "head_dim": self.head_dim,
            "hidden_act": "silu",
            "max_position_embeddings": self.max_positions,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10_000.0,
            "rope_scaling": null,
            "attention_bias": false,
            "mlp_bias": false,
            "tie_word_embeddings": self.is_tied,
            "bos_token_id": null,
            "eos_token_id": [0],
            "plt_num_loops": self.n_loops,
            "plt_window_size": [self.window, 0],
            "plt_normalize_per_loop": self.normalizes,
            "plt_emb_scale": 0.7,
            "plt_hidden_scale": 0.5,
            "plt_gate_use_hidden_states": true,
        });
        std::fs::write(directory.join("config.json"), json.to_string()).unwrap();
        let config = Config::from_directory(directory).unwrap();
        let mut state = self.seed;
        let mut draw = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = layout(&config)
            .into_iter()
            .map(|(name, shape)| {
                let n: usize = shape.iter().product();
                let (centre, spread) = match shape.as_slice() {
                    _ if name.ends_with("embed_tokens.weight") => (0.0, 1.0),
                    [_, n_inputs] => (0.0, 1.7 / (*n_inputs as f32).sqrt()),
                    _ if name.ends_with("bias") => (0.0, 0.5),
                    _ => (1.0, 0.2),
                };
                let value = |_| bf16::from_f32(centre + spread * draw()).to_le_bytes();
                (name, shape, (0..n).flat_map(value).collect())
            })
            .collect();
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (name, TensorView::new(Dtype::BF16, shape.clone(), bytes).unwrap())
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        std::fs::write(directory.join("model.safetensors"), bytes).unwrap();
        if let Some(format) = self.format {
            let rounded = tempfile::tempdir().unwrap();
            let weights = Weights::from_directory(directory).unwrap();
            quantize(&weights, format, rounded.path()).unwrap();
            drop(weights);
            let name = "model.safetensors";
            std::fs::copy(rounded.path().join(name), directory.join(name)).unwrap();
        }
    }

    pub(super) fn models(self, index: usize, cache: CacheOptions) -> Models {
        let directory = tempfile::tempdir().unwrap();
        self.write(directory.path());
        let load = |device, dtype| {
            let options = LoadOptions { device, cache, dtype, ..LoadOptions::default() };
            Plt::from_directory(directory.path(), options).unwrap()
        };
        Models {
            gpu: load(DeviceChoice::Cuda(index), DType::F32),
            cpu: load(DeviceChoice::Cpu, DType::F32),
            exact: load(DeviceChoice::Cpu, DType::F64),
            directory,
        }
    }
}

/// The same model three times.
pub(super) struct Models {
    pub(super) gpu: Plt,
    pub(super) cpu: Plt,
    /// In double precision, with the same weights.
    pub(super) exact: Plt,
    pub(super) directory: TempDir,
}
