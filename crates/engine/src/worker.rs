//! The thread that owns the model and serves one request after the other.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use model::Plt;

use crate::sampler::Sampler;
use crate::sequence::Sequence;
use crate::{CancelFlag, Choice, Error, Finish, ModelInfo, Outcome, Request, Status};

pub(crate) enum Command {
    Preload,
    Generate(Job),
}

pub(crate) struct Job {
    pub(crate) request: Request,
    pub(crate) asked_at: Instant,
    /// Raised when the consumer lets go of its end.
    pub(crate) abandoned: CancelFlag,
    pub(crate) replies: Sender<Reply>,
}

impl Job {
    fn is_cancelled(&self) -> bool {
        self.request.cancel.is_raised() || self.abandoned.is_raised()
    }
}

/// Any number of tokens, then exactly one end.
pub(crate) enum Reply {
    Token(Choice),
    End(Result<Outcome, Error>),
}

/// What the worker lets others see.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<(Status, Option<ModelInfo>)>,
}

impl Shared {
    pub(crate) fn new() -> Self {
        Self { state: Mutex::new((Status::Unloaded, None)) }
    }

    pub(crate) fn status(&self) -> Status {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    pub(crate) fn model_info(&self) -> Option<ModelInfo> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn set(&self, status: Status, info: Option<ModelInfo>) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (status, info);
    }
}

enum Weights<L> {
    Unread(L),
    Loaded(Box<Plt>),
    Failed(String),
}

pub(crate) struct Worker<L> {
    weights: Weights<L>,
    /// The last request's, for its prefix; dropped when anything went wrong with it.
    sequence: Option<Sequence>,
    shared: Arc<Shared>,
}

impl<L: FnOnce() -> Result<Plt, model::Error>> Worker<L> {
    pub(crate) fn new(load: L, shared: Arc<Shared>) -> Self {
        Self { weights: Weights::Unread(load), sequence: None, shared }
    }

    /// Serves until the last handle is gone.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        for command in commands {
            match command {
                Command::Preload => self.load(),
                Command::Generate(job) => {
                    let end = self.serve(&job);
                    // A consumer that has gone away needs no answer.
                    let _ = job.replies.send(Reply::End(end));
                }
            }
        }
    }

    fn load(&mut self) {
        if !matches!(self.weights, Weights::Unread(_)) {
            return;
        }
        let taken = std::mem::replace(&mut self.weights, Weights::Failed(String::new()));
        let Weights::Unread(load) = taken else { return };
        self.shared.set(Status::Loading, None);
        let started = Instant::now();
        let loaded = catch_unwind(AssertUnwindSafe(load));
        let reason = match loaded {
            Ok(Ok(model)) => {
                let config = model.config();
                let info = ModelInfo {
                    name: config.name.clone(),
                    n_context: config.max_positions,
                    vocab_size: config.vocab_size,
                    n_loops: config.n_loops,
                    n_parameters: config.n_parameters(),
                };
                tracing::info!(elapsed = ?started.elapsed(), ?info, "model loaded");
                self.weights = Weights::Loaded(Box::new(model));
                self.shared.set(Status::Ready, Some(info));
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "reading the model panicked".to_owned(),
        };
        tracing::error!(reason, "model not loaded");
        self.weights = Weights::Failed(reason.clone());
        self.shared.set(Status::Failed(reason), None);
    }

    fn serve(&mut self, job: &Job) -> Result<Outcome, Error> {
        if job.is_cancelled() {
            return Ok(Outcome {
                finish: Finish::Cancelled,
                n_prompt: job.request.tokens.len(),
                n_reused: 0,
                n_generated: 0,
                queued: job.asked_at.elapsed(),
                prefill: Duration::ZERO,
                decode: Duration::ZERO,
            });
        }
        self.load();
        let model = match &self.weights {
            Weights::Loaded(model) => model,
            Weights::Failed(reason) => return Err(Error::Load(reason.clone())),
            Weights::Unread(_) => return Err(Error::Stopped),
        };
        check(&job.request, model)?;
        let sequence = self.sequence.take();
        // A defect in one request must not take the engine away from every editor.
        let served = catch_unwind(AssertUnwindSafe(|| generate(model, sequence, job)));
        match served {
            Ok(Ok((outcome, sequence))) => {
                tracing::debug!(?outcome, "served");
                self.sequence = Some(sequence);
                Ok(outcome)
            }
            Ok(Err(error)) => Err(Error::Inference(error.to_string())),
            Err(_) => Err(Error::Inference("the forward pass panicked".to_owned())),
        }
    }
}

fn check(request: &Request, model: &Plt) -> Result<(), Error> {
    let config = model.config();
    let (n_prompt, n_context) = (request.tokens.len(), config.max_positions);
    if n_prompt == 0 {
        return Err(Error::EmptyPrompt);
    }
    if n_context < n_prompt {
        return Err(Error::TooLong { n_prompt, n_context });
    }
    let vocab_size = config.vocab_size;
    match request.tokens.iter().find(|token| vocab_size <= **token as usize) {
        Some(&token) => Err(Error::BadToken { token, vocab_size }),
        None => Ok(()),
    }
}

fn generate(
    model: &Plt,
    sequence: Option<Sequence>,
    job: &Job,
) -> Result<(Outcome, Sequence), model::Error> {
    let request = &job.request;
    let started = Instant::now();
    let mut sequence = match sequence {
        Some(sequence) => sequence,
        None => Sequence::new(model),
    };
    let mut outcome = Outcome {
        finish: Finish::Cancelled,
        n_prompt: request.tokens.len(),
        n_reused: 0,
        n_generated: 0,
        queued: started - job.asked_at,
        prefill: Duration::ZERO,
        decode: Duration::ZERO,
    };
    let prefilled = sequence.prefill(model, &request.tokens, || job.is_cancelled())?;
    outcome.prefill = started.elapsed();
    outcome.n_reused = prefilled.n_reused;
    let Some(mut logits) = prefilled.logits else {
        return Ok((outcome, sequence));
    };
    let decoding = Instant::now();
    let mut sampler = Sampler::new(request.sampling, request.n_usable_tokens);
    let n_context = model.config().max_positions;
    loop {
        if job.is_cancelled() {
            break;
        }
        if outcome.n_generated == request.max_tokens {
            outcome.finish = Finish::Length;
            break;
        }
        let Some(choice) = sampler.choose(&logits.last()?) else {
            return Err(model::Error::NotFinite);
        };
        if request.stop_tokens.contains(&choice.token) {
            outcome.finish = Finish::Stop;
            break;
        }
        outcome.n_generated += 1;
        if job.replies.send(Reply::Token(choice)).is_err() {
            break;
        }
        if outcome.n_generated == request.max_tokens || sequence.len() == n_context {
            outcome.finish = Finish::Length;
            break;
        }
        logits = sequence.decode(model, choice.token)?;
    }
    outcome.decode = decoding.elapsed();
    Ok((outcome, sequence))
}
