//! One tensor of a GGUF file: where it lies, and its values.

use std::ops::Range;
use std::sync::Arc;

use candle_core::quantized::GgmlDType;
use candle_core::quantized::ggml_file::qtensor_from_ggml;
use candle_core::{DType, Device, Tensor};
use gguf::TensorInfo;

use crate::Error;
use crate::bytes::Bytes;

/// A tensor as it lies in the file.
pub(crate) struct Packed {
    file: Arc<Bytes>,
    range: Range<usize>,
    pub(crate) shape: Vec<usize>,
    kind: Kind,
    /// Number of heads where the rows of each stand in pairs.
    paired_heads: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Plain(DType),
    Blocks(GgmlDType),
}

/// The types that are read: ggml's number, ggml's name and ours.
const KINDS: [(u32, &str, Kind); 11] = [
    (0, "F32", Kind::Plain(DType::F32)),
    (1, "F16", Kind::Plain(DType::F16)),
    (30, "BF16", Kind::Plain(DType::BF16)),
    (2, "Q4_0", Kind::Blocks(GgmlDType::Q4_0)),
    (3, "Q4_1", Kind::Blocks(GgmlDType::Q4_1)),
    (6, "Q5_0", Kind::Blocks(GgmlDType::Q5_0)),
    (7, "Q5_1", Kind::Blocks(GgmlDType::Q5_1)),
    (8, "Q8_0", Kind::Blocks(GgmlDType::Q8_0)),
    (12, "Q4_K", Kind::Blocks(GgmlDType::Q4K)),
    (13, "Q5_K", Kind::Blocks(GgmlDType::Q5K)),
    (14, "Q6_K", Kind::Blocks(GgmlDType::Q6K)),
];

impl Kind {
    /// Values in a block, and its bytes.
    fn block(self) -> (usize, usize) {
        match self {
            Self::Plain(dtype) => (1, dtype.size_in_bytes()),
            Self::Blocks(dtype) => (dtype.block_size(), dtype.type_size()),
        }
    }
}

impl Packed {
    /// The reason says what is wrong with the entry `info`.
    pub(crate) fn new(file: &Arc<Bytes>, info: &TensorInfo) -> Result<Self, String> {
        let Some((_, _, kind)) = KINDS.iter().find(|(number, _, _)| *number == info.kind) else {
            let names: Vec<&str> = KINDS.iter().map(|(_, name, _)| *name).collect();
            return Err(format!(
                "its type, number {} of ggml, is not supported; supported are {}",
                info.kind,
                names.join(", ")
            ));
        };
        let (block_len, block_bytes) = kind.block();
        let row_len = info.shape.last().copied().unwrap_or(1);
        if !row_len.is_multiple_of(block_len) {
            return Err(format!("a row of {row_len} is no multiple of a block of {block_len}"));
        }
        let n_values: usize = info.shape.iter().product();
        let range = usize::try_from(info.start).ok().and_then(|start| {
            let len = (n_values / block_len).checked_mul(block_bytes)?;
            Some(start..start.checked_add(len)?)
        });
        match range {
            Some(range) if range.end <= file.as_slice().len() => Ok(Self {
                file: Arc::clone(file),
                range,
                shape: info.shape.clone(),
                kind: *kind,
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

    /// Name of the stored type.
    pub(crate) fn type_name(&self) -> &'static str {
        let same = |kind: &Kind| match (kind, self.kind) {
            (Kind::Plain(kind), Kind::Plain(own)) => *kind == own,
            (Kind::Blocks(kind), Kind::Blocks(own)) => *kind == own,
            _ => false,
        };
        KINDS.iter().find(|(_, _, kind)| same(kind)).map_or("unknown", |(_, name, _)| name)
    }

    /// The values, rows of heads in halves as released checkpoints have them.
    pub(crate) fn tensor(&self, dtype: DType) -> Result<Tensor, Error> {
        let bytes = &self.file.as_slice()[self.range.clone()];
        let shape = self.shape.as_slice();
        let tensor = match self.kind {
            Kind::Plain(stored) => Tensor::from_raw_buffer(bytes, stored, shape, &Device::Cpu)?,
            Kind::Blocks(stored) => qtensor_from_ggml(stored, bytes, shape.to_vec(), &Device::Cpu)?
                .dequantize(&Device::Cpu)?,
        };
        let tensor = tensor.to_dtype(dtype)?;
        let (Some(n_heads), &[n_rows, n_inputs]) = (self.paired_heads, shape) else {
            return Ok(tensor);
        };
        let pairs = tensor.reshape((n_heads, n_rows / n_heads / 2, 2, n_inputs))?;
        Ok(pairs.transpose(1, 2)?.contiguous()?.reshape(shape)?)
    }
}
