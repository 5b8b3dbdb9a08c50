//! Texts that the model holds, and which of them a new prompt takes over as far as they agree.

use model::{Cache, Choice, Draws, Logits, Plt};

use crate::Options;

#[derive(Debug)]
pub(crate) struct Sequence {
    cache: Cache,
    /// Length of the prompt it was last used for; what follows is an answer, which is made anew with every prompt.
    n_prompt: usize,
}

impl Sequence {
    pub(crate) fn new(model: &Plt) -> Self {
        Self { cache: model.new_cache(), n_prompt: 0 }
    }

    pub(crate) fn tokens(&self) -> &[u32] {
        self.cache.tokens()
    }

    pub(crate) fn len(&self) -> usize {
        self.cache.len()
    }

    fn n_common(&self, prompt: &[u32]) -> usize {
        self.tokens().iter().zip(prompt).take_while(|(a, b)| a == b).count()
    }

    /// Drops what does not begin `prompt`, and says how much does.
    pub(crate) fn take_over(&mut self, prompt: &[u32]) -> usize {
        // The last token runs again even when it is known, since its logits were not kept.
        let n_reused = self.n_common(prompt).min(prompt.len().saturating_sub(1));
        self.cache.truncate(n_reused);
        self.n_prompt = prompt.len();
        n_reused
    }

    /// The first loop over more tokens; `false` when `keep_going` said no on the way, and nothing was added.
    pub(crate) fn extend(
        &mut self,
        model: &Plt,
        tokens: &[u32],
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<bool, model::Error> {
        model.extend_while(tokens, &mut self.cache, keep_going)
    }

    /// Logits after the last token; `None` when `keep_going` said no on the way.
    pub(crate) fn settle(
        &mut self,
        model: &Plt,
        chunk: usize,
        keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Logits>, model::Error> {
        model.settle_in_chunks(&mut self.cache, chunk, keep_going)
    }

    /// Appends tokens in one pass over the weights; a choice after every token that the last loop has reached with it.
    pub(crate) fn step_choosing(
        &mut self,
        model: &Plt,
        tokens: &[u32],
        draws: Draws<'_>,
    ) -> Result<Vec<Option<Choice>>, model::Error> {
        model.step_choosing(tokens, draws, &mut self.cache)
    }

    /// The same with logits in place of choices.
    pub(crate) fn step(&mut self, model: &Plt, tokens: &[u32]) -> Result<Logits, model::Error> {
        model.step(tokens, &mut self.cache)
    }

    /// Appends `token` and up to `max - 1` tokens more, as [`Plt::decode_while`].
    pub(crate) fn decode_while(
        &mut self,
        model: &Plt,
        token: u32,
        draws: Draws<'_>,
        max: usize,
        each: impl FnMut(Choice) -> bool,
    ) -> Result<usize, model::Error> {
        model.decode_while(token, &mut self.cache, draws, max, each)
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.cache.truncate(len);
    }
}

/// The sequences that no request works on.
#[derive(Debug)]
pub(crate) struct Pool {
    options: Options,
    /// The least recently used comes first.
    sequences: Vec<Sequence>,
}

impl Pool {
    pub(crate) fn new(options: Options) -> Self {
        Self { options, sequences: Vec::new() }
    }

    /// The sequence that `prompt` shall go on from: the one that begins alike, unless much else of it would be lost
    /// and there is room for another.
    pub(crate) fn take(&mut self, model: &Plt, prompt: &[u32]) -> Sequence {
        let shared = |sequence: &Sequence| sequence.n_common(prompt);
        let best = (0..self.sequences.len()).max_by_key(|index| shared(&self.sequences[*index]));
        let Some(best) = best else { return Sequence::new(model) };
        let n_shared = shared(&self.sequences[best]);
        let kept = &self.sequences[best];
        let loses_little = kept.n_prompt.min(kept.len()) <= 2 * n_shared;
        if loses_little {
            return self.sequences.remove(best);
        }
        if self.sequences.len() < self.options.n_sequences {
            return Sequence::new(model);
        }
        let saves_much = prompt.len() <= 4 * n_shared;
        self.sequences.remove(if saves_much { best } else { 0 })
    }

    /// Keeps a sequence for later prompts, and drops others where that is too much.
    pub(crate) fn put(&mut self, sequence: Sequence) {
        if sequence.len() == 0 {
            return;
        }
        self.sequences.push(sequence);
        let n_bytes = |sequences: &[Sequence]| -> usize {
            sequences.iter().map(|sequence| sequence.cache.n_bytes()).sum()
        };
        while 1 < self.sequences.len()
            && (self.options.n_sequences < self.sequences.len()
                || self.options.cache_bytes < n_bytes(&self.sequences))
        {
            self.sequences.remove(0);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.sequences.clear();
    }
}
