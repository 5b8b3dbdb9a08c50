//! The forward pass: loop 0 over new tokens, later loops as far as they are needed, all loops of one token at once.

use std::ops::Range;

use candle_core::{DType, Device, Tensor};

use crate::Error;
use crate::cache::{Cache, Span};
use crate::layer::{Part, Rows};
use crate::plt::Plt;
use crate::real::Real;
use crate::schedule::{Run, Shape, plan};
use crate::stack::Stack;

/// Unnormalised log probabilities of the next token, [rows, vocab].
#[derive(Debug, Clone)]
pub struct Logits {
    rows: Tensor,
}

impl Logits {
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
        self.run_first_loop(tokens, cache, &mut || true).map(drop)
    }

    /// The same, asking `keep_going` before each layer; where it says no, the answer is `false` and the sequence is as it was.
    pub fn extend_while(
        &self,
        tokens: &[u32],
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<bool, Error> {
        match self.run_first_loop(tokens, cache, keep_going) {
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
        let mut states = self.run_first_loop(tokens, cache, &mut || true)?;
        for loop_idx in 1..self.config.n_loops {
            let mut chunks = Vec::new();
            for first in (start..cache.len()).step_by(self.cache_shape.chunk) {
                let positions = first..cache.len().min(first + self.cache_shape.chunk);
                let n_layers = self.stack.len();
                let keep_going = &mut || true;
                chunks.push(self.run_chunk(
                    loop_idx,
                    positions.clone(),
                    n_layers,
                    cache,
                    keep_going,
                )?);
                cache.extend_span(loop_idx, positions.end);
            }
            states = Tensor::cat(&chunks, 0)?;
        }
        self.read_out(&states)
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
        if let ([token], Stack::Single(single)) = (tokens, &self.stack)
            && cache.is_settled()
        {
            let mut logits = Vec::new();
            self.decode_with(single, *token, cache, &mut logits)?;
            let rows = Tensor::from_vec(logits, (1, self.config.vocab_size), &Device::Cpu)?;
            return Ok(Logits { rows });
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
        let text: Vec<u32> = cache.tokens().iter().chain(tokens).copied().collect();
        let mut rows = Rows { parts: vec![Part { loop_idx: 0, positions: start..text.len() }] };
        let mut before = start;
        for (loop_idx, span) in (1..).zip(cache.spans()) {
            rows.parts.push(Part { loop_idx, positions: span.to..text.len().min(before + 1) });
            before = span.to;
        }
        rows.parts.retain(|part| !part.positions.is_empty());
        let last = self.config.n_loops - 1;
        let Some(read) = rows.parts.last().filter(|part| part.loop_idx == last).cloned() else {
            return Err(Error::NoTokens);
        };
        let mut inputs = Vec::with_capacity(rows.parts.len());
        for Part { loop_idx, positions } in &rows.parts {
            let embedded = self.embeddings.look_up(&text[positions.clone()])?;
            if *loop_idx == 0 {
                inputs.push(embedded);
                continue;
            }
            inputs.push(self.later_input(*loop_idx, &embedded, positions.clone(), cache)?);
            cache.make_room(*loop_idx, positions);
        }
        let (parts, n_layers) = (rows.parts.clone(), self.stack.len());
        let input = Tensor::cat(&inputs, 0)?;
        let states = self.stack.run(input, parts, n_layers, &self.config, cache, &mut || true)?;
        let mut first = 0;
        for Part { loop_idx, positions } in rows.parts.iter().filter(|part| part.loop_idx < last) {
            let states = states.narrow(0, first, positions.len())?;
            self.hand_on(*loop_idx, positions.start, &states, cache)?;
            first += positions.len();
        }
        cache.advance(tokens);
        for Part { loop_idx, positions } in rows.parts.iter().filter(|part| 0 < part.loop_idx) {
            cache.extend_span(*loop_idx, positions.end);
        }
        let states =
            states.narrow(0, states.dim(0)? - read.positions.len(), read.positions.len())?;
        if read.positions.end == cache.len() {
            self.keep_output(last, &states, cache)?;
        }
        self.read_out(&states)
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
        match &self.stack {
            Stack::Single(single) => self.decode_with(single, token, cache, logits),
            Stack::Reference(_) => {
                *logits = self.decode(token, cache)?.last()?;
                Ok(())
            }
        }
    }

    pub(crate) fn settle_with(
        &self,
        slack: usize,
        chunk: usize,
        cache: &mut Cache,
        mut keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Logits>, Error> {
        let last_loop_is_done = cache.spans().last().is_none_or(|span| span.to == cache.len());
        if last_loop_is_done && cache.output().is_none() {
            // The last loop has run but its output was not kept: the last token runs again.
            let Some(&last) = cache.tokens().last() else { return Err(Error::NoTokens) };
            cache.truncate(cache.len() - 1);
            self.extend(&[last], cache)?;
        }
        let shape = Shape { n_layers: self.stack.len(), window: self.config.window, slack };
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
        cache.output().map(|output| self.read_out(output)).transpose()
    }

    /// Loop 0 over new tokens; returns its states, [tokens, hidden].
    fn run_first_loop(
        &self,
        tokens: &[u32],
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Tensor, Error> {
        let embedded = self.embed(tokens)?;
        cache.reserve(tokens.len())?;
        let (start, n_layers) = (cache.len(), self.stack.len());
        let states = self.run(0, embedded, start, n_layers, cache, keep_going)?;
        cache.advance(tokens);
        self.keep_output(0, &states, cache)?;
        Ok(states)
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
            self.run_chunk(loop_idx, position..end, self.stack.len(), cache, keep_going)?;
            cache.set_span(loop_idx, Span { from, to: end });
            position = end;
        }
        Ok(())
    }

    /// A later loop over a tail, each W tokens one layer higher than the W before.
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
        cache.restart(loop_idx, start);
        let whole_from = start + shape.reach();
        let mut position = start;
        while position < cache.len() {
            let (band_end, n_layers) = match position < whole_from {
                true => {
                    let band = (position - start) / shape.window;
                    (start + (band + 1) * shape.window, band)
                }
                false => (cache.len(), shape.n_layers),
            };
            let end = cache.len().min(band_end).min(position + chunk);
            self.run_chunk(loop_idx, position..end, n_layers, cache, keep_going)?;
            position = end;
        }
        cache.set_span(loop_idx, Span { from: whole_from, to: cache.len() });
        Ok(())
    }

    /// Tokens at `positions`, which the first loop has seen, through the first `n_layers` layers of a later loop.
    fn run_chunk(
        &self,
        loop_idx: usize,
        positions: Range<usize>,
        n_layers: usize,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Tensor, Error> {
        let embedded = self.embed(&cache.tokens()[positions.clone()])?;
        let input = self.later_input(loop_idx, &embedded, positions.clone(), cache)?;
        cache.make_room(loop_idx, &positions);
        let states = self.run(loop_idx, input, positions.start, n_layers, cache, keep_going)?;
        if n_layers == self.stack.len() && positions.end == cache.len() {
            self.keep_output(loop_idx, &states, cache)?;
        }
        Ok(states)
    }

    /// One loop of tokens from `start` on through the first `n_layers` layers, whose K/V and the next layer's are written.
    ///
    /// Where these are all layers, what the loop hands on is written too. Returns the states, [tokens, hidden].
    fn run(
        &self,
        loop_idx: usize,
        input: Tensor,
        start: usize,
        n_layers: usize,
        cache: &mut Cache,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Tensor, Error> {
        let parts = vec![Part { loop_idx, positions: start..start + input.dim(0)? }];
        let states = self.stack.run(input, parts, n_layers, &self.config, cache, keep_going)?;
        if n_layers == self.stack.len() && loop_idx + 1 < self.config.n_loops {
            self.hand_on(loop_idx, start, &states, cache)?;
        }
        Ok(states)
    }

    fn keep_output(
        &self,
        loop_idx: usize,
        states: &Tensor,
        cache: &mut Cache,
    ) -> Result<(), Error> {
        if loop_idx + 1 == self.config.n_loops {
            cache.set_output(states.narrow(0, states.dim(0)? - 1, 1)?);
        }
        Ok(())
    }

    /// Token embeddings, [tokens, hidden].
    fn embed(&self, tokens: &[u32]) -> Result<Tensor, Error> {
        self.check(tokens)?;
        self.embeddings.look_up(tokens)
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

    /// Input of a loop after the first: emb_scale * embedding + hidden_scale * previous loop's state of the token before.
    fn later_input(
        &self,
        loop_idx: usize,
        embedded: &Tensor,
        positions: Range<usize>,
        cache: &Cache,
    ) -> Result<Tensor, Error> {
        let before = match self.dtype {
            DType::F64 => cache.carried_before::<f64>(loop_idx - 1, positions)?,
            _ => cache.carried_before::<f32>(loop_idx - 1, positions)?,
        };
        Ok(((embedded * self.config.emb_scale)? + (before * self.config.hidden_scale)?)?)
    }

    /// Keeps what a loop passes to the next at positions `start..`.
    fn hand_on(
        &self,
        loop_idx: usize,
        start: usize,
        states: &Tensor,
        cache: &mut Cache,
    ) -> Result<(), Error> {
        fn keep<T: Real>(
            states: &Tensor,
            loop_idx: usize,
            start: usize,
            cache: &mut Cache,
        ) -> Result<(), Error> {
            cache.write_carried(loop_idx, start, &states.flatten_all()?.to_vec1::<T>()?);
            Ok(())
        }
        let states = match self.config.normalize_per_loop {
            true => &self.norm.forward(states)?,
            false => states,
        };
        match self.dtype {
            DType::F64 => keep::<f64>(states, loop_idx, start, cache),
            _ => keep::<f32>(states, loop_idx, start, cache),
        }
    }

    fn read_out(&self, states: &Tensor) -> Result<Logits, Error> {
        Ok(Logits { rows: self.head.forward(&self.norm.forward(states)?)? })
    }
}
