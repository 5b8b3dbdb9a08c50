//! GGUF files made up in memory: metadata and tensors, good and bad.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Numbers of the kinds of metadata values.
mod kind {
    pub(super) const I32: u32 = 5;
    pub(super) const F32: u32 = 6;
    pub(super) const BOOL: u32 = 7;
    pub(super) const TEXT: u32 = 8;
    pub(super) const ARRAY: u32 = 9;
    pub(super) const U64: u32 = 10;
}

const ALIGNMENT: usize = 32;

/// A file of version 3; a key or a tensor that is set again replaces the old one.
#[derive(Debug, Clone, Default)]
pub struct GgufFile {
    entries: BTreeMap<String, (u32, Vec<u8>)>,
    tensors: BTreeMap<String, Tensor>,
}

#[derive(Debug, Clone, Default)]
struct Tensor {
    /// Innermost first.
    dimensions: Vec<u64>,
    /// Number of the type as ggml counts types.
    kind: u32,
    bytes: Vec<u8>,
}

impl GgufFile {
    pub fn text(&mut self, key: &str, value: &str) {
        self.set(key, kind::TEXT, string(value));
    }

    pub fn integer(&mut self, key: &str, value: u64) {
        self.set(key, kind::U64, value.to_le_bytes().to_vec());
    }

    pub fn float(&mut self, key: &str, value: f32) {
        self.set(key, kind::F32, value.to_le_bytes().to_vec());
    }

    pub fn bool(&mut self, key: &str, value: bool) {
        self.set(key, kind::BOOL, vec![value.into()]);
    }

    pub fn texts<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a str>) {
        self.array(key, kind::TEXT, values.into_iter().map(string));
    }

    pub fn integers(&mut self, key: &str, values: impl IntoIterator<Item = i32>) {
        self.array(key, kind::I32, values.into_iter().map(i32::to_le_bytes));
    }

    pub fn floats(&mut self, key: &str, values: impl IntoIterator<Item = f32>) {
        self.array(key, kind::F32, values.into_iter().map(f32::to_le_bytes));
    }

    /// Takes the entry out again.
    #[track_caller]
    pub fn remove(&mut self, key: &str) {
        self.entries.remove(key).expect("the key is there");
    }

    /// `dimensions` are innermost first, which is the order of the file; `kind` is ggml's number of the type.
    pub fn tensor(&mut self, name: &str, dimensions: &[u64], kind: u32, bytes: Vec<u8>) {
        self.tensors
            .insert(name.to_owned(), Tensor { dimensions: dimensions.to_vec(), kind, bytes });
    }

    /// Says something else of the bytes of a tensor, or of none.
    pub fn retype(&mut self, name: &str, dimensions: &[u64], kind: u32) {
        let tensor = self.tensors.entry(name.to_owned()).or_default();
        tensor.dimensions = dimensions.to_vec();
        tensor.kind = kind;
    }

    #[track_caller]
    pub fn write(&self, path: &Path) {
        fs::write(path, self.to_bytes()).expect("a GGUF file");
    }

    fn set(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.entries.insert(key.to_owned(), (kind, value));
    }

    fn array<T: AsRef<[u8]>>(&mut self, key: &str, kind: u32, values: impl Iterator<Item = T>) {
        let values: Vec<T> = values.collect();
        let mut bytes = kind.to_le_bytes().to_vec();
        bytes.extend((values.len() as u64).to_le_bytes());
        for value in &values {
            bytes.extend(value.as_ref());
        }
        self.set(key, kind::ARRAY, bytes);
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(3_u32.to_le_bytes());
        file.extend((self.tensors.len() as u64).to_le_bytes());
        file.extend((self.entries.len() as u64).to_le_bytes());
        for (key, (kind, value)) in &self.entries {
            file.extend(string(key));
            file.extend(kind.to_le_bytes());
            file.extend(value);
        }
        let mut contents = Vec::new();
        for (name, tensor) in &self.tensors {
            file.extend(string(name));
            file.extend((tensor.dimensions.len() as u32).to_le_bytes());
            file.extend(tensor.dimensions.iter().flat_map(|size| size.to_le_bytes()));
            file.extend(tensor.kind.to_le_bytes());
            file.extend((contents.len() as u64).to_le_bytes());
            contents.extend(&tensor.bytes);
            contents.resize(contents.len().next_multiple_of(ALIGNMENT), 0);
        }
        file.resize(file.len().next_multiple_of(ALIGNMENT), 0);
        file.extend(contents);
        file
    }
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_laid_out_as_the_format_says() {
        let mut file = GgufFile::default();
        file.bool("a", true);
        file.tensor("t", &[3], 0, vec![7; 12]);
        let bytes = file.to_bytes();
        let head = b"GGUF\x03\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0";
        let entry = b"\x01\0\0\0\0\0\0\0a\x07\0\0\0\x01";
        let tensor = b"\x01\0\0\0\0\0\0\0t\x01\0\0\0\x03\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
        let start = [&head[..], entry, tensor].concat();
        assert_eq!(bytes[..start.len()], start);
        assert_eq!(bytes[96..108], [7; 12]);
        assert_eq!(bytes.len(), 128);
    }
}
