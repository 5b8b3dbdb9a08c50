//! The forward pass: loop 0 over new tokens, later loops as far as they are needed, all loops of one token at once.

use candle_core::{Device, Tensor};

use crate::Error;
use crate::cache::{Cache, Span};
use crate::choose::{Choice, Draws};
use crate::pass::{Climb, Output, Part, Pass, Reads};
use crate::plt::{Backend, Plt};
use crate::schedule::{Run, Shape, plan};
use crate::stack::Stack;

/// Unnormalised log probabilities of the next token, [rows, vocab].
#[derive(Debug, Clone)]
pub struct Logits {
    rows: Tensor,
}

impl Logits {
    /// `rows` is [rows, vocab].
    pub(crate) fn new(rows: Tensor) -> Self {
        Self { rows }
    }

    pub fn n_rows(&self) -> usize {
        self.rows.dims().first().copied().unwrap_or(0)
    }

    pub fn row(&self, row: usize) -> Result<Vec<f32>, Error> {
        Ok(self.rows.get(row)?.to_dtype(candle_core::DType::F32)?.to_vec1()?)
    }

    /// The last row.
    pub fn last(&self) -> Result<Vec<f32>, Error> {
        self.row(self.n_rows().saturating_sub(1))
    }

    /// Every row, without loss.
    pub fn to_f64(&self) -> Result<Vec<Vec<f64>>, Error> {
        Ok(self.rows.to_dtype(candle_core::DType::F64)?.to_vec2()?)
    }
}

impl Plt {
    /// Appends tokens to the sequence and runs the first loop over them; later loops wait until their output is read.
    ///
    /// Any division of a text into chunks gives the same result. When it fails, the sequence is as it was before.
    pub fn extend(&self, tokens: &[u32], cache: &mut Cache) -> Result<(), Error> {
        self.run_first_loop(tokens, Reads::Nothing, cache, &mut || true).map(drop)
    }

    /// The same, asking `keep_going` before each layer; where it says no, the answer is `false` and the sequence is as it was.
    pub fn extend_while(
        &self,
        tokens: &[u32],
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<bool, Error> {
        match self.run_first_loop(tokens, Reads::Nothing, cache, keep_going) {
            Ok(_) => Ok(true),
            Err(Error::Stopped) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Logits after the last token: runs the later loops over as much of the text as these depend on.
    ///
    /// `keep_going` is asked before each layer of a chunk; where it says no, the answer is `None` and the first loop's work
    /// stays.
    pub fn settle(
        &self,
        cache: &mut Cache,
        keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Logits>, Error> {
        self.settle_in_chunks(cache, self.cache_shape.chunk, keep_going)
    }

    /// The same, in chunks of `chunk` tokens at most.
    pub fn settle_in_chunks(
        &self,
        cache: &mut Cache,
        chunk: usize,
        keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Logits>, Error> {
        let chunk = chunk.clamp(1, self.cache_shape.chunk);
        self.settle_with(self.cache_shape.slack, chunk, cache, keep_going)
    }

    /// Appends tokens and returns the logits after the last.
    pub fn prefill(&self, tokens: &[u32], cache: &mut Cache) -> Result<Logits, Error> {
        self.extend(tokens, cache)?;
        self.settle(cache, || true)?.ok_or(Error::NoTokens)
    }

    /// Appends tokens and returns the logits after each of them, with every loop run over all of them.
    pub fn prefill_all(&self, tokens: &[u32], cache: &mut Cache) -> Result<Logits, Error> {
        if !cache.is_settled() {
            self.settle(cache, || true)?;
        }
        if tokens.is_empty() {
            return Err(Error::NoTokens);
        }
        let start = cache.len();
        let reads = if self.config.n_loops == 1 { Reads::Logits } else { Reads::Nothing };
        let output = self.run_first_loop(tokens, reads, cache, &mut || true)?;
        if let Some(logits) = output.logits() {
            return Ok(logits);
        }
        let mut rows = Vec::new();
        for loop_idx in 1..self.config.n_loops {
            for first in (start..cache.len()).step_by(self.cache_shape.chunk) {
                let end = cache.len().min(first + self.cache_shape.chunk);
                let part = Part { loop_idx, positions: first..end };
                let is_last = loop_idx + 1 == self.config.n_loops;
                let reads = if is_last { Reads::Logits } else { Reads::Nothing };
                let output = self.run_part(part, None, reads, cache, &mut || true)?;
                rows.extend(output.logits().map(|logits| logits.rows));
                cache.extend_span(loop_idx, end);
            }
        }
        Ok(Logits::new(Tensor::cat(&rows, 0)?))
    }

    /// Appends one token with all loops in a single pass over the weights.
    ///
    /// Loop r's row needs only what loop r - 1 made of the token before, so the rows do not wait for one another.
    pub fn decode(&self, token: u32, cache: &mut Cache) -> Result<Logits, Error> {
        if !cache.is_settled() {
            self.settle(cache, || true)?;
        }
        self.step(&[token], cache)
    }

    /// Appends tokens, or none, and takes every loop as far as it gets in a single pass over the weights.
    ///
    /// Loop r comes one token further than loop r - 1 had come before the pass. Returns the logits after each token
    /// that the last loop comes to: after one token of the text that all loops have been through, this is that token,
    /// and the tokens behind it are guesses that the next pass takes the second loop through, and so on.
    pub fn step(&self, tokens: &[u32], cache: &mut Cache) -> Result<Logits, Error> {
        self.step_reading(tokens, Reads::Logits, cache)?.logits().ok_or(Error::NoTokens)
    }

    /// The same, with a choice after each of those tokens in place of logits, which on a GPU stay there.
    ///
    /// A choice is `None` where no usable logit is a finite number.
    pub fn step_choosing(
        &self,
        tokens: &[u32],
        draws: Draws<'_>,
        cache: &mut Cache,
    ) -> Result<Vec<Option<Choice>>, Error> {
        match self.step_reading(tokens, Reads::Choices(draws), cache)? {
            Output::Choices(choices) => Ok(choices),
            Output::Logits(logits) => {
                let n = logits.n_rows().min(draws.most());
                (0..n).map(|row| Ok(draws.choose(row, &logits.row(row)?))).collect()
            }
            Output::Nothing => Err(Error::NoTokens),
        }
    }

    fn step_reading(
        &self,
        tokens: &[u32],
        reads: Reads<'_>,
        cache: &mut Cache,
    ) -> Result<Output, Error> {
        if let ([token], Backend::Host(host)) = (tokens, &self.backend)
            && let Stack::Single(single) = &host.stack
            && cache.is_settled()
        {
            let mut logits = Vec::new();
            self.decode_with(host, single, *token, cache, &mut logits)?;
            let rows = Tensor::from_vec(logits, (1, self.config.vocab_size), &Device::Cpu)?;
            return Ok(Output::Logits(Logits::new(rows)));
        }
        let start = cache.len();
        let is_close = |span: &Span| start - span.to < self.cache_shape.chunk;
        // A loop that was stopped after a cut has nothing left, and the one behind it may be ahead; one that ran over a tail
        // has handed nothing on to what begins before.
        let in_order = |spans: &[Span]| {
            let [before, span] = [spans[0], spans[1]];
            span.to <= before.to && (before.from < span.to || before.from == 0)
        };
        if !(cache.spans().iter().all(is_close) && cache.spans().windows(2).all(in_order)) {
            self.settle(cache, || true)?;
        }
        if !tokens.is_empty() {
            self.check(tokens)?;
            cache.reserve(tokens.len())?;
        }
        let len = start + tokens.len();
        let mut parts = vec![Part { loop_idx: 0, positions: start..len }];
        let mut before = start;
        for (loop_idx, span) in (1..).zip(cache.spans()) {
            parts.push(Part { loop_idx, positions: span.to..len.min(before + 1) });
            before = span.to;
        }
        parts.retain(|part| !part.positions.is_empty());
        if parts.last().is_none_or(|part| part.loop_idx + 1 < self.config.n_loops) {
            return Err(Error::NoTokens);
        }
        let pass = Pass { parts, appended: tokens, climb: None, reads };
        let output = self.run(&pass, cache, &mut || true)?;
        cache.advance(tokens);
        for Part { loop_idx, positions } in pass.parts.iter().filter(|part| 0 < part.loop_idx) {
            cache.extend_span(*loop_idx, positions.end);
        }
        Ok(output)
    }

    /// As [`Plt::decode`], into `logits`, whose room is used again: nothing is allocated but where the sequence outgrows its room.
    pub fn decode_into(
        &self,
        token: u32,
        cache: &mut Cache,
        logits: &mut Vec<f32>,
    ) -> Result<(), Error> {
        if !cache.is_settled() {
            self.settle(cache, || true)?;
        }
        if let Backend::Host(host) = &self.backend
            && let Stack::Single(single) = &host.stack
        {
            return self.decode_with(host, single, token, cache, logits);
        }
        *logits = self.decode(token, cache)?.last()?;
        Ok(())
    }

    pub(crate) fn settle_with(
        &self,
        slack: usize,
        chunk: usize,
        cache: &mut Cache,
        mut keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Logits>, Error> {
        let last_loop_is_done = cache.spans().last().is_none_or(|span| span.to == cache.len());
        if last_loop_is_done && !cache.has_output() {
            // The last loop has run but its output was not kept: the last token runs again.
            let Some(&last) = cache.tokens().last() else { return Err(Error::NoTokens) };
            cache.truncate(cache.len() - 1);
            self.extend(&[last], cache)?;
        }
        let shape = Shape { n_layers: self.config.n_layers, window: self.config.window, slack };
        let runs = plan(shape, cache.spans(), cache.len());
        for (loop_idx, run) in (1..).zip(runs) {
            let ran = match run {
                Run::Full { from } => self.run_on(loop_idx, from, chunk, cache, &mut keep_going),
                Run::Tail { from } => {
                    self.run_tail(loop_idx, from, shape, chunk, cache, &mut keep_going)
                }
            };
            match ran {
                Err(Error::Stopped) => return Ok(None),
                ran => ran?,
            }
        }
        match &self.backend {
            Backend::Host(host) => host.read_output(cache),
            Backend::Device(twin) => twin.read_output(&self.config, cache),
        }
    }

    /// Loop 0 over new tokens.
    fn run_first_loop(
        &self,
        tokens: &[u32],
        reads: Reads<'_>,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Output, Error> {
        self.check(tokens)?;
        cache.reserve(tokens.len())?;
        let positions = cache.len()..cache.len() + tokens.len();
        let parts = vec![Part { loop_idx: 0, positions }];
        let pass = Pass { parts, appended: tokens, climb: None, reads };
        let output = self.run(&pass, cache, keep_going)?;
        cache.advance(tokens);
        Ok(output)
    }

    /// A later loop through all layers from `start` to the end.
    fn run_on(
        &self,
        loop_idx: usize,
        start: usize,
        chunk: usize,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        let from = if start == 0 { 0 } else { cache.spans()[loop_idx - 1].from };
        let mut position = start;
        while position < cache.len() {
            let end = cache.len().min(position + chunk);
            let part = Part { loop_idx, positions: position..end };
            self.run_part(part, None, Reads::Nothing, cache, keep_going)?;
            cache.set_span(loop_idx, Span { from, to: end });
            position = end;
        }
        Ok(())
    }

    /// A later loop over a tail, no higher through the layers than what follows looks back.
    fn run_tail(
        &self,
        loop_idx: usize,
        start: usize,
        shape: Shape,
        chunk: usize,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<(), Error> {
        // Until the end is reached nothing of it can be gone on from.
        cache.restart(loop_idx, start)?;
        let climb = Climb { from: start, window: shape.window };
        let mut position = start;
        while position < cache.len() {
            let end = cache.len().min(position + chunk);
            let part = Part { loop_idx, positions: position..end };
            self.run_part(part, Some(climb), Reads::Nothing, cache, keep_going)?;
            position = end;
        }
        cache.set_span(loop_idx, Span { from: start + shape.reach(), to: cache.len() });
        Ok(())
    }

    /// Tokens that the first loop has seen, in a later loop.
    fn run_part(
        &self,
        part: Part,
        climb: Option<Climb>,
        reads: Reads<'_>,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Output, Error> {
        let pass = Pass { parts: vec![part], appended: &[], climb, reads };
        self.run(&pass, cache, keep_going)
    }

    /// One pass; loop 0 has room for its rows.
    fn run(
        &self,
        pass: &Pass<'_>,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Output, Error> {
        for Part { loop_idx, positions } in pass.parts.iter().filter(|part| 0 < part.loop_idx) {
            cache.make_room(*loop_idx, positions)?;
        }
        match &self.backend {
            Backend::Host(host) => {
                let logits = host.run(pass, &self.config, cache, keep_going)?;
                Ok(logits.map_or(Output::Nothing, Output::Logits))
            }
            Backend::Device(twin) => {
                twin.run(pass, (&self.config, &self.cache_shape), cache, keep_going)
            }
        }
    }

    pub(crate) fn check(&self, tokens: &[u32]) -> Result<(), Error> {
        let vocab_size = self.config.vocab_size;
        if tokens.is_empty() {
            return Err(Error::NoTokens);
        }
        match tokens.iter().find(|token| vocab_size <= **token as usize) {
            Some(&token) => Err(Error::Token { token, vocab_size }),
            None => Ok(()),
        }
    }
}
