//! A cache together with the tokens it holds, so that a new prompt re-uses the longest common prefix.

use model::{Cache, Logits, Plt, Readout};

/// Tokens between two looks at the cancel flag during prefill.
const PREFILL_CHUNK: usize = 128;

pub(crate) struct Sequence {
    cache: Cache,
    /// What the cache holds, token by token.
    tokens: Vec<u32>,
}

/// A prompt's logits, or the news that it was given up on the way.
pub(crate) enum Prefilled {
    Logits { logits: Logits, n_reused: usize },
    Cancelled { n_reused: usize },
}

impl Sequence {
    pub(crate) fn new(model: &Plt) -> Result<Self, model::Error> {
        Ok(Self { cache: model.new_cache()?, tokens: Vec::new() })
    }

    pub(crate) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Makes the sequence hold exactly `prompt` and returns the logits after it.
    ///
    /// What was computed before a cancellation stays: it is a valid prefix for the next prompt.
    pub(crate) fn prefill(
        &mut self,
        model: &Plt,
        prompt: &[u32],
        is_cancelled: impl Fn() -> bool,
    ) -> Result<Prefilled, model::Error> {
        let n_common = self.tokens.iter().zip(prompt).take_while(|(a, b)| a == b).count();
        // The last token runs again even when it is known, since its logits were not kept.
        let n_reused = n_common.min(prompt.len().saturating_sub(1));
        self.truncate(n_reused);
        let mut chunks = prompt[n_reused..].chunks(PREFILL_CHUNK).peekable();
        while let Some(chunk) = chunks.next() {
            if is_cancelled() {
                return Ok(Prefilled::Cancelled { n_reused });
            }
            let readout = if chunks.peek().is_none() { Readout::Last } else { Readout::None };
            let logits = model.prefill(chunk, &mut self.cache, readout)?;
            self.tokens.extend_from_slice(chunk);
            if let Some(logits) = logits {
                return Ok(Prefilled::Logits { logits, n_reused });
            }
        }
        Err(model::Error::NoTokens)
    }

    /// Appends one token.
    pub(crate) fn decode(&mut self, model: &Plt, token: u32) -> Result<Logits, model::Error> {
        let logits = model.decode(token, &mut self.cache)?;
        self.tokens.push(token);
        Ok(logits)
    }

    fn truncate(&mut self, len: usize) {
        self.tokens.truncate(len);
        self.cache.truncate(len);
    }
}
