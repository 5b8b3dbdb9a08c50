//! Metadata of a GGUF file as the `config.json` and `generation_config.json` that the same model is published with.

use gguf::{Header, Value};
use serde_json::{Value as Json, json};

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
    let json = describe(header)?.to_string();
    Config::from_json(json.as_bytes(), &header.path().display().to_string())
}

/// `config.json` as far as [`Config`] reads it.
pub(super) fn describe(header: &Header) -> Result<Json, Error> {
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
    let epsilon = "attention.layer_norm_rms_epsilon";
    Ok(json!({
        "architectures": [architecture.class()],
        "model_type": name,
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
        "hidden_act": "silu",
        "eos_token_id": end_ids(header)?,
    }))
}

/// `generation_config.json`: what ends a text, and how the authors sample where the file says so.
pub(super) fn describe_generation(header: &Header) -> Result<Json, Error> {
    let mut config = json!({ "eos_token_id": end_ids(header)? });
    if let Some(id) = header.integer("tokenizer.ggml.bos_token_id")? {
        config["bos_token_id"] = id.into();
    }
    if let Some(temperature) = header.float("general.sampling.temp")? {
        config["do_sample"] = (0.0 < temperature).into();
        config["temperature"] = temperature.into();
    }
    if let Some(top_p) = header.float("general.sampling.top_p")? {
        config["top_p"] = top_p.into();
    }
    if let Some(Value::Integer(top_k)) = header.value("general.sampling.top_k") {
        // There a negative number stands for all tokens, here 0 does.
        config["top_k"] = u64::try_from(*top_k).unwrap_or(0).into();
    }
    Ok(config)
}

fn end_ids(header: &Header) -> Result<Vec<u64>, Error> {
    let mut ids = Vec::new();
    for end in ["eos_token_id", "eot_token_id", "eom_token_id"] {
        if let Some(id) = header.integer(&format!("tokenizer.ggml.{end}"))?
            && !ids.contains(&id)
        {
            ids.push(id);
        }
    }
    Ok(ids)
}

fn show(value: &Value) -> String {
    match value {
        Value::Integer(integer) => integer.to_string(),
        Value::Float(float) => float.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::Bool(_) | Value::Array(_) => value.kind().to_owned(),
    }
}
