//! The header as a whole.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use crate::Error;
use crate::source::Source;
use crate::value::Value;

const DEFAULT_ALIGNMENT: u64 = 32;

/// The format allows no more dimensions.
const MAX_DIMENSIONS: u32 = 4;

/// Room of the smallest tensor entry: the length of its name, number of dimensions, type and offset.
const SMALLEST_TENSOR: u64 = 8 + 4 + 4 + 8;

/// Room of the smallest metadata entry: the length of its key, its type and one byte.
const SMALLEST_ENTRY: u64 = 8 + 4 + 1;

/// Where one tensor lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Outermost dimension first, which is the reverse of the file's order.
    pub shape: Vec<usize>,
    /// Number of the type as ggml counts types.
    pub kind: u32,
    /// In bytes, from the start of the file; a multiple of eight.
    pub start: u64,
}

/// Metadata and tensors of one file.
#[derive(Debug, Clone)]
pub struct Header {
    path: PathBuf,
    metadata: BTreeMap<String, Value>,
    tensors: BTreeMap<String, TensorInfo>,
}

impl Header {
    /// Reads the header of the file `path`. Whether the tensors lie within the file is not looked at.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let io_error = |source| Error::Io { path: path.to_owned(), source };
        let file = File::open(path).map_err(io_error)?;
        let len = file.metadata().map_err(io_error)?.len();
        let mut source = Source::new(BufReader::new(file), len);
        Self::parse(path, &mut source)
            .map_err(|reason| Error::Header { path: path.to_owned(), reason })
    }

    fn parse<R: Read>(path: &Path, source: &mut Source<R>) -> Result<Self, String> {
        if source.array()? != *b"GGUF" {
            return Err("it does not begin with GGUF, so it is no GGUF file".to_owned());
        }
        let version = source.u32()?;
        if !matches!(version, 2 | 3) {
            return Err(format!("GGUF version {version} is not supported; versions 2 and 3 are"));
        }
        let n_tensors = source.count("tensors", SMALLEST_TENSOR)?;
        let n_entries = source.count("metadata entries", SMALLEST_ENTRY)?;
        let mut metadata = BTreeMap::new();
        for _ in 0..n_entries {
            let key = source.string()?;
            let value = Value::read(source).map_err(|reason| format!("{key}: {reason}"))?;
            metadata.insert(key, value);
        }
        let alignment = match metadata.get("general.alignment") {
            None => DEFAULT_ALIGNMENT,
            Some(Value::Integer(alignment @ 8..=0x1_0000)) if alignment % 8 == 0 => {
                u64::try_from(*alignment).map_err(|error| error.to_string())?
            }
            Some(other) => {
                return Err(format!("general.alignment is {other:?}; expected a multiple of 8"));
            }
        };
        let mut tensors = BTreeMap::new();
        for _ in 0..n_tensors {
            let name = source.string()?;
            let info = read_tensor(source).map_err(|reason| format!("tensor {name}: {reason}"))?;
            if tensors.insert(name.clone(), info).is_some() {
                return Err(format!("there are two tensors {name}"));
            }
        }
        let data_start = source.position().next_multiple_of(alignment);
        for (name, info) in &mut tensors {
            info.start = match info.start.checked_add(data_start) {
                Some(start) if info.start % 8 == 0 => start,
                _ => {
                    return Err(format!(
                        "tensor {name} lies at an impossible place, {}",
                        info.start
                    ));
                }
            };
        }
        Ok(Self { path: path.to_owned(), metadata, tensors })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tensors by name.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// A metadata value, of whatever kind it is.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// A string; `None` when there is no such key.
    pub fn text(&self, key: &str) -> Result<Option<&str>, Error> {
        self.typed(key, "a string", Value::as_text)
    }

    /// An integer of any width that is not negative; `None` when there is no such key.
    pub fn integer(&self, key: &str) -> Result<Option<u64>, Error> {
        self.typed(key, "an integer from 0 on", |value| u64::try_from(value.as_integer()?).ok())
    }

    /// A float of either width; `None` when there is no such key.
    pub fn float(&self, key: &str) -> Result<Option<f64>, Error> {
        self.typed(key, "a float", |value| match value {
            Value::Float(float) => Some(*float),
            _ => None,
        })
    }

    /// A bool; `None` when there is no such key.
    pub fn bool(&self, key: &str) -> Result<Option<bool>, Error> {
        self.typed(key, "a bool", |value| match value {
            Value::Bool(bool) => Some(*bool),
            _ => None,
        })
    }

    /// An array of strings; `None` when there is no such key.
    pub fn texts(&self, key: &str) -> Result<Option<Vec<&str>>, Error> {
        self.typed(key, "an array of strings", |value| match value {
            Value::Array(elements) => elements.iter().map(Value::as_text).collect(),
            _ => None,
        })
    }

    /// An array of integers; `None` when there is no such key.
    pub fn integers(&self, key: &str) -> Result<Option<Vec<i128>>, Error> {
        self.typed(key, "an array of integers", |value| match value {
            Value::Array(elements) => elements.iter().map(Value::as_integer).collect(),
            _ => None,
        })
    }

    /// An array of floats of either width; `None` when there is no such key.
    pub fn floats(&self, key: &str) -> Result<Option<Vec<f64>>, Error> {
        self.typed(key, "an array of floats", |value| match value {
            Value::Array(elements) => elements
                .iter()
                .map(|element| match element {
                    Value::Float(float) => Some(*float),
                    _ => None,
                })
                .collect(),
            _ => None,
        })
    }

    /// Turns an absent value into an error that names the key.
    pub fn require<T>(&self, key: &str, value: Option<T>) -> Result<T, Error> {
        value.ok_or_else(|| Error::MissingKey { path: self.path.clone(), key: key.to_owned() })
    }

    fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &'static str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.metadata.get(key) else { return Ok(None) };
        let wrong = || Error::WrongType {
            path: self.path.clone(),
            key: key.to_owned(),
            found: value.kind(),
            expected,
        };
        convert(value).map(Some).ok_or_else(wrong)
    }
}

/// An entry of the list of tensors, its place still counted from the start of the data.
fn read_tensor<R: Read>(source: &mut Source<R>) -> Result<TensorInfo, String> {
    let n_dimensions = source.u32()?;
    if MAX_DIMENSIONS < n_dimensions {
        return Err(format!("it has {n_dimensions} dimensions; {MAX_DIMENSIONS} are the most"));
    }
    let mut shape = Vec::new();
    for _ in 0..n_dimensions {
        let size = source.u64()?;
        shape.push(usize::try_from(size).map_err(|_| format!("a dimension is {size}"))?);
    }
    shape.reverse();
    if shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size)).is_none() {
        return Err(format!("its shape {shape:?} has more elements than a computer can count"));
    }
    Ok(TensorInfo { shape, kind: source.u32()?, start: source.u64()? })
}

#[cfg(test)]
#[path = "header_tests.rs"]
mod tests;
