//! A sequence that a new prompt takes over as far as they agree.

use model::{Cache, Logits, Plt};

/// Tokens between two looks at the cancel flag while the first loop runs over a prompt.
const CHUNK: usize = 128;

pub(crate) struct Sequence {
    cache: Cache,
}

/// How a prompt was taken in.
pub(crate) struct Prefilled {
    /// After the last token; `None` when it was given up on the way.
    pub(crate) logits: Option<Logits>,
    pub(crate) n_reused: usize,
}

impl Sequence {
    pub(crate) fn new(model: &Plt) -> Self {
        Self { cache: model.new_cache() }
    }

    pub(crate) fn len(&self) -> usize {
        self.cache.len()
    }

    /// Makes the sequence hold exactly `prompt`.
    ///
    /// What was computed before a cancellation stays: it is a valid prefix for the next prompt.
    pub(crate) fn prefill(
        &mut self,
        model: &Plt,
        prompt: &[u32],
        is_cancelled: impl Fn() -> bool,
    ) -> Result<Prefilled, model::Error> {
        let n_common = self.cache.tokens().iter().zip(prompt).take_while(|(a, b)| a == b).count();
        // The last token runs again even when it is known, since its logits were not kept.
        let n_reused = n_common.min(prompt.len().saturating_sub(1));
        self.cache.truncate(n_reused);
        for chunk in prompt[n_reused..].chunks(CHUNK) {
            if is_cancelled() {
                return Ok(Prefilled { logits: None, n_reused });
            }
            model.extend(chunk, &mut self.cache)?;
        }
        let logits = model.settle(&mut self.cache, || !is_cancelled())?;
        Ok(Prefilled { logits, n_reused })
    }

    /// Appends one token.
    pub(crate) fn decode(&mut self, model: &Plt, token: u32) -> Result<Logits, model::Error> {
        model.decode(token, &mut self.cache)
    }
}
