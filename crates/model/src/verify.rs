//! What is wrong with a checkpoint, all at once, where loading stops at the first defect.

use std::collections::BTreeMap;

use candle_core::DType;

use crate::Weights;
use crate::config::Config;

/// A defect of one tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Defect {
    Missing {
        expected: Vec<usize>,
    },
    Shape {
        found: Vec<usize>,
        expected: Vec<usize>,
    },
    StoredType {
        found: String,
        shape: Vec<usize>,
    },
    NotFinite {
        n_values: usize,
        shape: Vec<usize>,
    },
    /// A quantised matrix and its scales do not fit together.
    Unreadable {
        reason: String,
    },
}

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { expected } => {
                write!(f, "missing; the configuration asks for shape {expected:?}")
            }
            Self::Shape { found, expected } => {
                write!(f, "shape {found:?}; the configuration asks for {expected:?}")?;
                let is_turned = found.iter().rev().eq(expected);
                if is_turned { f.write_str(", which is this one turned round") } else { Ok(()) }
            }
            Self::StoredType { found, shape } => write!(
                f,
                "stored as {found}, shape {shape:?}; weights are read as F64, F32, F16 or BF16"
            ),
            Self::Unreadable { reason } => f.write_str(reason),
            Self::NotFinite { n_values, shape } => write!(
                f,
                "{n_values} of {} values are NaN or infinite, shape {shape:?}; the file is damaged or was converted wrongly",
                shape.iter().product::<usize>()
            ),
        }
    }
}

/// Outcome of [`verify`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verification {
    /// By name of the tensor, in the order of names.
    pub defects: Vec<(String, Defect)>,
    /// Tensors that the configuration does not ask for; they do no harm.
    pub unexpected: Vec<String>,
    pub n_tensors: usize,
}

/// Compares every tensor with what `config` asks for and looks at every value.
pub fn verify(config: &Config, weights: &Weights) -> Verification {
    let mut expected: BTreeMap<String, Vec<usize>> = layout(config).into_iter().collect();
    let mut verification = Verification::default();
    for tensor in weights.summaries() {
        verification.n_tensors += 1;
        if tensor.name.strip_suffix("_scale").is_some_and(|name| weights.is_quantised(name)) {
            // Looked at with the integers that it scales.
            continue;
        }
        let Some(shape) = expected.remove(&tensor.name) else {
            verification.unexpected.push(tensor.name);
            continue;
        };
        if let (true, &[n_outputs, n_inputs]) =
            (weights.is_quantised(&tensor.name), shape.as_slice())
        {
            let matrix = weights.matrix(&tensor.name, [n_outputs, n_inputs], DType::F32);
            let n_values = weights.n_not_finite(&format!("{}_scale", tensor.name));
            let defect = match (matrix, n_values) {
                (Err(error), _) => Defect::Unreadable { reason: error.to_string() },
                (Ok(_), None | Some(0)) => continue,
                (Ok(_), Some(n_values)) => Defect::NotFinite { n_values, shape },
            };
            verification.defects.push((tensor.name, defect));
            continue;
        }
        let defect = match (shape == tensor.shape, weights.n_not_finite(&tensor.name)) {
            (false, _) => Defect::Shape { found: tensor.shape, expected: shape },
            (true, None) => Defect::StoredType { found: tensor.dtype, shape },
            (true, Some(0)) => continue,
            (true, Some(n_values)) => Defect::NotFinite { n_values, shape },
        };
        verification.defects.push((tensor.name, defect));
    }
    let missing = expected.into_iter().map(|(name, expected)| (name, Defect::Missing { expected }));
    verification.defects.extend(missing);
    verification.defects.sort_by(|a, b| a.0.cmp(&b.0));
    verification
}

/// Names and shapes of the released tensor layout.
pub(crate) fn layout(config: &Config) -> Vec<(String, Vec<usize>)> {
    let hidden = config.hidden_size;
    let queries = config.n_heads * config.head_dim;
    let key_values = config.n_kv_heads * config.head_dim;
    let mlp = config.intermediate_size;
    let table = vec![config.vocab_size, hidden];
    let mut tensors = vec![
        ("model.embed_tokens.weight".to_owned(), table.clone()),
        ("model.norm.weight".to_owned(), vec![hidden]),
    ];
    if !config.tie_word_embeddings {
        tensors.push(("lm_head.weight".to_owned(), table));
    }
    for layer_idx in 0..config.n_layers {
        let mut add = |name: &str, shape: &[usize]| {
            tensors.push((format!("model.layers.{layer_idx}.{name}"), shape.to_vec()));
        };
        add("input_layernorm.weight", &[hidden]);
        add("self_attn.q_proj.weight", &[queries, hidden]);
        add("self_attn.k_proj.weight", &[key_values, hidden]);
        add("self_attn.v_proj.weight", &[key_values, hidden]);
        if config.qkv_bias {
            add("self_attn.q_proj.bias", &[queries]);
            add("self_attn.k_proj.bias", &[key_values]);
            add("self_attn.v_proj.bias", &[key_values]);
        }
        add("self_attn.o_proj.weight", &[hidden, queries]);
        if 1 < config.n_loops {
            add("self_attn.plt_gate.weight", &[config.n_heads, hidden]);
            add("self_attn.plt_gate.bias", &[config.n_heads]);
            add("self_attn.plt_gate.gate_norm.weight", &[hidden]);
        }
        add("post_attention_layernorm.weight", &[hidden]);
        add("mlp.gate_proj.weight", &[mlp, hidden]);
        add("mlp.up_proj.weight", &[mlp, hidden]);
        add("mlp.down_proj.weight", &[hidden, mlp]);
    }
    tensors
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use safetensors::tensor::{Dtype, TensorView};

    use super::*;
    use crate::{LoadOptions, Plt};

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity").join(name)
    }

    fn config() -> Config {
        Config::from_directory(&fixture("r2-gqa-w5")).unwrap()
    }

    type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

    /// A copy of the baseline fixture with its tensors changed.
    fn changed(change: impl FnOnce(&mut Tensors)) -> tempfile::TempDir {
        let bytes = std::fs::read(fixture("r2-gqa-w5").join("model.safetensors")).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Tensors = file
            .iter()
            .map(|(name, view)| {
                (name.to_owned(), (view.dtype(), view.shape().to_vec(), view.data().to_vec()))
            })
            .collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, (dtype, shape, data))| {
            (name, TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("model.safetensors");
        std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
        directory
    }

    #[track_caller]
    fn check(change: impl FnOnce(&mut Tensors), expected: &[&str]) {
        let directory = changed(change);
        let weights = Weights::from_directory(directory.path()).unwrap();
        let verification = verify(&config(), &weights);
        let lines: Vec<String> = verification
            .defects
            .iter()
            .map(|(name, defect)| format!("{name}: {defect}"))
            .chain(verification.unexpected.iter().map(|name| format!("{name}: unexpected")))
            .collect();
        assert_eq!(lines, expected);
    }

    const GATE: &str = "model.layers.1.self_attn.plt_gate.bias";

    #[test]
    fn a_whole_checkpoint_has_no_defect() {
        check(|_| {}, &[]);
    }

    #[test]
    fn every_defect_is_listed() {
        check(
            |tensors| {
                tensors.remove(GATE);
                tensors.insert("model.extra".to_owned(), (Dtype::F32, vec![1], vec![0; 4]));
                tensors.get_mut("model.layers.0.mlp.up_proj.weight").unwrap().1.reverse();
                tensors.get_mut("model.norm.weight").unwrap().2[..4]
                    .copy_from_slice(&f32::NAN.to_le_bytes());
                tensors.get_mut("lm_head.weight").unwrap().0 = Dtype::U32;
            },
            &[
                "lm_head.weight: stored as U32, shape [48, 32]; weights are read as F64, F32, F16 or BF16",
                "model.layers.0.mlp.up_proj.weight: shape [32, 40]; the configuration asks for [40, 32], which is this one turned round",
                "model.layers.1.self_attn.plt_gate.bias: missing; the configuration asks for shape [4]",
                "model.norm.weight: 1 of 32 values are NaN or infinite, shape [32]; the file is damaged or was converted wrongly",
                "model.extra: unexpected",
            ],
        );
    }

    #[test]
    fn not_finite_values_are_found_in_every_type() {
        let cases: [(Dtype, Vec<u8>); 4] = [
            (Dtype::F64, f64::NEG_INFINITY.to_le_bytes().to_vec()),
            (Dtype::F32, f32::INFINITY.to_le_bytes().to_vec()),
            (Dtype::F16, half_bits(0x7c00)),
            (Dtype::BF16, half_bits(0xffc0)),
        ];
        for (dtype, value) in cases {
            check(
                |tensors| {
                    let bias = tensors.get_mut(GATE).unwrap();
                    bias.0 = dtype;
                    bias.2 = [vec![0; 3 * value.len()], value].concat();
                },
                &[
                    "model.layers.1.self_attn.plt_gate.bias: 1 of 4 values are NaN or infinite, shape [4]; the file is damaged or was converted wrongly",
                ],
            );
        }
    }

    fn half_bits(bits: u16) -> Vec<u8> {
        bits.to_le_bytes().to_vec()
    }

    #[test]
    fn the_older_name_of_the_gate_is_known() {
        let rename = |tensors: &mut Tensors| {
            *tensors = std::mem::take(tensors)
                .into_iter()
                .map(|(name, tensor)| (name.replace("plt_gate", "loop_gate_proj"), tensor))
                .collect();
        };
        check(rename, &[]);
    }

    /// The list here and the loader must not drift apart.
    #[test]
    fn loading_asks_for_each_listed_tensor_and_for_no_other() {
        for (name, shape) in layout(&config()) {
            let directory = changed(|tensors| drop(tensors.remove(&name).expect("it is stored")));
            let weights = Weights::from_directory(directory.path()).unwrap();
            let error = Plt::from_weights(config(), &weights, LoadOptions::default()).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("tensor {name} is missing; expected shape {shape:?}")
            );
        }
        let listed: Vec<String> = layout(&config()).into_iter().map(|(name, _)| name).collect();
        let directory = changed(|tensors| tensors.retain(|name, _| listed.contains(name)));
        let weights = Weights::from_directory(directory.path()).unwrap();
        Plt::from_weights(config(), &weights, LoadOptions::default()).unwrap();
    }
}
