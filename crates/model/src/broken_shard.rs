//! What is wrong with a safetensors file that cannot be read, as far as its header tells.

use std::collections::BTreeMap;

use safetensors::tensor::{SafeTensorError, TensorInfo};

/// Bytes before the header, which hold its length.
const LENGTH_BYTES: usize = 8;

/// In words why `bytes` are refused with `error`: the first tensor that is not whole where the file is cut short.
pub(crate) fn explain(bytes: &[u8], error: &SafeTensorError) -> String {
    match error {
        SafeTensorError::HeaderTooSmall | SafeTensorError::InvalidHeaderLength => {
            format!("it has {} bytes and ends within its header", bytes.len())
        }
        SafeTensorError::MetadataIncompleteBuffer => {
            lengths(bytes).unwrap_or_else(|| "its header does not fit its length".to_owned())
        }
        other => other.to_string(),
    }
}

fn lengths(bytes: &[u8]) -> Option<String> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let header_len = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    let header: BTreeMap<String, serde_json::Value> =
        serde_json::from_slice(rest.get(..header_len)?).ok()?;
    let tensors = header.into_iter().filter(|(name, _)| name != "__metadata__");
    let tensors: Vec<(String, TensorInfo)> = tensors
        .map(|(name, info)| Some((name, serde_json::from_value(info).ok()?)))
        .collect::<Option<_>>()?;
    let n_there = rest.len() - header_len;
    let n_asked = tensors.iter().map(|(_, info)| info.data_offsets.1).max()?;
    if n_asked <= n_there {
        return Some(format!("{} bytes at its end belong to no tensor", n_there - n_asked));
    }
    let cut = tensors.iter().filter(|(_, info)| n_there < info.data_offsets.1);
    let n_cut = cut.clone().count();
    let (name, info) = cut.min_by_key(|(_, info)| info.data_offsets)?;
    let more = match n_cut - 1 {
        0 => String::new(),
        n => format!(", and {n} more after it"),
    };
    Some(format!(
        "it is truncated: its tensors take {n_asked} bytes and {n_there} are there; tensor {name} of shape {:?} is not whole{more}; download or copy the file again",
        info.shape
    ))
}
