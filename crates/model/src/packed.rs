//! One tensor of a GGUF file: where it lies, and what its values are.

use std::ops::Range;
use std::sync::Arc;

use candle_core::{DType, Tensor};
use gguf::TensorInfo;

use crate::Error;
use crate::bytes::Bytes;
use crate::layout::Layout;
use crate::matrix::Matrix;

/// A tensor as it lies in the file.
pub(crate) struct Packed {
    file: Arc<Bytes>,
    range: Range<usize>,
    pub(crate) shape: Vec<usize>,
    layout: Layout,
    /// Number of heads where the rows of each stand in pairs.
    paired_heads: Option<usize>,
}

/// The types that are read: ggml's number, ggml's name and ours.
const KINDS: [(u32, &str, Layout); 11] = [
    (0, "F32", Layout::F32),
    (1, "F16", Layout::F16),
    (30, "BF16", Layout::Bf16),
    (2, "Q4_0", Layout::Q4_0),
    (3, "Q4_1", Layout::Q4_1),
    (6, "Q5_0", Layout::Q5_0),
    (7, "Q5_1", Layout::Q5_1),
    (8, "Q8_0", Layout::Q8_0),
    (12, "Q4_K", Layout::Q4K),
    (13, "Q5_K", Layout::Q5K),
    (14, "Q6_K", Layout::Q6K),
];

impl Packed {
    /// The reason says what is wrong with the entry `info`.
    pub(crate) fn new(file: &Arc<Bytes>, info: &TensorInfo) -> Result<Self, String> {
        let Some(&(_, _, layout)) = KINDS.iter().find(|(number, _, _)| *number == info.kind) else {
            let names: Vec<&str> = KINDS.iter().map(|(_, name, _)| *name).collect();
            return Err(format!(
                "its type, number {} of ggml, is not supported; supported are {}",
                info.kind,
                names.join(", ")
            ));
        };
        let (block_len, _) = layout.block();
        let row_len = info.shape.last().copied().unwrap_or(1);
        if !row_len.is_multiple_of(block_len) {
            return Err(format!("a row of {row_len} is no multiple of a block of {block_len}"));
        }
        let n_values: usize = info.shape.iter().product();
        let range = usize::try_from(info.start)
            .ok()
            .and_then(|start| Some(start..start.checked_add(layout.n_bytes(n_values)?)?));
        match range {
            Some(range) if range.end <= file.as_slice().len() => Ok(Self {
                file: Arc::clone(file),
                range,
                shape: info.shape.clone(),
                layout,
                paired_heads: None,
            }),
            _ => Err(
                "it lies beyond the end of the file, which is truncated; copy or download it again"
                    .to_owned(),
            ),
        }
    }

    pub(crate) fn with_pairs(self, paired_heads: Option<usize>) -> Self {
        Self { paired_heads, ..self }
    }

    /// Bytes in the file.
    pub(crate) fn n_bytes(&self) -> usize {
        self.range.len()
    }

    /// Name of the stored type.
    pub(crate) fn type_name(&self) -> &'static str {
        KINDS.iter().find(|(_, _, layout)| *layout == self.layout).map_or("unknown", |kind| kind.1)
    }

    /// The tensor as a matrix; a vector is one row. Rows of heads are in halves, as released checkpoints have them.
    pub(crate) fn matrix(&self) -> Result<Matrix, Error> {
        let n_inputs = self.shape.last().copied().unwrap_or(1);
        let n_outputs = self.shape.iter().rev().skip(1).product();
        let paired = match (self.paired_heads, self.shape.as_slice()) {
            (Some(n_heads), [n_rows, _]) if n_rows.is_multiple_of(2 * n_heads) => {
                Some(n_rows / n_heads)
            }
            (Some(n_heads), shape) => {
                let reason =
                    format!("shape {shape:?} is not that of {n_heads} heads of even width");
                return Err(Error::Heads { reason });
            }
            (None, _) => None,
        };
        let place = (Arc::clone(&self.file), self.range.clone());
        let scales = Arc::new([]);
        Ok(Matrix::new(self.layout, (n_outputs, n_inputs), place, scales).with_pairs(paired))
    }

    /// The values in the order of [`Packed::matrix`].
    pub(crate) fn tensor(&self, dtype: DType) -> Result<Tensor, Error> {
        Ok(self.matrix()?.tensor()?.reshape(self.shape.as_slice())?.to_dtype(dtype)?)
    }
}
