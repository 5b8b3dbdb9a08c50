//! The callers' side: a cloneable way to the worker thread and the stream of one generation.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, unbounded};
use model::Plt;

use crate::running::{Job, Reply};
use crate::worker::{Command, MAX_WAITING, Shared, Worker};
use crate::{CancelFlag, Choice, Error, ModelInfo, Options, Outcome, Request, Status};

/// The way to the worker thread; the thread ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: Sender<Command>,
    shared: Arc<Shared>,
}

impl Handle {
    /// Starts the worker with the usual options; see [`Handle::start`].
    pub fn spawn(mut load: impl FnMut() -> Result<Plt, model::Error> + Send + 'static) -> Self {
        Self::start(Options::default(), move |_| load())
    }

    /// Starts the worker; `load` runs on it at the first request or [`Handle::preload`], and again after the model was
    /// unloaded. It reports how much is done, from 0 to 1.
    pub fn start(
        options: Options,
        load: impl FnMut(&mut dyn FnMut(f32)) -> Result<Plt, model::Error> + Send + 'static,
    ) -> Self {
        let (commands, received) = bounded(MAX_WAITING);
        let shared = Arc::new(Shared::new());
        let worker = Worker::new(load, options, received, Arc::clone(&shared));
        let spawned = std::thread::Builder::new()
            .name("dacapo-engine".to_owned())
            .spawn(move || worker.run());
        if let Err(error) = spawned {
            // The receiver went down with the closure, so every request will answer `Stopped`.
            tracing::error!(%error, "no thread for the engine");
        }
        Self { commands, shared }
    }

    /// Asks for the weights now; returns at once.
    pub fn preload(&self) {
        // Without a worker there is nothing to load, and the next request says so; with many requests waiting they load it.
        if self.commands.try_send(Command::Preload).is_ok() {
            self.shared.begin_load();
        }
    }

    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// From 0 to 1 while the weights are read.
    pub fn load_progress(&self) -> Option<f32> {
        self.shared.load_progress()
    }

    /// `None` until the model was loaded.
    pub fn model_info(&self) -> Option<ModelInfo> {
        self.shared.model_info()
    }

    /// Queues a request. Blocking consumers only: iterate the result from a thread that may wait.
    pub fn generate(&self, request: Request) -> Result<Generation, Error> {
        let (replies, received) = unbounded();
        let abandoned = CancelFlag::default();
        let job = Job { request, asked_at: Instant::now(), abandoned: abandoned.clone(), replies };
        self.commands.try_send(Command::Generate(job)).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy { n_waiting: MAX_WAITING },
            TrySendError::Disconnected(_) => Error::Stopped,
        })?;
        Ok(Generation { replies: received, abandoned, end: None })
    }
}

/// Tokens of one request as they are made; dropping it cancels the request.
#[derive(Debug)]
pub struct Generation {
    replies: Receiver<Reply>,
    abandoned: CancelFlag,
    end: Option<Result<Outcome, Error>>,
}

impl Generation {
    /// Waits for the next token; `None` when the generation has ended.
    pub fn next_token(&mut self) -> Option<u32> {
        self.next_choice().map(|choice| choice.token)
    }

    /// Like [`Generation::next_token`], with how likely the token was.
    pub fn next_choice(&mut self) -> Option<Choice> {
        if self.end.is_some() {
            return None;
        }
        match self.replies.recv() {
            Ok(Reply::Token(choice)) => Some(choice),
            Ok(Reply::End(end)) => {
                self.end = Some(end);
                None
            }
            Err(_) => {
                self.end = Some(Err(Error::Stopped));
                None
            }
        }
    }

    /// Stops the generation if it runs still, and says how it went.
    pub fn finish(mut self) -> Result<Outcome, Error> {
        self.abandoned.raise();
        while self.next_choice().is_some() {}
        self.end.take().unwrap_or(Err(Error::Stopped))
    }
}

impl Drop for Generation {
    fn drop(&mut self) {
        self.abandoned.raise();
    }
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
