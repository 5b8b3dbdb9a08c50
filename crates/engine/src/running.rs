//! One request on its way: a state that moves by one chunk of the prompt or one pass over the weights at a time.

use std::time::Instant;

use crossbeam_channel::Sender;
use model::{Choice, Draws, Plt};

use crate::drafter::Drafter;
use crate::pace::Pace;
use crate::sampler::Sampler;
use crate::sequence::Sequence;
use crate::{CancelFlag, Error, Finish, Outcome, Priority, Request};

/// A request and who waits for it.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) asked_at: Instant,
    /// Raised when the consumer lets go of its end.
    pub(crate) abandoned: CancelFlag,
    pub(crate) replies: Sender<Reply>,
}

/// Any number of tokens, then exactly one end.
#[derive(Debug)]
pub(crate) enum Reply {
    Token(Choice),
    End(Result<Outcome, Error>),
}

impl Job {
    pub(crate) fn is_cancelled(&self) -> bool {
        self.request.cancel.is_raised() || self.abandoned.is_raised()
    }

    pub(crate) fn priority(&self) -> Priority {
        self.request.priority
    }

    /// A consumer that has gone away needs no answer.
    pub(crate) fn end(&self, end: Result<Outcome, Error>) {
        let _ = self.replies.send(Reply::End(end));
    }

    /// How it goes if nothing is done for it.
    pub(crate) fn unserved(&self) -> Outcome {
        Outcome {
            n_prompt: self.request.tokens.len(),
            queued: self.asked_at.elapsed(),
            ..Outcome::default()
        }
    }
}

/// A job that has a sequence.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) job: Job,
    pub(crate) sequence: Sequence,
    outcome: Outcome,
    sampler: Sampler,
    drafter: Drafter,
    /// Text of this model comes faster where it is left to itself for some tokens.
    runs_ahead: bool,
    phase: Phase,
}

/// Tokens that a model is left to itself for, at most: between them only more urgent requests are looked for.
const AHEAD: usize = 16;

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// The first loop has not seen the whole prompt.
    Filling,
    /// The later loops have not come to its end.
    Settling,
    /// Tokens are chosen.
    Decoding(Text),
}

/// What the sequence holds while tokens are chosen: prompt and answer, then guesses of what follows.
///
/// The last loop has been through all of prompt and answer but the last token.
#[derive(Debug, Clone, Copy)]
struct Text {
    /// Tokens of prompt and answer.
    n_chosen: usize,
    /// The last token of the answer, if the sequence does not hold it yet.
    pending: Option<u32>,
}

impl Running {
    pub(crate) fn new(job: Job, mut sequence: Sequence, runs_ahead: bool) -> Self {
        let n_reused = sequence.take_over(&job.request.tokens);
        // Left to itself it would choose without the n-grams.
        let runs_ahead = runs_ahead && job.request.ngrams.is_none();
        let outcome = Outcome { n_reused, ..job.unserved() };
        Self {
            outcome,
            sampler: Sampler::new(job.request.sampling, job.request.n_usable_tokens),
            drafter: Drafter::new(job.request.drafts.clone(), job.request.tokens.len()),
            runs_ahead,
            phase: Phase::Filling,
            job,
            sequence,
        }
    }

    /// The text may go on in another request: guesses that were not confirmed are no part of it.
    pub(crate) fn into_sequence(mut self) -> Sequence {
        if let Phase::Decoding(text) = &self.phase {
            self.sequence.truncate(text.n_chosen);
        }
        self.sequence
    }

    /// How it went until it was cancelled.
    pub(crate) fn cancelled(&self) -> Outcome {
        Outcome { finish: Finish::Cancelled, ..self.outcome }
    }

    /// Does the next piece of work, unless `keep_going` says no; the outcome, if that was the last.
    pub(crate) fn advance(
        &mut self,
        model: &Plt,
        pace: &mut Pace,
        mut keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Outcome>, model::Error> {
        let started = Instant::now();
        let finish = match &self.phase {
            Phase::Filling => self.fill(model, pace, &mut keep_going)?,
            Phase::Settling => self.settle(model, pace.chunk(), keep_going)?,
            Phase::Decoding(_) => self.decode(model, keep_going)?,
        };
        let time = match &self.phase {
            // The tokens after the prompt's last logits are chosen with them.
            Phase::Decoding(_) if 0 < self.outcome.n_passes => &mut self.outcome.decode,
            _ => &mut self.outcome.prefill,
        };
        *time += started.elapsed();
        Ok(finish.map(|finish| {
            self.outcome.finish = finish;
            self.outcome
        }))
    }

    fn fill(
        &mut self,
        model: &Plt,
        pace: &mut Pace,
        keep_going: &mut dyn FnMut() -> bool,
    ) -> Result<Option<Finish>, model::Error> {
        let rest = &self.job.request.tokens[self.sequence.len()..];
        let chunk = &rest[..pace.chunk().min(rest.len())];
        let started = Instant::now();
        if !self.sequence.extend(model, chunk, keep_going)? {
            return Ok(None);
        }
        pace.observe(chunk.len(), started.elapsed());
        if chunk.len() < rest.len() {
            return Ok(None);
        }
        if self.job.priority() == Priority::WarmUp {
            return Ok(Some(Finish::Length));
        }
        self.phase = Phase::Settling;
        Ok(None)
    }

    fn settle(
        &mut self,
        model: &Plt,
        chunk: usize,
        keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Finish>, model::Error> {
        let Some(logits) = self.sequence.settle(model, chunk, keep_going)? else { return Ok(None) };
        let n_prompt = self.sequence.len();
        let mut text = Text { n_chosen: n_prompt, pending: None };
        let choices = self.choose(n_prompt, vec![logits.last()?]);
        let finish = self.take_choices(&mut text, &choices, model)?;
        self.phase = Phase::Decoding(text);
        Ok(finish)
    }

    /// One pass over the weights, and the tokens that come of it; or several, one token each.
    fn decode(
        &mut self,
        model: &Plt,
        keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Finish>, model::Error> {
        let Phase::Decoding(mut text) = self.phase else { return Ok(None) };
        let started = Instant::now();
        let pending = text.pending.take();
        let mut tokens: Vec<u32> = pending.into_iter().collect();
        let n_left = self.job.request.max_tokens - self.outcome.n_generated;
        let n_room = model.config().max_positions - self.sequence.len() - tokens.len();
        // The last token of the answer needs no pass of its own.
        let n_guessed = self.sequence.len() + tokens.len() - text.n_chosen;
        let limit = n_left.saturating_sub(1 + n_guessed).min(n_room);
        if 0 < limit {
            let mut whole = self.sequence.tokens().to_vec();
            whole.extend(&tokens);
            tokens.extend(self.drafter.guess(&whole, limit));
        }
        if let (true, Some(token), 1) = (self.runs_ahead, pending, tokens.len()) {
            return self.run_ahead(model, text, token, keep_going);
        }
        let n_before = self.outcome.n_generated;
        let (n_drafted, n_accepted) = (self.outcome.n_drafted, self.outcome.n_accepted);
        let choices = match &self.job.request.ngrams {
            None => {
                let n_read = 1 + self.sequence.len() + tokens.len() - text.n_chosen;
                let uniforms = self.sampler.upcoming(n_read);
                let draws = Draws { rule: self.sampler.rule(), uniforms: &uniforms };
                self.sequence.step_choosing(model, &tokens, draws)?
            }
            Some(_) => {
                let logits = self.sequence.step(model, &tokens)?;
                let rows: Result<Vec<_>, _> =
                    (0..logits.n_rows()).map(|row| logits.row(row)).collect();
                self.choose(text.n_chosen, rows?)
            }
        };
        let had_guesses = text.n_chosen < self.sequence.len();
        self.outcome.n_passes += 1;
        let finish = self.take_choices(&mut text, &choices, model)?;
        self.phase = Phase::Decoding(text);
        let n_checked = self.outcome.n_drafted - n_drafted;
        let missed = self.outcome.n_accepted - n_accepted < n_checked;
        let n_new = self.outcome.n_generated - n_before;
        self.drafter.observe(n_new, n_checked, missed, had_guesses, started.elapsed());
        Ok(finish)
    }

    /// A choice by each row of logits: the first comes behind `n_chosen` tokens of the sequence, each other one token later.
    fn choose(&self, n_chosen: usize, rows: Vec<Vec<f32>>) -> Vec<Option<Choice>> {
        let Request { tokens, ngrams, stop_tokens, n_usable_tokens, .. } = &self.job.request;
        let uniforms = self.sampler.upcoming(rows.len());
        let draws = Draws { rule: self.sampler.rule(), uniforms: &uniforms };
        let choose = |(row, mut logits): (usize, Vec<f32>)| {
            if let Some(ngrams) = ngrams {
                let answer = &self.sequence.tokens()[tokens.len()..n_chosen + row];
                let n_usable = logits.len().min(*n_usable_tokens);
                ngrams.mix(answer, stop_tokens, &mut logits[..n_usable]);
            }
            draws.choose(row, &logits)
        };
        rows.into_iter().enumerate().map(choose).collect()
    }

    /// Tokens that the model chooses by itself, until there are guesses of what follows.
    fn run_ahead(
        &mut self,
        model: &Plt,
        mut text: Text,
        token: u32,
        mut keep_going: impl FnMut() -> bool,
    ) -> Result<Option<Finish>, model::Error> {
        let Self { job, sequence, outcome, drafter, sampler, .. } = self;
        let mut whole = sequence.tokens().to_vec();
        whole.push(token);
        let n_left = job.request.max_tokens - outcome.n_generated;
        let uniforms = sampler.upcoming(n_left.min(AHEAD));
        let draws = Draws { rule: sampler.rule(), uniforms: &uniforms };
        let mut finish = None;
        let mut started = Instant::now();
        let n_chosen = sequence.decode_while(model, token, draws, n_left.min(AHEAD), |choice| {
            outcome.n_passes += 1;
            finish = take(job, outcome, choice, text.n_chosen, model);
            if finish.is_some() {
                return false;
            }
            whole.push(choice.token);
            text = Text { n_chosen: text.n_chosen + 1, pending: Some(choice.token) };
            drafter.observe(1, 0, false, false, started.elapsed());
            started = Instant::now();
            let n_left = job.request.max_tokens - outcome.n_generated;
            let n_room = model.config().max_positions - whole.len();
            let limit = n_left.saturating_sub(1).min(n_room);
            keep_going() && (limit == 0 || drafter.guess(&whole, limit).is_empty())
        })?;
        sampler.skip(n_chosen);
        self.phase = Phase::Decoding(text);
        Ok(finish)
    }

    /// Takes what was chosen after each token, as long as the guesses that follow agree.
    fn take_choices(
        &mut self,
        text: &mut Text,
        choices: &[Option<Choice>],
        model: &Plt,
    ) -> Result<Option<Finish>, model::Error> {
        for choice in choices {
            let choice = choice.ok_or(model::Error::NotFinite)?;
            self.sampler.skip(1);
            let token = choice.token;
            let guess = self.sequence.tokens().get(text.n_chosen).copied();
            if guess.is_some() {
                self.outcome.n_drafted += 1;
            }
            if let Some(finish) = take(&self.job, &mut self.outcome, choice, text.n_chosen, model) {
                return Ok(Some(finish));
            }
            if guess == Some(token) {
                self.outcome.n_accepted += 1;
                text.n_chosen += 1;
                continue;
            }
            // Whatever else was guessed follows from a wrong guess.
            self.sequence.truncate(text.n_chosen);
            text.pending = Some(token);
            text.n_chosen += 1;
            return Ok(None);
        }
        Ok(None)
    }
}

/// Hands a chosen token out; how the text ends, if it does.
fn take(
    job: &Job,
    outcome: &mut Outcome,
    choice: Choice,
    n_before: usize,
    model: &Plt,
) -> Option<Finish> {
    let request = &job.request;
    if job.is_cancelled() {
        return Some(Finish::Cancelled);
    }
    if outcome.n_generated == request.max_tokens {
        return Some(Finish::Length);
    }
    if request.stop_tokens.contains(&choice.token) {
        return Some(Finish::Stop);
    }
    outcome.n_generated += 1;
    if job.replies.send(Reply::Token(choice)).is_err() {
        return Some(Finish::Cancelled);
    }
    let is_full = n_before == model.config().max_positions;
    (is_full || outcome.n_generated == request.max_tokens).then_some(Finish::Length)
}
