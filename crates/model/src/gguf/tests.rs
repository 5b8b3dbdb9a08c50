//! GGUF files made up here against the same weights as safetensors, and files that must be refused.

mod blocks;

mod checkpoint;

use std::path::Path;

use candle_core::DType;

use test_support::gguf::GgufFile;

use self::checkpoint::{Checkpoint, Stored};
use crate::{Config, DeviceChoice, Error, Format, LoadOptions, Plt, Weights, quantize, verify};

const TOKENS: [u32; 6] = [3, 1, 4, 15, 9, 26];

fn logits(config: Config, weights: &Weights) -> Vec<Vec<f64>> {
    let options = LoadOptions { dtype: crate::DType::F64, ..LoadOptions::default() };
    let model = Plt::from_weights(config, weights, options).unwrap();
    let mut cache = model.new_cache();
    model.prefill_all(&TOKENS, &mut cache).unwrap().to_f64().unwrap()
}

fn gguf_logits(path: &Path) -> Vec<Vec<f64>> {
    let (config, weights) = (Config::from_gguf(path).unwrap(), Weights::from_gguf(path).unwrap());
    let verification = verify(&config, &weights);
    assert!(verification.defects.is_empty(), "{:?}", verification.defects);
    assert_eq!(verification.unexpected, Vec::<String>::new());
    logits(config, &weights)
}

fn released_logits(directory: &Path) -> Vec<Vec<f64>> {
    let config = Config::from_directory(directory).unwrap();
    logits(config, &Weights::from_directory(directory).unwrap())
}

#[track_caller]
fn check_same(checkpoint: &Checkpoint, stored: Stored) {
    let directory = tempfile::tempdir().unwrap();
    checkpoint.write_released(directory.path(), stored);
    let file = directory.path().join("model.gguf");
    checkpoint.write_gguf(&file, stored, |_| {});
    assert_eq!(gguf_logits(&file), released_logits(directory.path()));
}

#[test]
fn a_file_equals_the_same_weights_as_safetensors() {
    for stored in [Stored::F32, Stored::F16, Stored::Bf16] {
        check_same(&Checkpoint::new("llama"), stored);
        check_same(&Checkpoint::new("qwen2"), stored);
    }
}

/// Biases, pairs of rows and blocks of integers included.
#[test]
fn a_device_computes_of_a_file_what_the_cpu_computes() {
    let Some(device) = cuda::device_for_test!() else { return };
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    for (architecture, stored) in [
        ("llama", Stored::Bf16),
        ("llama", Stored::Q8),
        ("qwen2", Stored::F32),
        ("qwen2", Stored::Q8),
    ] {
        Checkpoint::with_heads(architecture, 32).write_gguf(&file, stored, |_| {});
        let config = Config::from_gguf(&file).unwrap();
        let weights = Weights::from_gguf(&file).unwrap();
        let device = DeviceChoice::Cuda(device.info().index);
        let options = LoadOptions { device, ..LoadOptions::default() };
        let gpu = Plt::from_weights(config, &weights, options).unwrap();
        let found = gpu.prefill_all(&TOKENS, &mut gpu.new_cache()).unwrap().to_f64().unwrap();
        let expected = gguf_logits(&file);
        let square =
            |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum() };
        for (found, expected) in found.iter().zip(&expected) {
            let zeros = vec![0.0; expected.len()];
            let error = (square(found, expected) / square(expected, &zeros)).sqrt();
            // Weights of bf16 and operands of 8 or 7 bits.
            assert!(error < 0.03, "{architecture} {stored:?}: {error:e}");
        }
    }
}

#[test]
fn embeddings_may_be_tied() {
    let tied = Checkpoint::new("llama").tied();
    check_same(&tied, Stored::F32);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    tied.write_gguf(&file, Stored::F32, |_| {});
    assert!(Config::from_gguf(&file).unwrap().tie_word_embeddings);
}

#[test]
fn a_loop_model_of_one_loop_equals_llama() {
    let directory = tempfile::tempdir().unwrap();
    let checkpoint = Checkpoint::new("llama");
    checkpoint.write_released(directory.path(), Stored::F32);
    let expected = released_logits(directory.path());
    let path = directory.path().join("config.json");
    let json = std::fs::read_to_string(&path).unwrap();
    let json = json.replace("LlamaForCausalLM", "IQuestPLTCoderForCausalLM");
    std::fs::write(&path, json).unwrap();
    assert_eq!(released_logits(directory.path()), expected);
}

#[test]
fn biases_move_logits() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    let mut checkpoint = Checkpoint::new("qwen2");
    checkpoint.write_gguf(&file, Stored::F32, |_| {});
    let before = gguf_logits(&file);
    for name in ["q_proj", "k_proj", "v_proj"] {
        checkpoint.values_of(&format!("model.layers.1.self_attn.{name}.bias"))[5] += 1.0;
        checkpoint.write_gguf(&file, Stored::F32, |_| {});
        let after = gguf_logits(&file);
        assert!((before[5][0] - after[5][0]).abs() > 1e-6, "{name} moves nothing");
    }
}

#[test]
fn eight_bits_are_near_the_original() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    let checkpoint = Checkpoint::new("llama");
    checkpoint.write_released(directory.path(), Stored::F32);
    checkpoint.write_gguf(&file, Stored::Q8, |_| {});
    let (found, expected) = (gguf_logits(&file), released_logits(directory.path()));
    let distance =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let error = distance(&found[5], &expected[5]) / distance(&expected[5], &[0.0; 48]);
    assert!(0.0 < error && error < 1e-3, "{error}");
}

#[test]
fn the_configuration_comes_from_the_metadata() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    Checkpoint::new("llama").write_gguf(&file, Stored::F32, |metadata| {
        metadata.text("general.name", "Tiny");
        metadata.integer("tokenizer.ggml.eos_token_id", 7);
        metadata.integer("tokenizer.ggml.eot_token_id", 9);
    });
    let config = Config::from_gguf(&file).unwrap();
    assert_eq!(config.name.as_deref(), Some("Tiny"));
    assert_eq!(config.eos_token_ids, [7, 9]);
    assert_eq!((config.n_loops, config.n_heads, config.n_kv_heads, config.head_dim), (1, 4, 2, 8));
    assert_eq!((config.vocab_size, config.max_positions, config.rope_theta), (48, 64, 5e4));
}

#[test]
fn the_configuration_can_be_written_out() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    Checkpoint::new("qwen2").write_gguf(&file, Stored::F32, |metadata| {
        metadata.integer("tokenizer.ggml.eos_token_id", 7);
        metadata.integer("tokenizer.ggml.bos_token_id", 3);
        metadata.float("general.sampling.temp", 0.5);
        metadata.integer("general.sampling.top_k", 20);
    });
    let json = Config::json_of_gguf(&file).unwrap();
    let written = Config::from_json(json.as_bytes(), "config.json").unwrap();
    assert_eq!(written, Config::from_gguf(&file).unwrap());
    let generation: serde_json::Value =
        serde_json::from_str(&Config::generation_json_of_gguf(&file).unwrap()).unwrap();
    let expected = serde_json::json!({
        "eos_token_id": [7], "bos_token_id": 3, "do_sample": true, "temperature": 0.5, "top_k": 20,
    });
    assert_eq!(generation, expected);
}

/// Rounded from a GGUF file and from the same weights as safetensors.
#[track_caller]
fn check_rounded(checkpoint: &Checkpoint, stored: Stored, format: Format) {
    let [released, from_gguf, from_released] =
        std::array::from_fn(|_| tempfile::tempdir().unwrap());
    checkpoint.write_released(released.path(), stored);
    let file = released.path().join("model.gguf");
    checkpoint.write_gguf(&file, stored, |_| {});
    let weights = Weights::from_gguf(&file).unwrap();
    let rounded = quantize(&weights, format, from_gguf.path()).unwrap();
    let released = Weights::from_directory(released.path()).unwrap();
    assert_eq!(rounded, quantize(&released, format, from_released.path()).unwrap());
    assert!(rounded.iter().all(|it| !it.was_rounded_before()));
    let config = Config::from_gguf(&file).unwrap();
    let [found, expected] = [&from_gguf, &from_released].map(|directory| {
        let weights = Weights::from_directory(directory.path()).unwrap();
        assert_eq!(verify(&config, &weights).defects, []);
        logits(config.clone(), &weights)
    });
    assert_eq!(found, expected);
}

#[test]
fn a_file_is_rounded_like_the_same_weights_as_safetensors() {
    check_rounded(&Checkpoint::new("llama"), Stored::F32, Format::Int4);
    check_rounded(&Checkpoint::new("llama").tied(), Stored::Bf16, Format::Int8);
    check_rounded(&Checkpoint::new("qwen2"), Stored::F16, Format::Int8);
}

#[test]
fn a_second_rounding_is_marked() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    Checkpoint::new("llama").write_gguf(&file, Stored::Q8, |_| {});
    let rounded =
        quantize(&Weights::from_gguf(&file).unwrap(), Format::Int4, directory.path()).unwrap();
    assert!(rounded.iter().all(|it| it.stored == "Q8_0" && it.was_rounded_before()));
}

fn load(path: &Path) -> Result<Plt, Error> {
    let config = Config::from_gguf(path)?;
    Plt::from_weights(config, &Weights::from_gguf(path)?, LoadOptions::default())
}

#[track_caller]
fn check_error(change: impl FnOnce(&mut GgufFile), expected: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    Checkpoint::new("llama").write_gguf(&file, Stored::F32, change);
    let error = load(&file).expect_err("it should be refused").to_string();
    assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
    assert!(error.contains("model.gguf"), "{error:?} does not name the file");
}

#[test]
fn what_cannot_be_computed_is_named() {
    check_error(|m| m.text("general.architecture", "mamba"), "architecture \"mamba\"");
    check_error(|m| m.remove("general.architecture"), "has no general.architecture");
    check_error(|m| m.remove("llama.embedding_length"), "has no llama.embedding_length");
    check_error(|m| m.text("llama.block_count", "two"), "llama.block_count is a string");
    check_error(|m| m.integer("llama.block_count", 1 << 40), "num_hidden_layers is 1099511627776");
    check_error(|m| m.integer("llama.attention.head_count", 0), "num_attention_heads is 0");
    check_error(|m| m.text("llama.rope.scaling.type", "yarn"), "scaling.type is \"yarn\"");
    check_error(|m| m.integer("llama.rope.dimension_count", 4), "dimension_count is 4");
    check_error(|m| m.integer("llama.expert_count", 8), "expert_count is 8");
    check_error(|m| m.retype("rope_freqs.weight", &[4], 0), "tensor rope_freqs.weight");
    check_error(|m| m.retype("blk.0.attn_q.bias", &[32], 0), "tensor blk.0.attn_q.bias");
    check_error(
        |m| m.retype("output.weight", &[32, 48], 20),
        "number 20 of ggml, is not supported",
    );
    check_error(|m| m.retype("output.weight", &[33, 48], 8), "no multiple of a block of 32");
    check_error(
        |m| m.retype("output.weight", &[1 << 20, 1 << 20], 0),
        "beyond the end of the file",
    );
}

#[test]
fn a_missing_tensor_and_a_wrong_shape_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    let checkpoint = Checkpoint::new("llama");
    checkpoint.write_gguf(&file, Stored::F32, |metadata| metadata.integer("llama.block_count", 3));
    let error = load(&file).unwrap_err().to_string();
    assert!(error.contains("model.layers.2.input_layernorm.weight is missing"), "{error}");
    checkpoint.write_gguf(&file, Stored::F32, |metadata| {
        metadata.integer("llama.feed_forward_length", 32);
    });
    let error = load(&file).unwrap_err().to_string();
    assert!(error.contains("has shape [64, 32]; expected [32, 32]"), "{error}");
}

#[test]
fn every_truncation_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    Checkpoint::new("qwen2").write_gguf(&file, Stored::F32, |_| {});
    let whole = std::fs::read(&file).unwrap();
    for len in (0..whole.len()).step_by(997).chain([whole.len() - 1]) {
        std::fs::write(&file, &whole[..len]).unwrap();
        assert!(Weights::from_gguf(&file).is_err(), "{len} of {} bytes were accepted", whole.len());
    }
}

#[test]
fn rows_that_are_no_whole_heads_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    Checkpoint::new("llama").write_gguf(&file, Stored::F32, |metadata| {
        metadata.retype("blk.0.attn_q.weight", &[32, 30], 0);
    });
    assert!(load(&file).unwrap_err().to_string().contains("has shape [30, 32]"));
    let weights = Weights::from_gguf(&file).unwrap();
    let name = "model.layers.0.self_attn.q_proj.weight";
    assert!(weights.tensor(name, &[30, 32], DType::F32).is_err());
}
