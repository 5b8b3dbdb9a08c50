//! Metadata of a GGUF file as the `config.json` that the same model is published with.

use gguf::{Header, Value};
use serde_json::json;

use super::Architecture;
use crate::Error;
use crate::config::Config;

/// Keys that no model of these architectures needs, and that change what is computed where they are there.
const UNSUPPORTED: [&str; 6] = [
    "expert_count",
    "attention.sliding_window",
    "attention.scale",
    "rope.scale_linear",
    "residual_scale",
    "logit_scale",
];

pub(super) fn read(header: &Header) -> Result<Config, Error> {
    let architecture = Architecture::of(header)?;
    let name = architecture.name();
    let key = |rest: &str| format!("{name}.{rest}");
    let integer = |rest: &str| header.integer(&key(rest));
    let required = |rest: &str| header.require(&key(rest), integer(rest)?).map_err(Error::from);
    let refuse = |key: String, expected: &str| {
        let found = header.value(&key).map_or_else(|| "absent".to_owned(), show);
        let reason = format!("{key} is {found}; expected {expected}");
        Err(Error::Config { origin: header.path().display().to_string(), reason })
    };

    for rest in UNSUPPORTED {
        if !matches!(header.value(&key(rest)), None | Some(Value::Integer(0))) {
            return refuse(key(rest), "it to be absent");
        }
    }
    if !matches!(header.text(&key("rope.scaling.type"))?, None | Some("none")) {
        return refuse(key("rope.scaling.type"), "\"none\"");
    }
    let n_heads = required("attention.head_count")?;
    let hidden_size = required("embedding_length")?;
    let head_dim = match integer("attention.key_length")? {
        Some(length) => length,
        None => hidden_size / n_heads.max(1),
    };
    for rest in ["attention.value_length", "rope.dimension_count"] {
        if integer(rest)?.is_some_and(|length| length != head_dim) {
            return refuse(key(rest), &format!("the width of a key, {head_dim}"));
        }
    }
    let Some([vocab_size, _]) =
        header.tensors().get("token_embd.weight").map(|info| &info.shape[..])
    else {
        let reason = "there is no matrix token_embd.weight".to_owned();
        return Err(Error::Config { origin: header.path().display().to_string(), reason });
    };
    let mut end_ids = Vec::new();
    for end in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        if let Some(id) = header.integer(&format!("tokenizer.ggml.{end}"))?
            && !end_ids.contains(&id)
        {
            end_ids.push(id);
        }
    }
    let epsilon = "attention.layer_norm_rms_epsilon";
    let config = json!({
        "architectures": [architecture.class()],
        "_name_or_path": header.text("general.name")?,
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "intermediate_size": required("feed_forward_length")?,
        "num_hidden_layers": required("block_count")?,
        "num_attention_heads": n_heads,
        "num_key_value_heads": integer("attention.head_count_kv")?,
        "head_dim": head_dim,
        "max_position_embeddings": required("context_length")?,
        "rms_norm_eps": header.require(&key(epsilon), header.float(&key(epsilon))?)?,
        "rope_theta": header.float(&key("rope.freq_base"))?,
        "tie_word_embeddings": !header.tensors().contains_key("output.weight"),
        "eos_token_id": end_ids,
    });
    Config::from_json(config.to_string().as_bytes(), &header.path().display().to_string())
}

fn show(value: &Value) -> String {
    match value {
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Bool(_) | Value::Array(_) => value.kind().to_owned(),
    }
}
