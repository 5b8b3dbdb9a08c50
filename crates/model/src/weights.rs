//! Tensors of a checkpoint by name: one safetensors file or several with an index, mapped or borrowed, or a GGUF file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorInfo};
use serde::Deserialize;

use crate::Error;
use crate::broken_shard::explain;
use crate::bytes::Bytes;
use crate::config::Config;
use crate::layout::Layout;
use crate::linear::Stored;
use crate::matrix::Matrix;
use crate::packed::Packed;
use crate::quantised::Format;

struct Entry {
    shard: Arc<Bytes>,
    /// Where the shard's data section begins.
    data_start: usize,
    info: TensorInfo,
}

impl Entry {
    fn bytes(&self) -> &[u8] {
        let (start, end) = self.info.data_offsets;
        &self.shard.as_slice()[self.data_start + start..self.data_start + end]
    }
}

fn count<const N: usize>(bytes: &[u8], is_counted: impl Fn([u8; N]) -> bool) -> usize {
    bytes.as_chunks().0.iter().filter(|value| is_counted(**value)).count()
}

fn each<const N: usize>(bytes: &[u8], decode: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|value| decode(*value)).collect()
}

fn is_all_ones(value: u64, bits: u64) -> bool {
    value & bits == bits
}

/// One tensor as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSummary {
    pub name: String,
    /// Stored type: `F32`, `BF16`, ...
    pub dtype: String,
    pub shape: Vec<usize>,
}

/// Named tensors of a checkpoint; nothing is read before it is asked for.
pub struct Weights {
    entries: BTreeMap<String, Entry>,
    /// Tensors of a GGUF file; then there are no others.
    packed: BTreeMap<String, Packed>,
}

impl std::fmt::Debug for Weights {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Weights")
            .field("n_tensors", &(self.entries.len() + self.packed.len()))
            .finish()
    }
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

impl Weights {
    /// Maps `model.safetensors`, or the shards that `model.safetensors.index.json` names, of `directory`.
    pub fn from_directory(directory: &Path) -> Result<Self, Error> {
        let index_path = directory.join("model.safetensors.index.json");
        if index_path.is_file() {
            return Self::from_index(directory, &index_path);
        }
        let single = directory.join("model.safetensors");
        if !single.is_file() {
            return Err(Error::NoWeights { directory: directory.to_owned() });
        }
        let mut entries = BTreeMap::new();
        add_shard(&mut entries, Bytes::map(&single)?, &single.display().to_string())?;
        Ok(Self { entries, packed: BTreeMap::new() })
    }

    /// Reads one whole safetensors file from memory; `origin` names it in errors.
    pub fn from_static(bytes: &'static [u8], origin: &str) -> Result<Self, Error> {
        let mut entries = BTreeMap::new();
        add_shard(&mut entries, Bytes::Static(bytes), origin)?;
        Ok(Self { entries, packed: BTreeMap::new() })
    }

    fn from_index(directory: &Path, index_path: &Path) -> Result<Self, Error> {
        let json = std::fs::read(index_path)
            .map_err(|source| Error::Io { path: index_path.to_owned(), source })?;
        let config_error =
            |reason| Error::Config { origin: index_path.display().to_string(), reason };
        let index: Index =
            serde_json::from_slice(&json).map_err(|error| config_error(error.to_string()))?;
        let mut entries = BTreeMap::new();
        let mut shard_names: Vec<&String> = index.weight_map.values().collect();
        shard_names.sort();
        shard_names.dedup();
        for name in shard_names {
            // An index may only name its neighbours: a path would reach out of the checkpoint.
            if Path::new(name).file_name() != Some(name.as_ref()) {
                return Err(config_error(format!("{name:?} is not a file name")));
            }
            let path: PathBuf = directory.join(name);
            if !path.exists() {
                let tensors = index.weight_map.iter().filter(|(_, shard)| *shard == name);
                let tensors: Vec<String> = tensors.map(|(tensor, _)| tensor.clone()).collect();
                return Err(Error::MissingShard {
                    path,
                    n_tensors: tensors.len(),
                    n_all: index.weight_map.len(),
                    first: tensors.into_iter().next().unwrap_or_default(),
                });
            }
            add_shard(&mut entries, Bytes::map(&path)?, &path.display().to_string())?;
        }
        Ok(Self { entries, packed: BTreeMap::new() })
    }

    pub(crate) fn from_packed(packed: BTreeMap<String, Packed>) -> Self {
        Self { entries: BTreeMap::new(), packed }
    }

    /// What is stored, in the order of names.
    pub fn summaries(&self) -> Vec<TensorSummary> {
        let entries = self.entries.iter().map(|(name, entry)| TensorSummary {
            name: name.clone(),
            dtype: entry.info.dtype.to_string(),
            shape: entry.info.shape.clone(),
        });
        let packed = self.packed.iter().map(|(name, tensor)| TensorSummary {
            name: name.clone(),
            dtype: tensor.type_name().to_owned(),
            shape: tensor.shape.clone(),
        });
        entries.chain(packed).collect()
    }

    /// The matrix `name` of shape [out, in]: as it lies on disk, or in double precision where that is asked for.
    pub(crate) fn matrix(
        &self,
        name: &str,
        shape: [usize; 2],
        dtype: DType,
    ) -> Result<Stored, Error> {
        let matrix = self.stored_matrix(name, shape)?;
        match dtype {
            DType::F64 => match self.entries.get(name).map(|entry| entry.info.dtype) {
                // The only type with more digits than a matrix has.
                Some(Dtype::F64) => Ok(Stored::Dense(self.tensor(name, &shape, dtype)?)),
                _ => Ok(Stored::Dense(matrix.tensor()?.to_dtype(dtype)?)),
            },
            _ => Ok(Stored::Matrix(matrix)),
        }
    }

    fn stored_matrix(&self, name: &str, shape: [usize; 2]) -> Result<Matrix, Error> {
        if let Some(packed) = self.packed.get(name) {
            check_shape(name, &packed.shape, &shape)?;
            return packed.matrix();
        }
        let [n_outputs, n_inputs] = shape;
        let no_scales = || Arc::from([]);
        let (layout, scales) = match self.entries.get(name).map(|entry| entry.info.dtype) {
            Some(Dtype::I8) => self.integers(name, shape, Format::Int8)?,
            Some(Dtype::U8) => self.integers(name, shape, Format::Int4)?,
            Some(Dtype::F32) => (Layout::F32, no_scales()),
            Some(Dtype::F16) => (Layout::F16, no_scales()),
            Some(Dtype::BF16) => (Layout::Bf16, no_scales()),
            _ => {
                let values =
                    self.tensor(name, &shape, DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
                let bytes: Vec<u8> = values.into_iter().flat_map(f32::to_le_bytes).collect();
                let range = 0..bytes.len();
                let place = (Arc::new(Bytes::Converted(bytes)), range);
                return Ok(Matrix::new(Layout::F32, (n_outputs, n_inputs), place, no_scales()));
            }
        };
        let stored = match layout {
            Layout::Int4 { .. } => [n_outputs, Format::Int4.n_bytes(n_inputs)],
            _ => shape,
        };
        let entry = self.entry(name, &stored)?;
        let (start, end) = entry.info.data_offsets;
        let place = (Arc::clone(&entry.shard), entry.data_start + start..entry.data_start + end);
        Ok(Matrix::new(layout, (n_outputs, n_inputs), place, scales))
    }

    /// Layout and scales of integers in `format`.
    fn integers(
        &self,
        name: &str,
        [n_outputs, n_inputs]: [usize; 2],
        format: Format,
    ) -> Result<(Layout, Arc<[f32]>), Error> {
        let scale_name = format!("{name}_scale");
        let n_groups = match self.entries.get(&scale_name).map(|entry| entry.info.shape.as_slice())
        {
            Some(&[_, n_groups]) => n_groups,
            _ => 1,
        };
        let scales = self.tensor(&scale_name, &[n_outputs, n_groups], DType::F32)?;
        let group_size = n_inputs / n_groups.max(1);
        if !format.group_sizes().contains(&group_size) || group_size * n_groups != n_inputs {
            return Err(Error::GroupSize { name: scale_name, group_size });
        }
        Ok((format.layout(group_size), scales.flatten_all()?.to_vec1()?.into()))
    }

    /// Bytes that one pass over the weights reads, as they are stored: all but an embedding table of its own, of which
    /// it reads a row.
    pub fn bytes_per_token(&self, config: &Config) -> usize {
        let is_read = |name: &str| {
            config.tie_word_embeddings || !name.starts_with("model.embed_tokens.weight")
        };
        let entries = self.entries.iter().map(|(name, entry)| (name, entry.bytes().len()));
        let packed = self.packed.iter().map(|(name, tensor)| (name, tensor.n_bytes()));
        entries.chain(packed).filter(|(name, _)| is_read(name)).map(|(_, n)| n).sum()
    }

    /// All weights come in single precision or better.
    pub(crate) fn is_stored_in_single(&self) -> bool {
        let mut dtypes = self.entries.values().map(|entry| entry.info.dtype);
        dtypes.all(|dtype| matches!(dtype, Dtype::F64 | Dtype::F32))
            && self.packed.values().all(|tensor| tensor.type_name() == "F32")
    }

    /// The tensor `name` holds integers with scales of their own.
    pub(crate) fn is_quantised(&self, name: &str) -> bool {
        let dtype = self.entries.get(name).map(|entry| entry.info.dtype);
        matches!(dtype, Some(Dtype::I8 | Dtype::U8))
    }

    /// The tensor `name` of a GGUF file as a matrix, a vector as one of one row; `None` where it comes from another file.
    pub(crate) fn packed_matrix(&self, name: &str) -> Option<Result<Matrix, Error>> {
        Some(self.packed.get(name)?.matrix())
    }

    /// The tensor `name` is stored in one of the types that [`Weights::tensor`] reads.
    pub(crate) fn is_plain(&self, name: &str) -> bool {
        let dtype = self.entries.get(name).map(|entry| entry.info.dtype);
        matches!(dtype, Some(Dtype::F64 | Dtype::F32 | Dtype::F16 | Dtype::BF16))
    }

    /// Stored type; the name is one of [`Weights::summaries`], as in the two functions that follow.
    pub(crate) fn dtype(&self, name: &str) -> Dtype {
        self.entries[name].info.dtype
    }

    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        self.entries[name].bytes()
    }

    /// Row `row` of the matrix `name`, which is stored in one of the types that [`Weights::tensor`] reads.
    pub(crate) fn row(&self, name: &str, row: usize, n_inputs: usize) -> Vec<f32> {
        let entry = &self.entries[name];
        let n_bytes = n_inputs * entry.info.dtype.bitsize() / 8;
        let bytes = &entry.bytes()[row * n_bytes..(row + 1) * n_bytes];
        match entry.info.dtype {
            Dtype::F64 => each(bytes, |value| f64::from_le_bytes(value) as f32),
            Dtype::F32 => each(bytes, f32::from_le_bytes),
            Dtype::F16 => each(bytes, |value| half::f16::from_le_bytes(value).to_f32()),
            _ => each(bytes, |value| half::bf16::from_le_bytes(value).to_f32()),
        }
    }

    /// The entry `name`, if it has the shape `expected`.
    fn entry(&self, name: &str, expected: &[usize]) -> Result<&Entry, Error> {
        let Some(entry) = self.entries.get(name) else {
            return Err(Error::MissingTensor {
                name: name.to_owned(),
                expected: expected.to_vec(),
            });
        };
        check_shape(name, &entry.info.shape, expected)?;
        Ok(entry)
    }

    /// How many values of the tensor `name` are NaN or infinite; `None` when it is not there or not of a supported type.
    pub(crate) fn n_not_finite(&self, name: &str) -> Option<usize> {
        if let Some(packed) = self.packed.get(name) {
            let values =
                packed.tensor(DType::F32).ok()?.flatten_all().ok()?.to_vec1::<f32>().ok()?;
            return Some(values.iter().filter(|value| !value.is_finite()).count());
        }
        let entry = self.entries.get(name)?;
        let bytes = entry.bytes();
        // In every one of these types the values with all bits of the exponent set are those that are not finite.
        Some(match entry.info.dtype {
            Dtype::F64 => {
                count(bytes, |value| is_all_ones(u64::from_le_bytes(value), 0x7ff0 << 48))
            }
            Dtype::F32 => {
                count(bytes, |value| is_all_ones(u32::from_le_bytes(value).into(), 0x7f80 << 16))
            }
            Dtype::F16 => {
                count(bytes, |value| is_all_ones(u16::from_le_bytes(value).into(), 0x7c00))
            }
            Dtype::BF16 => {
                count(bytes, |value| is_all_ones(u16::from_le_bytes(value).into(), 0x7f80))
            }
            _ => return None,
        })
    }

    /// The tensor `name` converted to `dtype`, if it has the shape `expected`.
    pub(crate) fn tensor(
        &self,
        name: &str,
        expected: &[usize],
        dtype: DType,
    ) -> Result<Tensor, Error> {
        if let Some(packed) = self.packed.get(name) {
            check_shape(name, &packed.shape, expected)?;
            return packed.tensor(dtype);
        }
        let entry = self.entry(name, expected)?;
        let stored = match entry.info.dtype {
            Dtype::F64 => DType::F64,
            Dtype::F32 => DType::F32,
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            other => {
                return Err(Error::StoredType { name: name.to_owned(), found: other.to_string() });
            }
        };
        let tensor = Tensor::from_raw_buffer(entry.bytes(), stored, expected, &Device::Cpu)?;
        Ok(tensor.to_dtype(dtype)?)
    }
}

fn check_shape(name: &str, found: &[usize], expected: &[usize]) -> Result<(), Error> {
    match found == expected {
        true => Ok(()),
        false => Err(Error::Shape {
            name: name.to_owned(),
            found: found.to_vec(),
            expected: expected.to_vec(),
        }),
    }
}

fn add_shard(
    entries: &mut BTreeMap<String, Entry>,
    bytes: Bytes,
    origin: &str,
) -> Result<(), Error> {
    let (header_len, metadata) = SafeTensors::read_metadata(bytes.as_slice()).map_err(|error| {
        let reason = explain(bytes.as_slice(), &error);
        Error::Safetensors { origin: origin.to_owned(), reason }
    })?;
    let shard = Arc::new(bytes);
    for (name, info) in metadata.tensors() {
        // The format puts the header behind its own length, eight bytes.
        let data_start = header_len + 8;
        // Older exports call the gate by another name.
        let name = name.replace(".loop_gate_proj.", ".plt_gate.");
        entries.insert(name, Entry { shard: Arc::clone(&shard), data_start, info: info.clone() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/parity").join(name)
    }

    fn copy_of(name: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(fixture(name)).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, directory.path().join(path.file_name().unwrap())).unwrap();
        }
        directory
    }

    #[track_caller]
    fn check_error(directory: &Path, expected: &str) {
        let error =
            Weights::from_directory(directory).expect_err("it should be refused").to_string();
        assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
    }

    #[test]
    fn shards_are_found_through_the_index() {
        let single = Weights::from_directory(&fixture("r2-gqa-w5")).unwrap();
        let sharded = Weights::from_directory(&fixture("r2-gqa-w64-long-bf16-sharded")).unwrap();
        let names = |weights: &Weights| -> Vec<String> {
            weights.summaries().into_iter().map(|summary| summary.name).collect()
        };
        assert_eq!(names(&single), names(&sharded));
    }

    #[test]
    fn every_truncation_is_refused() {
        let directory = copy_of("r2-gqa-w5");
        let path = directory.path().join("model.safetensors");
        let whole = std::fs::read(&path).unwrap();
        for len in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
            std::fs::write(&path, &whole[..len]).unwrap();
            check_error(directory.path(), "model.safetensors is not a whole safetensors file");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        check_error(
            directory.path(),
            "tensor lm_head.weight of shape [48, 32] is not whole; download",
        );
        std::fs::write(&path, &whole[..whole.len() - 4 * 48 * 32 - 1]).unwrap();
        check_error(directory.path(), "is not whole, and 1 more after it");
        std::fs::write(&path, [&whole[..], &[0]].concat()).unwrap();
        check_error(directory.path(), "1 bytes at its end belong to no tensor");
    }

    #[test]
    fn a_missing_shard_is_named() {
        let directory = copy_of("r2-gqa-w64-long-bf16-sharded");
        let shard = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .find(|path| path.extension().is_some_and(|extension| extension == "safetensors"))
            .unwrap();
        std::fs::remove_file(&shard).unwrap();
        check_error(directory.path(), &format!("{} is missing", shard.display()));
        check_error(directory.path(), "tensors are in it, model.");
    }

    #[test]
    fn an_index_may_not_reach_out_of_the_directory() {
        let directory = tempfile::tempdir().unwrap();
        let index = r#"{"weight_map":{"a":"../model.safetensors"}}"#;
        std::fs::write(directory.path().join("model.safetensors.index.json"), index).unwrap();
        check_error(directory.path(), "is not a file name");
    }

    #[test]
    fn an_empty_directory_says_what_is_missing() {
        check_error(tempfile::tempdir().unwrap().path(), "holds neither model.safetensors");
    }

    #[test]
    fn a_wrong_shape_names_both() {
        let weights = Weights::from_directory(&fixture("r2-gqa-w5")).unwrap();
        let error = weights.tensor("model.norm.weight", &[33], DType::F32).unwrap_err().to_string();
        assert_eq!(error, "tensor model.norm.weight has shape [32]; expected [33]");
    }
}
