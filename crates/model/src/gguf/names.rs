//! What GGUF files call the tensors of a checkpoint.

use super::Architecture;
use crate::config::Config;

const WHOLE: [(&str, &str); 3] = [
    ("token_embd.weight", "model.embed_tokens.weight"),
    ("output_norm.weight", "model.norm.weight"),
    ("output.weight", "lm_head.weight"),
];

/// Behind `blk.N.` and `model.layers.N.`.
const IN_LAYER: [(&str, &str); 9] = [
    ("attn_norm.weight", "input_layernorm.weight"),
    ("attn_q.weight", "self_attn.q_proj.weight"),
    ("attn_k.weight", "self_attn.k_proj.weight"),
    ("attn_v.weight", "self_attn.v_proj.weight"),
    ("attn_output.weight", "self_attn.o_proj.weight"),
    ("ffn_norm.weight", "post_attention_layernorm.weight"),
    ("ffn_gate.weight", "mlp.gate_proj.weight"),
    ("ffn_up.weight", "mlp.up_proj.weight"),
    ("ffn_down.weight", "mlp.down_proj.weight"),
];

const BIASES: [(&str, &str); 3] = [
    ("attn_q.bias", "self_attn.q_proj.bias"),
    ("attn_k.bias", "self_attn.k_proj.bias"),
    ("attn_v.bias", "self_attn.v_proj.bias"),
];

/// Released name of the tensor `stored`; `None` when the architecture has no such tensor.
pub(super) fn released(stored: &str, architecture: Architecture) -> Option<String> {
    if let Some((_, name)) = WHOLE.iter().find(|(name, _)| *name == stored) {
        return Some((*name).to_owned());
    }
    let (layer, rest) = stored.strip_prefix("blk.")?.split_once('.')?;
    let layer: usize = layer.parse().ok()?;
    let biases: &[_] = match architecture {
        Architecture::Llama => &[],
        Architecture::Qwen2 => &BIASES,
    };
    let (_, name) = IN_LAYER.iter().chain(biases).find(|(name, _)| *name == rest)?;
    Some(format!("model.layers.{layer}.{name}"))
}

/// Heads of a tensor whose rows stand in pairs, element i of a head's first half before element i of its second:
/// files of `llama` keep queries and keys so that neighbours rotate together.
pub(super) fn paired_heads(
    stored: &str,
    architecture: Architecture,
    config: &Config,
) -> Option<usize> {
    match (architecture, stored.rsplit_once("attn_")?.1) {
        (Architecture::Llama, "q.weight") => Some(config.n_heads),
        (Architecture::Llama, "k.weight") => Some(config.n_kv_heads),
        _ => None,
    }
}
