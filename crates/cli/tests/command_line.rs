//! The binary as scripts see it: one JSON object on stdout, words on stderr, exit codes.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use test_support::checkpoint::TinyModel;

fn dacapo(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dacapo"))
        .args(arguments)
        .env_remove("DACAPO_MODEL")
        .env_remove("DACAPO_LOG")
        // Nobody's own configuration.
        .env("XDG_CONFIG_HOME", "/nonexistent")
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("output is UTF-8")
}

#[track_caller]
fn json(arguments: &[&str]) -> Value {
    let output = dacapo(arguments);
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_str(text(&output.stdout)).expect("one JSON object and nothing else")
}

#[track_caller]
fn check_failure(arguments: &[&str], code: i32, expected: &str) {
    let output = dacapo(arguments);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(expected), "{said:?} does not contain {expected:?}");
    assert!(!said.contains("panicked"), "{said}");
    assert_eq!(text(&output.stdout), "");
}

fn model() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    TinyModel::SMALL.write(directory.path());
    directory
}

fn path(directory: &TempDir) -> &str {
    directory.path().to_str().unwrap()
}

fn source(directory: &Path, name: &str, bytes: &[u8], place: &str) -> String {
    let file = directory.join(name);
    std::fs::write(&file, bytes).unwrap();
    format!("{}:{place}", file.display())
}

#[test]
fn a_completion_says_all_that_led_to_it() {
    let model = model();
    let place =
        source(model.path(), "é.rs", "fn main() {\n    let 漢 = 1;\n    \n}\n".as_bytes(), "3:5");
    let report =
        json(&["complete", &place, "--model", path(&model), "--max-tokens", "8", "--json"]);
    assert!(report["suggestion"].is_string() != report["reason"]["code"].is_string(), "{report}");
    assert!(0 < report["prompt_tokens"]["new"].as_u64().unwrap());
    assert!(report["generated_tokens"].as_u64().unwrap() <= 8);
    assert!(report["timings_ms"]["prefill"].is_number());
    let pieces = report["pieces"].as_array().unwrap();
    let of_kind = |kind: &str| {
        let piece = pieces.iter().find(|piece| piece["kind"] == kind).expect("a piece of the kind");
        piece["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(of_kind("prefix"), "fn main() {\n    let 漢 = 1;\n    ");
    assert_eq!(of_kind("suffix"), "\n}\n");
    assert_eq!(of_kind("path"), "é.rs\n");
}

#[test]
fn tokens_generate_the_same_tokens_again() {
    let model = model();
    let generate = |more: &[&str]| {
        let mut arguments = vec![
            "generate",
            "--tokens",
            "10,20,30",
            "--model",
            path(&model),
            "--max-tokens",
            "6",
            "--json",
        ];
        arguments.extend(more);
        json(&arguments)
    };
    let greedy = generate(&[]);
    assert_eq!(greedy["tokens"], generate(&[])["tokens"]);
    assert_eq!(greedy["prompt_tokens"], 3);
    let drawn = generate(&["--temperature", "2", "--seed", "7"]);
    assert_eq!(drawn["tokens"], generate(&["--temperature", "2", "--seed", "7"])["tokens"]);
    assert_ne!(drawn["tokens"], generate(&["--temperature", "2", "--seed", "8"])["tokens"]);
    assert_ne!(greedy["tokens"], generate(&["--loops", "1"])["tokens"]);
}

#[test]
fn logits_are_rows_of_the_vocabulary_in_every_mode() {
    let model = model();
    let logits = |more: &[&str]| {
        let mut arguments = vec![
            "model",
            "logits",
            path(&model),
            "--tokens",
            "1,2,3,4",
            "--dtype",
            "f64",
            "--json",
        ];
        arguments.extend(more);
        let rows: Vec<Vec<f64>> =
            serde_json::from_value(json(&arguments)["logits"].clone()).unwrap();
        rows
    };
    let all = logits(&["--all"]);
    assert_eq!((all.len(), all[0].len()), (4, 272));
    assert_eq!(logits(&[]), all[3..]);
    let tail = logits(&["--mode", "tail"]);
    assert_eq!((tail.len(), tail[0].len()), (1, 272));
    for mode in ["fused", "chunked:3"] {
        let rows = logits(&["--all", "--mode", mode]);
        let worst = rows
            .iter()
            .flatten()
            .zip(all.iter().flatten())
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, f64::max);
        assert!(worst < 1e-11, "{mode}: {worst:e}");
    }
}

#[test]
fn inspect_and_doctor_tell_of_the_model() {
    let model = model();
    let inspected = json(&["model", "inspect", path(&model), "--json"]);
    assert_eq!(inspected["n_loops"], 2);
    assert_eq!(inspected["tensors"].as_array().unwrap().len(), 26);
    let examined = json(&["doctor", "--model", path(&model), "--json"]);
    assert_eq!(examined["model"]["infilling"], true);
    assert_eq!(examined["problems"], serde_json::json!([]));
    assert!(examined["index"]["n_files"].is_number());
    assert!(examined["completion"]["warm_ms"].is_number());
}

#[test]
fn the_configuration_names_the_model_and_what_is_kept_from_it() {
    let (model, home) = (model(), tempfile::tempdir().unwrap());
    std::fs::create_dir(home.path().join("dacapo")).unwrap();
    let settings =
        format!("[model]\nname = {:?}\n[context]\nexclude = [\"*.sql\"]\n", path(&model));
    std::fs::write(home.path().join("dacapo/config.toml"), settings).unwrap();
    let run = |arguments: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_dacapo"))
            .args(arguments)
            .env_remove("DACAPO_MODEL")
            .env("XDG_CONFIG_HOME", home.path())
            .output()
            .unwrap()
    };
    let short = ["bench", "--prompt", "4", "--tokens", "1", "--rounds", "1", "--json"];
    let named = |arguments: &[&str]| -> Value {
        let report: Value = serde_json::from_slice(&run(arguments).stdout).unwrap();
        report["model"].clone()
    };
    assert_eq!(named(&short), path(&model));
    assert_eq!(named(&[&short[..], &["--model", "default"]].concat()), "default");

    let place = source(home.path(), "a.sql", b"select \n", "1:8");
    let output = run(&["complete", &place]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("context.exclude"), "{}", text(&output.stderr));
}

#[test]
fn a_bench_counts_the_weights_once_whatever_the_loops() {
    let short = ["--prompt", "16", "--tokens", "3", "--rounds", "1", "--json", "--loops"];
    let [one, two] = ["1", "2"].map(|n_loops| json(&[&["bench"][..], &short, &[n_loops]].concat()));
    assert_eq!((&one["n_loops"], &two["n_loops"]), (&1.into(), &2.into()));
    assert_eq!(one["weight_bytes_per_token"], two["weight_bytes_per_token"]);
    for report in [one, two] {
        assert_eq!((&report["prompt_tokens"], &report["tokens"]), (&16.into(), &3.into()));
        let bytes = |name: &str| report[name].as_u64().unwrap();
        let parts = bytes("weight_bytes_per_token") + bytes("cache_bytes_per_token");
        assert_eq!(bytes("bytes_per_token"), parts);
        for name in ["prefill_ms", "decode_ms", "stream_gb_per_second", "fraction_of_limit"] {
            assert!(0.0 < report[name].as_f64().unwrap(), "{name} of {report}");
        }
    }
}

#[test]
fn a_model_that_is_none_is_refused_in_words() {
    let empty = tempfile::tempdir().unwrap();
    check_failure(&["model", "inspect", "/nonexistent"], 1, "there is no model");
    check_failure(&["model", "inspect", path(&empty)], 1, "config.json");

    let foreign = model();
    std::fs::write(
        foreign.path().join("config.json"),
        r#"{"architectures":["Foo"],"hidden_size":8,
        "intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":1}"#,
    )
    .unwrap();
    check_failure(
        &["model", "inspect", path(&foreign)],
        1,
        "architecture \"Foo\" is not supported",
    );

    let truncated = model();
    let weights = truncated.path().join("model.safetensors");
    let bytes = std::fs::read(&weights).unwrap();
    std::fs::write(&weights, &bytes[..bytes.len() / 2]).unwrap();
    check_failure(
        &["generate", "--prompt", "a", "--model", path(&truncated)],
        1,
        "is not a whole safetensors file: it is truncated",
    );

    let misshapen = model();
    let config = misshapen.path().join("config.json");
    let json = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, json.replace("\"intermediate_size\":64", "\"intermediate_size\":65"))
        .unwrap();
    check_failure(
        &["model", "logits", path(&misshapen), "--tokens", "1"],
        1,
        "tensor model.layers.0.mlp.gate_proj.weight has shape [64, 32]; expected [65, 32]",
    );
}

#[test]
fn verify_lists_every_defect_and_fails() {
    let model = model();
    let whole = json(&["model", "verify", path(&model), "--json"]);
    assert_eq!(whole, serde_json::json!({"n_tensors": 26, "defects": [], "unexpected": []}));
    let config = model.path().join("config.json");
    let text = std::fs::read_to_string(&config).unwrap();
    let untied = text.replace("\"tie_word_embeddings\":true", "\"tie_word_embeddings\":false");
    std::fs::write(&config, untied).unwrap();
    let output = dacapo(&["model", "verify", path(&model)]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        self::text(&output.stdout),
        "lm_head.weight: missing; the configuration asks for shape [272, 32]\n26 tensors, 1 defects\n"
    );
}

/// What `model verify` says of a copy whose file of weights was changed.
#[track_caller]
fn check_damage(change: impl FnOnce(&Path, &mut Vec<u8>), expected: &[&str]) {
    let model = model();
    let path = model.path().join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    change(model.path(), &mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let output = dacapo(&["model", "verify", self::path(&model)]);
    assert_eq!(output.status.code(), Some(1));
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    for expected in expected {
        assert!(said.contains(expected), "{said:?} does not contain {expected:?}");
    }
}

/// Puts one text of the header in the place of another of its length, after the name of a tensor.
#[track_caller]
fn replace(bytes: &mut [u8], tensor: &str, from: &str, to: &str) {
    let find = |bytes: &[u8], text: &str| {
        bytes.windows(text.len()).position(|window| window == text.as_bytes()).unwrap()
    };
    let start = find(bytes, tensor);
    let place = start + find(&bytes[start..], from);
    bytes[place..place + to.len()].copy_from_slice(to.as_bytes());
}

#[test]
fn each_kind_of_damage_is_told_with_the_tensor_and_its_shapes() {
    let up = "model.layers.1.mlp.up_proj.weight";
    check_damage(
        |_, bytes| bytes.truncate(bytes.len() - 1),
        &["model.safetensors is not a whole safetensors file", "of shape [", "is not whole"],
    );
    check_damage(
        |_, bytes| replace(bytes, up, "[64,32]", "[32,64]"),
        &["1.mlp.up_proj.weight: shape [32, 64]; the configuration asks for [64, 32]"],
    );
    check_damage(
        |_, bytes| replace(bytes, up, "F32", "I32"),
        &["1.mlp.up_proj.weight: stored as I32, shape [64, 32]; weights are read as"],
    );
    check_damage(
        |_, bytes| replace(bytes, "layers.0.self_attn.plt_gate.bias", "bias", "bits"),
        &[
            "0.self_attn.plt_gate.bias: missing; the configuration asks for shape [4]",
            "0.self_attn.plt_gate.bits: not asked for by the configuration, and not used",
        ],
    );
    check_damage(
        |_, bytes| {
            let end = bytes.len() - 4;
            bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
        },
        &["1 of ", "values are NaN or infinite, shape ["],
    );
    check_damage(
        |directory, _| {
            let index = r#"{"weight_map":{"model.norm.weight":"part-2.safetensors"}}"#;
            std::fs::write(directory.join("model.safetensors.index.json"), index).unwrap();
        },
        &["part-2.safetensors is missing: 1 of the index's 1 tensors are in it, model.norm.weight"],
    );
}

#[test]
fn a_quantized_copy_is_smaller_and_close() {
    let model = model();
    let out = tempfile::tempdir().unwrap();
    let copy = out.path().join("copy");
    let copy = copy.to_str().unwrap();
    let text = model.path().join("text");
    std::fs::write(&text, "fn main() { let x = 1; }".repeat(8)).unwrap();
    let quantize = ["model", "quantize", path(&model), copy, "--format", "int8"];
    let report = json(&[&quantize[..], &["--text", text.to_str().unwrap(), "--json"]].concat());
    assert!(report["bytes"].as_u64() < report["original_bytes"].as_u64(), "{report}");
    assert!(0.9 < report["comparison"]["top1_agreement"].as_f64().unwrap(), "{report}");
    json(&["model", "verify", copy, "--json"]);
    json(&["generate", "--prompt", "a", "--model", copy, "--max-tokens", "2", "--json"]);
    check_failure(&quantize, 1, "holds a model already");
}

#[test]
fn a_gguf_file_becomes_a_directory_with_all_that_it_held() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("model.gguf");
    TinyModel::SMALL.write_gguf(&file);
    let text = directory.path().join("text");
    std::fs::write(&text, "fn main() { let é = 1; }<|im_end|>".repeat(4)).unwrap();
    let [file, text] = [&file, &text].map(|path| path.to_str().unwrap());
    let copy = directory.path().join("copy");
    let copy = copy.to_str().unwrap();
    let quantize = ["model", "quantize", file, copy, "--format", "int8", "--text", text];
    let output = dacapo(&quantize);
    assert!(output.status.success(), "{}", self::text(&output.stderr));
    let said = self::text(&output.stdout);
    assert!(said.contains("were rounded before (Q8_0), so this copy has lost twice"), "{said}");
    let verified = json(&["model", "verify", copy, "--json"]);
    assert_eq!(verified["defects"], serde_json::json!([]));
    for arguments in [
        vec!["model", "tokens", "", text, "--json"],
        vec!["generate", "--model", "", "--chat", "x", "--max-tokens", "1", "--json"],
    ] {
        let [of_file, of_copy] = [file, copy].map(|model| {
            let arguments: Vec<&str> =
                arguments.iter().map(|word| if word.is_empty() { model } else { word }).collect();
            json(&arguments)
        });
        assert_eq!(of_file["tokens"], of_copy["tokens"]);
        assert_eq!(of_file["prompt_tokens"], of_copy["prompt_tokens"]);
    }
}

#[test]
fn the_authors_sampling_holds_unless_told_otherwise() {
    let model = model();
    let generate = |more: &[&str]| {
        let mut arguments = vec![
            "generate",
            "--tokens",
            "1,2",
            "--model",
            path(&model),
            "--max-tokens",
            "8",
            "--json",
        ];
        arguments.extend(more);
        json(&arguments)["tokens"].clone()
    };
    let greedy = generate(&[]);
    let recommended = r#"{"do_sample":true,"temperature":3.0,"top_k":200}"#;
    std::fs::write(model.path().join("generation_config.json"), recommended).unwrap();
    assert_ne!(generate(&[]), greedy);
    assert_eq!(generate(&["--temperature", "0"]), greedy);
}

#[test]
fn tokens_and_their_losses_are_listed() {
    let model = model();
    let file = model.path().join("text.py");
    std::fs::write(&file, "def double(x):\n    return x * 2\n").unwrap();
    let file = file.to_str().unwrap();
    let report = json(&["model", "tokens", path(&model), file, "--losses", "--json"]);
    let losses = report["losses"].as_array().unwrap();
    assert_eq!(losses.len() + 1, report["tokens"].as_array().unwrap().len());
    let mean = losses.iter().map(|loss| loss.as_f64().unwrap()).sum::<f64>() / losses.len() as f64;
    assert!((report["perplexity"].as_f64().unwrap() / mean.exp() - 1.0).abs() < 1e-9);
    let report = json(&["model", "tokens", path(&model), file, "--limit", "2", "--json"]);
    assert_eq!(report["tokens"].as_array().unwrap().len(), 2);
    let too_short = ["model", "tokens", path(&model), file, "--limit", "1", "--losses"];
    check_failure(&too_short, 1, "has none to foresee");
}

#[test]
fn a_broken_gguf_file_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("broken.gguf");
    std::fs::write(&file, b"GGUF\x03\0\0\0").unwrap();
    let name = file.to_str().unwrap();
    check_failure(&["model", "inspect", name], 1, "broken.gguf: the file ends within its header");
    let generate = ["generate", "--model", name, "--prompt", "x"];
    check_failure(&generate, 1, "broken.gguf: the file ends within its header");
}

#[test]
fn a_place_that_is_none_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let rust = |place: &str| source(directory.path(), "a.rs", b"fn a() {}\n", place);
    check_failure(&["complete", &rust("9:1")], 1, "line 9 is past the end");
    check_failure(&["complete", &rust("1:11")], 1, "column 11 is past the end");
    check_failure(&["complete", "/nonexistent.rs:1:1"], 1, "cannot read /nonexistent.rs");
    check_failure(&["complete", "a.rs"], 2, "FILE:LINE:COL");
    let latin = source(directory.path(), "latin.rs", b"// caf\xe9\n", "1:1");
    check_failure(&["complete", &latin], 1, "is not UTF-8: byte 7");
}

#[test]
fn a_huge_file_is_an_answer_with_a_reason() {
    let directory = tempfile::tempdir().unwrap();
    let line = b"let value = 1;\n";
    let huge = line.repeat(50_000_000 / line.len());
    let place = source(directory.path(), "huge.rs", &huge, "2000000:1");
    let report = json(&["complete", &place, "--json"]);
    assert_eq!(report["suggestion"], Value::Null);
    assert_eq!(report["reason"]["code"], "too-large");
}

#[test]
fn chat_without_a_template_says_what_to_do_instead() {
    let model = model();
    check_failure(&["generate", "--chat", "Hi", "--model", path(&model)], 1, "use --prompt");
}

#[test]
fn holes_are_cut_and_filled() {
    let model = model();
    let repository = tempfile::tempdir().unwrap();
    std::fs::write(repository.path().join("near.py"), "def measure(size):\n    return size\n")
        .unwrap();
    let user = "from near import measure\n\ndef total(size):\n    return measure(size, 1)\n";
    std::fs::write(repository.path().join("user.py"), user).unwrap();
    let holes = model.path().join("holes.jsonl");
    let holes = holes.to_str().unwrap();
    let cut = dacapo(&["eval", "cut", path(&repository), "--out", holes]);
    assert!(cut.status.success(), "{}", text(&cut.stderr));
    assert!(text(&cut.stderr).contains("1  python cross-file"), "{}", text(&cut.stderr));
    let evaluate = || {
        let sources = ["--sources", "none", "--sources", "all", "--max-tokens", "4"];
        let mut arguments = vec!["eval", "--holes", holes, "--model", path(&model), "--json"];
        arguments.extend(sources);
        json(&arguments)
    };
    let report = evaluate();
    let runs = report["runs"].as_array().unwrap();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[0]["sources"], &runs[1]["sources"]), (&"none".into(), &"all".into()));
    assert!(runs[0].get("gain").is_none() && runs[1]["gain"]["exact_match"].is_object());
    for run in runs {
        assert_eq!(run["all"]["holes"], run["languages"]["python"]["holes"]);
        assert_eq!(run["kinds"]["cross-file"]["holes"], 1);
    }
    let figures = |report: &Value| report["runs"][1]["all"]["edit_similarity"].clone();
    assert_eq!(figures(&evaluate()), figures(&report));

    let answers = model.path().join("answers.jsonl");
    let answers = answers.to_str().unwrap();
    let asked = ["eval", "--holes", holes, "--model", path(&model), "--json", "--context", "off"];
    let asked = json(&[&asked[..], &["--max-tokens", "4", "--answers", answers]].concat());
    let given = json(&["eval", "--holes", holes, "--given", answers, "--json"]);
    for figure in ["holes", "shown", "exact_match", "edit_similarity", "identifier_f1"] {
        assert_eq!(given["runs"][0]["all"][figure], asked["runs"][0]["all"][figure], "{figure}");
    }
    check_failure(&["eval", "--holes", holes, "--given", holes], 1, "is no answer");
    check_failure(&["eval", "--holes", "/nonexistent"], 1, "cannot read /nonexistent");
    check_failure(
        &["eval", "cut", path(&repository), "--out", holes, "--languages", "go"],
        1,
        "found no place for a hole",
    );
}
