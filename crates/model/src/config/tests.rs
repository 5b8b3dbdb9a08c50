//! Tests of what is read from `config.json`, and of what is refused.

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
fn a_window_is_no_wider_than_the_context() {
    let config = parse(r#","plt_window_size":[9223372036854775807,0]"#).unwrap();
    assert_eq!(config.window, config.max_positions);
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
    // The second is a looped model of the same makers whose loops wait for one another.
    for name in ["gpt2", "iquestloopcoder"] {
        let json = SMALL.replace("iquestpltcoder", name);
        let error = Config::from_json(format!("{json}}}").as_bytes(), "config.json").unwrap_err();
        assert!(error.to_string().contains(&format!("architecture {name:?}")), "{error}");
    }
}

#[test]
fn malformed_json_names_the_file() {
    let error = Config::from_json(b"{", "some/config.json").unwrap_err().to_string();
    assert!(error.starts_with("some/config.json: "), "{error}");
}

fn llama(change: impl FnOnce(&mut serde_json::Value)) -> Result<Config, String> {
    let mut json = serde_json::json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": 100,
        "hidden_size": 32, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "rope_theta": 1e5, "rms_norm_eps": 1e-5, "tie_word_embeddings": true,
        "plt_num_loops": 2,
    });
    change(&mut json);
    Config::from_json(json.to_string().as_bytes(), "config.json").map_err(|error| error.to_string())
}

#[track_caller]
fn check_llama_error(field: &str, value: serde_json::Value, expected: &str) {
    let error = llama(|json| json[field] = value).expect_err("the config should be refused");
    assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
}

#[test]
fn llama_runs_one_loop() {
    let config = llama(|_| {}).unwrap();
    assert_eq!((config.n_loops, config.qkv_bias, config.rope_theta), (1, false, 1e5));
    assert_eq!(config.n_parameters(), 100 * 32 + 2 * (32 * 96 + 3 * 32 * 40 + 64) + 32);
}

#[test]
fn absent_fields_of_llama_take_its_own_defaults() {
    let config = llama(|json| {
        for field in ["vocab_size", "rope_theta", "rms_norm_eps", "tie_word_embeddings"] {
            json.as_object_mut().unwrap().remove(field);
        }
    })
    .unwrap();
    assert_eq!((config.vocab_size, config.max_positions), (32000, 2048));
    assert_eq!((config.rope_theta, config.rms_norm_eps), (1e4, 1e-6));
}

#[test]
fn qwen2_has_biases_and_a_window_that_is_off() {
    let config = llama(|json| {
        json["architectures"] = ["Qwen2ForCausalLM"].into();
        json["model_type"] = "qwen2".into();
        json["use_sliding_window"] = false.into();
        json["sliding_window"] = 131072.into();
    })
    .unwrap();
    assert!(config.qkv_bias);
    let without = llama(|_| {}).unwrap().n_parameters();
    assert_eq!(config.n_parameters(), without + 2 * (32 + 2 * 16));
}

#[test]
fn the_rotary_base_may_stand_among_the_rope_parameters() {
    let parameters = serde_json::json!({"rope_type": "default", "rope_theta": 5e5});
    assert_eq!(llama(|json| json["rope_parameters"] = parameters).unwrap().rope_theta, 5e5);
}

#[test]
fn what_llama_files_may_ask_for_in_vain_is_named() {
    use serde_json::json;
    check_llama_error("rope_scaling", json!({"type": "linear", "factor": 2.0}), "linear");
    check_llama_error("rope_parameters", json!({"rope_type": "llama3", "factor": 8.0}), "llama3");
    check_llama_error("partial_rotary_factor", json!(0.5), "partial_rotary_factor");
    check_llama_error("sliding_window", json!(4096), "sliding_window");
    check_llama_error("layer_types", json!(["sliding_attention"]), "sliding_attention");
    check_llama_error("attention_bias", json!(true), "attention_bias");
    let runs = "IQuestPLTCoderForCausalLM, LlamaForCausalLM and Qwen2ForCausalLM";
    check_llama_error("architectures", json!(["LlamaForSequenceClassification"]), runs);
}
