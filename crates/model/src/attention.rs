//! Scaled dot-product attention with grouped queries over a range of cached keys.

use candle_core::{DType, Device, Tensor};
use candle_nn::ops::softmax_last_dim;

use crate::Error;

/// Which keys each of some rows sees, added to the scores of every key/value head.
///
/// Rows stand `group_size` times, once for each query head that shares a key/value head, so that adding it to the
/// scores is one pass over contiguous memory.
pub(crate) struct Mask {
    /// [rows * group_size, keys], 0 or minus infinity.
    scores: Tensor,
}

impl Mask {
    /// For rows at positions `first_row..first_row + n_rows` over keys from `first_key` up to the last row.
    ///
    /// A row sees itself, and of the keys to its left the nearest `window`, or all when `window` is `None`.
    pub(crate) fn new(
        first_row: usize,
        n_rows: usize,
        first_key: usize,
        window: Option<usize>,
        group_size: usize,
        dtype: DType,
    ) -> Result<Self, Error> {
        let n_keys = first_row + n_rows - first_key;
        let mut scores = Vec::with_capacity(n_rows * group_size * n_keys);
        for position in first_row..first_row + n_rows {
            let nearest = window.map_or(0, |window| position.saturating_sub(window));
            let row = (first_key..first_key + n_keys)
                .map(|key| if key < nearest || position < key { f32::NEG_INFINITY } else { 0.0 });
            for _ in 0..group_size {
                scores.extend(row.clone());
            }
        }
        let shape = (n_rows * group_size, n_keys);
        Ok(Self { scores: Tensor::from_vec(scores, shape, &Device::Cpu)?.to_dtype(dtype)? })
    }
}

/// Attends `queries` [rows, heads, head_dim] to `keys` and `values` [kv_heads, keys, head_dim].
///
/// Without a mask every row sees every key.
/// Query head `h` reads key/value head `h / (heads / kv_heads)`. Returns [rows, heads, head_dim].
pub(crate) fn attend(
    queries: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    mask: Option<&Mask>,
) -> Result<Tensor, Error> {
    let (n_rows, n_heads, head_dim) = queries.dims3()?;
    let n_kv_heads = keys.dim(0)?;
    let group_size = n_heads / n_kv_heads;
    let scale = 1.0 / (head_dim as f64).sqrt();
    let queries = (queries.reshape((n_rows, n_kv_heads, group_size, head_dim))? * scale)?
        .transpose(0, 1)?
        .contiguous()?
        .reshape((n_kv_heads, n_rows * group_size, head_dim))?;
    let mut scores = queries.matmul(&keys.transpose(1, 2)?)?;
    if let Some(mask) = mask {
        scores = scores.broadcast_add(&mask.scores)?;
    }
    Ok(softmax_last_dim(&scores)?
        .matmul(values)?
        .reshape((n_kv_heads, n_rows, group_size, head_dim))?
        .transpose(0, 1)?
        .contiguous()?
        .reshape((n_rows, n_heads, head_dim))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_mask(
        first_row: usize,
        n_rows: usize,
        first_key: usize,
        window: Option<usize>,
        expected: &str,
    ) {
        let mask = Mask::new(first_row, n_rows, first_key, window, 2, DType::F32).unwrap();
        let rows: Vec<String> = mask
            .scores
            .to_vec2::<f32>()
            .unwrap()
            .iter()
            .step_by(2)
            .map(|row| row.iter().map(|score| if *score == 0.0 { 'x' } else { '.' }).collect())
            .collect();
        assert_eq!(rows.join(" "), expected);
    }

    #[test]
    fn causal_rows_see_themselves_and_everything_before() {
        check_mask(0, 3, 0, None, "x.. xx. xxx");
        check_mask(2, 2, 0, None, "xxx. xxxx");
    }

    #[test]
    fn a_window_of_two_sees_two_to_the_left_and_itself() {
        check_mask(0, 4, 0, Some(2), "x... xx.. xxx. .xxx");
        check_mask(5, 2, 3, Some(2), "xxx. .xxx");
    }

    #[test]
    fn a_window_of_zero_sees_itself_alone() {
        check_mask(0, 3, 0, Some(0), "x.. .x. ..x");
    }

    #[test]
    fn each_query_head_reads_its_own_group() {
        let queries = Tensor::ones((1, 4, 2), DType::F32, &Device::Cpu).unwrap();
        let keys = Tensor::ones((2, 1, 2), DType::F32, &Device::Cpu).unwrap();
        let values = Tensor::new(&[[[1f32, 2.0]], [[3.0, 4.0]]], &Device::Cpu).unwrap();
        let out = attend(&queries, &keys, &values, None).unwrap();
        assert_eq!(
            out.to_vec3::<f32>().unwrap(),
            [[[1.0, 2.0], [1.0, 2.0], [3.0, 4.0], [3.0, 4.0]]]
        );
    }
}
