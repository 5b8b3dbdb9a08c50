//! The thread that owns the model and gives each step to the most urgent request.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use model::Plt;

use crate::pace::Pace;
use crate::running::{Job, Running};
use crate::sequence::Pool;
use crate::{Error, ModelInfo, Options, Priority, Request, Status};

/// Requests that may wait; the least urgent beyond are refused.
pub(crate) const MAX_WAITING: usize = 256;

pub(crate) enum Command {
    Preload,
    Generate(Job),
}

/// What the worker lets others see.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Clone)]
struct State {
    status: Status,
    info: Option<ModelInfo>,
    /// From 0 to 1.
    load_progress: f32,
}

impl Shared {
    pub(crate) fn new() -> Self {
        let state = State { status: Status::Unloaded, info: None, load_progress: 0.0 };
        Self { state: Mutex::new(state) }
    }

    pub(crate) fn status(&self) -> Status {
        self.read(|state| state.status.clone())
    }

    pub(crate) fn model_info(&self) -> Option<ModelInfo> {
        self.read(|state| state.info.clone())
    }

    pub(crate) fn load_progress(&self) -> Option<f32> {
        self.read(|state| (state.status == Status::Loading).then_some(state.load_progress))
    }

    fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The weights are about to be read if they are not there: they are on their way for whoever asks from now on.
    pub(crate) fn begin_load(&self) {
        self.write(|state| {
            if state.status == Status::Unloaded {
                state.status = Status::Loading;
                state.load_progress = 0.0;
            }
        });
    }

    fn write(&self, write: impl FnOnce(&mut State)) {
        write(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

enum Weights {
    Unread,
    Loaded(Box<Plt>),
    Failed(String),
}

pub(crate) struct Worker<L> {
    load: L,
    weights: Weights,
    options: Options,
    commands: Receiver<Command>,
    shared: Arc<Shared>,
    waiting: Vec<Job>,
    /// Requests that have begun; all but the most urgent wait for their next step.
    running: Vec<Running>,
    pool: Pool,
    pace: Pace,
    /// See [`Plt::runs_ahead`].
    runs_ahead: bool,
}

impl<L> Worker<L>
where
    L: FnMut(&mut dyn FnMut(f32)) -> Result<Plt, model::Error>,
{
    pub(crate) fn new(
        load: L,
        options: Options,
        commands: Receiver<Command>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            load,
            weights: Weights::Unread,
            options,
            commands,
            shared,
            waiting: Vec::new(),
            running: Vec::new(),
            pool: Pool::new(options),
            pace: Pace::default(),
            runs_ahead: false,
        }
    }

    /// Serves until the last handle is gone and everything that was asked is answered.
    pub(crate) fn run(mut self) {
        loop {
            if self.waiting.is_empty() && self.running.is_empty() && !self.wait() {
                return;
            }
            self.turn();
        }
    }

    /// One step for the most urgent request.
    fn turn(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.accept(command);
        }
        self.end_cancelled();
        if let Some(index) = self.next_running() {
            self.step(index);
        }
    }

    /// Waits for a command, and unloads the model when none comes for long; `false` when none can come any more.
    fn wait(&mut self) -> bool {
        let is_loaded = matches!(self.weights, Weights::Loaded(_));
        let received = match self.options.idle.filter(|_| is_loaded) {
            Some(idle) => self.commands.recv_timeout(idle),
            None => self.commands.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        match received {
            Ok(command) => self.accept(command),
            Err(RecvTimeoutError::Timeout) => self.unload(),
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        true
    }

    fn accept(&mut self, command: Command) {
        match command {
            Command::Preload => self.load(),
            Command::Generate(job) => self.waiting.push(job),
        }
        if MAX_WAITING < self.waiting.len() {
            self.end_cancelled();
        }
        if MAX_WAITING < self.waiting.len()
            && let Some(least) = (0..self.waiting.len()).min_by_key(|i| urgency(&self.waiting[*i]))
        {
            let n_waiting = self.waiting.len();
            self.waiting.remove(least).end(Err(Error::Busy { n_waiting }));
        }
    }

    fn end_cancelled(&mut self) {
        for job in self.waiting.extract_if(.., |job| job.is_cancelled()) {
            job.end(Ok(job.unserved()));
        }
        while let Some(index) = self.running.iter().position(|running| running.job.is_cancelled()) {
            let running = self.running.swap_remove(index);
            running.job.end(Ok(running.cancelled()));
            self.pool.put(running.into_sequence());
        }
    }

    /// The most urgent request, which is given a sequence if it has none yet.
    fn next_running(&mut self) -> Option<usize> {
        let running = (0..self.running.len()).max_by_key(|i| urgency(&self.running[*i].job));
        let waiting = (0..self.waiting.len()).max_by_key(|i| urgency(&self.waiting[*i]));
        let Some(waiting) = waiting else { return running };
        // Of two people who type, the one who is being served is not interrupted.
        if let Some(index) = running
            && self.waiting[waiting].priority() <= self.running[index].job.priority()
        {
            return running;
        }
        let mut job = self.waiting.remove(waiting);
        self.load();
        let model = match &self.weights {
            Weights::Loaded(model) => model,
            Weights::Failed(reason) => {
                job.end(Err(Error::Load(reason.clone())));
                return None;
            }
            Weights::Unread => {
                job.end(Err(Error::Stopped));
                return None;
            }
        };
        if let Err(error) = check(&job.request, model) {
            job.end(Err(error));
            return None;
        }
        // What the model cannot say is no guess, and what follows it follows from it.
        let vocab_size = model.config().vocab_size;
        let foreign = job.request.drafts.iter().position(|token| vocab_size <= *token as usize);
        job.request.drafts.truncate(foreign.unwrap_or(usize::MAX));
        let sequence = self.pool.take(model, &job.request.tokens);
        self.running.push(Running::new(job, sequence, self.runs_ahead));
        Some(self.running.len() - 1)
    }

    /// One chunk of a prompt or one pass over the weights for a request.
    fn step(&mut self, index: usize) {
        let Weights::Loaded(model) = &self.weights else { return };
        let mut running = self.running.swap_remove(index);
        let priority = running.job.priority();
        let cancel = (running.job.request.cancel.clone(), running.job.abandoned.clone());
        let (commands, waiting) = (&self.commands, &mut self.waiting);
        let keep_going = || {
            // What is beyond the limit stays in the channel, which has one too.
            while waiting.len() < MAX_WAITING
                && let Ok(command) = commands.try_recv()
            {
                // A model that works needs no loading.
                if let Command::Generate(job) = command {
                    waiting.push(job);
                }
            }
            !cancel.0.is_raised()
                && !cancel.1.is_raised()
                && waiting.iter().all(|job| job.priority() <= priority)
        };
        // A defect in one request must not take the engine away from every editor.
        let advanced =
            catch_unwind(AssertUnwindSafe(|| running.advance(model, &mut self.pace, keep_going)));
        match advanced {
            Ok(Ok(None)) => self.running.push(running),
            Ok(Ok(Some(outcome))) => {
                tracing::debug!(?outcome, "served");
                running.job.end(Ok(outcome));
                self.pool.put(running.into_sequence());
            }
            Ok(Err(error)) => {
                if error.is_out_of_memory() {
                    // The next request shall fare better.
                    self.pool.clear();
                }
                running.job.end(Err(Error::Inference(error.to_string())));
            }
            Err(_) => {
                let reason = "the forward pass panicked".to_owned();
                running.job.end(Err(Error::Inference(reason)));
            }
        }
    }

    fn load(&mut self) {
        // What failed may have been a full card or a file that was still being written.
        if matches!(self.weights, Weights::Loaded(_)) {
            return;
        }
        self.shared.write(|state| {
            state.status = Status::Loading;
            state.load_progress = 0.0;
        });
        let started = Instant::now();
        let shared = Arc::clone(&self.shared);
        let mut report = |share: f32| shared.write(|state| state.load_progress = share);
        let loaded = catch_unwind(AssertUnwindSafe(|| (self.load)(&mut report)));
        let reason = match loaded {
            Ok(Ok(model)) => {
                let config = model.config();
                let info = ModelInfo {
                    name: config.name.clone(),
                    n_context: config.max_positions,
                    vocab_size: config.vocab_size,
                    n_loops: config.n_loops,
                    n_parameters: config.n_parameters(),
                    device: model.placement().to_string(),
                };
                tracing::info!(elapsed = ?started.elapsed(), ?info, "model loaded");
                self.pace = Pace::new(config.n_layers);
                self.runs_ahead = model.runs_ahead();
                self.weights = Weights::Loaded(Box::new(model));
                self.shared.write(|state| {
                    state.status = Status::Ready;
                    state.info = Some(info);
                });
                return;
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "reading the model panicked".to_owned(),
        };
        tracing::error!(reason, "model not loaded");
        self.weights = Weights::Failed(reason.clone());
        self.shared.write(|state| state.status = Status::Failed(reason));
    }

    /// Gives the memory back; what is known of the model stays known.
    fn unload(&mut self) {
        self.pool.clear();
        self.weights = Weights::Unread;
        self.shared.write(|state| state.status = Status::Unloaded);
        tracing::info!("model unloaded");
    }
}

/// What comes first: the class of the request, then the newest, or among actions the oldest.
fn urgency(job: &Job) -> (Priority, Option<std::cmp::Reverse<Instant>>, Instant) {
    let first_come = job.priority() == Priority::Action;
    (job.priority(), first_come.then_some(std::cmp::Reverse(job.asked_at)), job.asked_at)
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

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
