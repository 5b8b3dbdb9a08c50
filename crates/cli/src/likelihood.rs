//! How well a model foresees a text.

use anyhow::{Context, Result};
use model::LoadOptions;

use crate::model_source::ModelSource;

/// Tokens that go through the model at a time.
const CHUNK: usize = 128;

/// Negative log-likelihood in nats of every token but the first, and the likeliest token at its place.
pub(crate) fn read(source: &ModelSource, tokens: &[u32]) -> Result<(Vec<f64>, Vec<usize>)> {
    let model = source.plt(LoadOptions::default())?;
    let mut cache = model.new_cache();
    let (mut losses, mut likeliest) = (Vec::new(), Vec::new());
    let mut next = tokens.iter().skip(1);
    for chunk in tokens.chunks(CHUNK) {
        for logits in model.prefill_all(chunk, &mut cache)?.to_f64()? {
            let Some(&token) = next.next() else { break };
            let (best, largest) = logits
                .iter()
                .copied()
                .enumerate()
                .max_by(|a, b| a.1.total_cmp(&b.1))
                .context("the vocabulary is empty")?;
            let total: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
            losses.push(largest + total.ln() - logits[token as usize]);
            likeliest.push(best);
        }
    }
    Ok((losses, likeliest))
}
