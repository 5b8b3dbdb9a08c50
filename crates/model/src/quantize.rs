//! Writes a checkpoint or the tensors of a GGUF file with matrices rounded to integers, one tensor in memory at a time.

use std::borrow::Cow;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rayon::prelude::*;
use safetensors::tensor::{Dtype, SafeTensorError, View, serialize_to_file};

use crate::layout::Row;
use crate::matrix::Matrix;
use crate::quantised::{Format, integers, scale_from_bits, scales};
use crate::weights::TensorSummary;
use crate::{Error, Weights};

/// How one tensor was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Rounded {
    pub name: String,
    pub format: Format,
    pub group_size: usize,
    /// What the original is stored as: `BF16`, `Q4_1`, ...
    pub stored: String,
    /// Norm of the difference over the norm of the original.
    pub relative_error: f64,
}

impl Rounded {
    /// The original was rounded to integers before, so that what is lost here comes on top of what was lost then.
    pub fn was_rounded_before(&self) -> bool {
        !matches!(self.stored.as_str(), "F64" | "F32" | "F16" | "BF16")
    }
}

/// Writes `model.safetensors` into `directory`: projections in `format`, embedding and head in 8 bits, everything else
/// as it is, or in single precision where it comes from a GGUF file. Returns what was rounded, in the order of names.
///
/// The matrix `x` becomes the integers `x` and the bfloat16 scales `x_scale`. A file that is there already is replaced
/// only when the new one is whole.
///
/// # Errors
/// When a tensor is in this format already, or of a type that is not read; when the file cannot be written.
pub fn quantize(
    weights: &Weights,
    format: Format,
    directory: &Path,
) -> Result<Vec<Rounded>, Error> {
    let rounded = Mutex::new(Vec::new());
    let mut tensors = Vec::new();
    for TensorSummary { name, dtype, shape } in weights.summaries() {
        if weights.is_quantised(&name) {
            return Err(Error::Quantised { name });
        }
        let source = match weights.packed_matrix(&name) {
            Some(matrix) => Source::Packed(matrix?),
            None if weights.is_plain(&name) => Source::Plain(weights),
            None => return Err(Error::StoredType { name, found: dtype }),
        };
        let mut add = |to: String, shape: Vec<usize>, part: Part| {
            let tensor = Output {
                source: source.clone(),
                name: name.clone(),
                stored: dtype.clone(),
                shape,
                part,
                rounded: &rounded,
            };
            tensors.push((to, tensor));
        };
        let (Some((format, group_size)), &[n_outputs, n_inputs]) =
            (plan(&name, &shape, format), shape.as_slice())
        else {
            add(name.clone(), shape, Part::Whole);
            continue;
        };
        let rows = Rows { format, group_size, n_outputs, n_inputs };
        let scales = Arc::default();
        let shape = vec![n_outputs, n_inputs / group_size];
        add(format!("{name}_scale"), shape, Part::Scales(rows, Arc::clone(&scales)));
        let shape = vec![n_outputs, format.n_bytes(n_inputs)];
        add(name.clone(), shape, Part::Integers(rows, scales));
    }
    let path = directory.join("model.safetensors");
    let unfinished = directory.join("model.safetensors.part");
    let written = serialize_to_file(tensors, None, &unfinished)
        .map_err(|error| match error {
            SafeTensorError::IoError(source) => Error::Io { path: unfinished.clone(), source },
            other => Error::Safetensors {
                origin: unfinished.display().to_string(),
                reason: other.to_string(),
            },
        })
        .and_then(|()| {
            std::fs::rename(&unfinished, &path).map_err(|source| Error::Io { path, source })
        });
    if let Err(error) = written {
        // The error that matters is the first one.
        let _ = std::fs::remove_file(&unfinished);
        return Err(error);
    }
    let mut rounded = rounded.into_inner().unwrap_or_else(PoisonError::into_inner);
    rounded.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(rounded)
}

/// Format and group size of a tensor, if it is one to round and a group size divides its rows.
fn plan(name: &str, shape: &[usize], format: Format) -> Option<(Format, usize)> {
    let format = match name {
        "model.embed_tokens.weight" | "lm_head.weight" => Format::Int8,
        _ if name.ends_with("_proj.weight") => format,
        _ => return None,
    };
    let &[_, n_inputs] = shape else { return None };
    let size = format.group_sizes().iter().find(|size| n_inputs.is_multiple_of(**size))?;
    Some((format, *size))
}

#[derive(Clone, Copy)]
struct Rows {
    format: Format,
    group_size: usize,
    n_outputs: usize,
    n_inputs: usize,
}

/// Where the weights of a tensor come from.
#[derive(Clone)]
enum Source<'a> {
    Plain(&'a Weights),
    Packed(Matrix),
}

/// A tensor of the new file, computed when it is written.
struct Output<'a> {
    source: Source<'a>,
    /// Of the original.
    name: String,
    /// Type of the original.
    stored: String,
    /// Of what is written.
    shape: Vec<usize>,
    part: Part,
    rounded: &'a Mutex<Vec<Rounded>>,
}

enum Part {
    Whole,
    Integers(Rows, Arc<Scales>),
    Scales(Rows, Arc<Scales>),
}

/// The scales of a matrix, which its two parts share: whichever is written first chooses them.
type Scales = OnceLock<Vec<u16>>;

impl Output<'_> {
    /// One row of the original.
    fn row(&self, output: usize, n_inputs: usize) -> Vec<f32> {
        match &self.source {
            Source::Plain(weights) => weights.row(&self.name, output, n_inputs),
            Source::Packed(matrix) => {
                let mut row = vec![0.0; n_inputs];
                matrix.view().row(output).dequantise(&mut row);
                row
            }
        }
    }

    fn whole(&self) -> Cow<'_, [u8]> {
        match &self.source {
            Source::Plain(weights) => weights.bytes(&self.name).into(),
            Source::Packed(matrix) => (0..matrix.n_outputs())
                .flat_map(|output| self.row(output, matrix.n_inputs()))
                .flat_map(f32::to_le_bytes)
                .collect(),
        }
    }

    fn integers(&self, rows: Rows, scales: &Scales) -> Vec<u8> {
        let row_len = rows.format.n_bytes(rows.n_inputs);
        let mut bytes = vec![0; rows.n_outputs * row_len];
        let scales = self.scales(rows, scales);
        let (error, norm) = bytes
            .par_chunks_exact_mut(row_len.max(1))
            .zip(scales.par_chunks_exact((rows.n_inputs / rows.group_size).max(1)))
            .enumerate()
            .map(|(output, (out, scales))| {
                let row = self.row(output, rows.n_inputs);
                let integers = integers(rows.format, rows.group_size, &row, scales);
                let scales: Vec<f32> = scales.iter().copied().map(scale_from_bits).collect();
                let mut back = vec![0.0; row.len()];
                let layout = rows.format.layout(rows.group_size);
                Row { layout, bytes: &integers, scales: &scales }.dequantise(&mut back);
                out.copy_from_slice(&integers);
                let square = |value: f32| f64::from(value) * f64::from(value);
                let error: f64 = row.iter().zip(&back).map(|(a, b)| square(a - b)).sum();
                (error, row.iter().copied().map(square).sum::<f64>())
            })
            .reduce(|| (0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
        self.rounded.lock().unwrap_or_else(PoisonError::into_inner).push(Rounded {
            name: self.name.clone(),
            format: rows.format,
            group_size: rows.group_size,
            stored: self.stored.clone(),
            relative_error: if norm == 0.0 { 0.0 } else { (error / norm).sqrt() },
        });
        bytes
    }

    fn scales<'s>(&self, rows: Rows, chosen: &'s Scales) -> &'s [u16] {
        chosen.get_or_init(|| {
            (0..rows.n_outputs)
                .into_par_iter()
                .flat_map_iter(|output| {
                    scales(rows.format, rows.group_size, &self.row(output, rows.n_inputs))
                })
                .collect()
        })
    }
}

impl View for Output<'_> {
    fn dtype(&self) -> Dtype {
        match (&self.part, &self.source) {
            (Part::Whole, Source::Plain(weights)) => weights.dtype(&self.name),
            (Part::Whole, Source::Packed(_)) => Dtype::F32,
            (Part::Integers(Rows { format: Format::Int8, .. }, _), _) => Dtype::I8,
            (Part::Integers(Rows { format: Format::Int4, .. }, _), _) => Dtype::U8,
            (Part::Scales(..), _) => Dtype::BF16,
        }
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        match &self.part {
            Part::Whole => self.whole(),
            Part::Integers(rows, scales) => self.integers(*rows, scales).into(),
            Part::Scales(rows, scales) => {
                self.scales(*rows, scales).iter().flat_map(|bits| bits.to_le_bytes()).collect()
            }
        }
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype().bitsize() / 8
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{Config, DType, LoadOptions, Plt, verify};

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity").join(name)
    }

    fn logits(config: &Config, weights: &Weights, dtype: DType) -> Vec<f64> {
        let options = LoadOptions { dtype, ..LoadOptions::default() };
        let model = Plt::from_weights(config.clone(), weights, options).unwrap();
        let mut cache = model.new_cache();
        let rows = model.prefill_all(&[1, 2, 3, 4, 5, 6, 7, 8], &mut cache).unwrap();
        rows.to_f64().unwrap().concat()
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        let norm =
            |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
    }

    /// What is rounded of the fixtures has 32 inputs; `down_proj` with its 40 stays as it is.
    #[track_caller]
    fn check(name: &str, format: Format, at_most: f64) {
        let config = Config::from_directory(&fixture(name)).unwrap();
        let original = Weights::from_directory(&fixture(name)).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let rounded = quantize(&original, format, directory.path()).unwrap();
        assert!(!rounded.is_empty());
        assert!(!rounded.iter().any(|it| it.name.contains("plt_gate") || it.name.contains("norm")));
        let smaller = Weights::from_directory(directory.path()).unwrap();
        assert_eq!(verify(&config, &smaller).defects, []);
        let found = logits(&config, &smaller, DType::F32);
        let error = distance(&found, &logits(&config, &original, DType::F32));
        assert!(0.0 < error && error < at_most, "{error}");
        // What is read back is what was reported.
        for it in &rounded {
            assert!(0.0 < it.relative_error && it.relative_error < at_most, "{it:?}");
        }
    }

    #[test]
    fn eight_bits_keep_the_logits_close() {
        check("r2-gqa-w5", Format::Int8, 0.03);
        check("r1-mha-tied", Format::Int8, 0.03);
        check("r3-gqa-w5-bf16", Format::Int8, 0.03);
    }

    #[test]
    fn four_bits_keep_them_in_sight() {
        check("r2-gqa-w5", Format::Int4, 0.4);
    }

    #[test]
    fn fused_decode_of_rounded_weights_equals_sequential_loops() {
        let config = Config::from_directory(&fixture("r2-gqa-w5")).unwrap();
        let original = Weights::from_directory(&fixture("r2-gqa-w5")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        quantize(&original, Format::Int8, directory.path()).unwrap();
        let weights = Weights::from_directory(directory.path()).unwrap();
        let model = Plt::from_weights(config.clone(), &weights, LoadOptions::default()).unwrap();
        let mut cache = model.new_cache();
        let decoded: Vec<f64> = (1..=8)
            .flat_map(|token| model.decode(token, &mut cache).unwrap().to_f64().unwrap().concat())
            .collect();
        let error = distance(&decoded, &logits(&config, &weights, DType::F32));
        assert!(error < 1e-5, "{error}");
    }

    #[test]
    fn rounding_twice_is_refused() {
        let original = Weights::from_directory(&fixture("r2-gqa-w5")).unwrap();
        let directory = tempfile::tempdir().unwrap();
        quantize(&original, Format::Int8, directory.path()).unwrap();
        let rounded = Weights::from_directory(directory.path()).unwrap();
        let again = tempfile::tempdir().unwrap();
        let error = quantize(&rounded, Format::Int4, again.path()).unwrap_err().to_string();
        assert!(error.contains("is quantised already"), "{error}");
        assert_eq!(std::fs::read_dir(again.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_type_that_is_no_float_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let name = "model.layers.0.mlp.up_proj.weight";
        let view =
            safetensors::tensor::TensorView::new(Dtype::I32, vec![1, 32], &[0; 128]).unwrap();
        let bytes = safetensors::serialize([(name, view)], None).unwrap();
        std::fs::write(directory.path().join("model.safetensors"), bytes).unwrap();
        let weights = Weights::from_directory(directory.path()).unwrap();
        let out = tempfile::tempdir().unwrap();
        let error = quantize(&weights, Format::Int8, out.path()).unwrap_err().to_string();
        assert!(error.contains("up_proj.weight is stored as I32"), "{error}");
        assert_eq!(std::fs::read_dir(out.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_full_disk_leaves_nothing_behind() {
        let original = Weights::from_directory(&fixture("r2-gqa-w5")).unwrap();
        let error = quantize(&original, Format::Int8, Path::new("/dev/null")).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error}");
    }
}
