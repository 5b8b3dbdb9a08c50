//! The callers' side: a cloneable way to the worker thread and the stream of one generation.

use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};
use model::Plt;

use crate::worker::{Command, Job, Reply, Shared, Worker};
use crate::{CancelFlag, Choice, Error, ModelInfo, Outcome, Request, Status};

/// The way to the worker thread; the thread ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Handle {
    commands: Sender<Command>,
    shared: Arc<Shared>,
}

impl Handle {
    /// Starts the worker; `load` runs on it at the first request or [`Handle::preload`].
    pub fn spawn(load: impl FnOnce() -> Result<Plt, model::Error> + Send + 'static) -> Self {
        let (commands, received) = unbounded();
        let shared = Arc::new(Shared::new());
        let worker = Worker::new(load, Arc::clone(&shared));
        let spawned = std::thread::Builder::new()
            .name("dacapo-engine".to_owned())
            .spawn(move || worker.run(&received));
        if let Err(error) = spawned {
            // The receiver went down with the closure, so every request will answer `Stopped`.
            tracing::error!(%error, "no thread for the engine");
        }
        Self { commands, shared }
    }

    /// Asks for the weights now; returns at once.
    pub fn preload(&self) {
        // Without a worker there is nothing to load, and the next request says so.
        let _ = self.commands.send(Command::Preload);
    }

    pub fn status(&self) -> Status {
        self.shared.status()
    }

    /// `None` until the model is loaded.
    pub fn model_info(&self) -> Option<ModelInfo> {
        self.shared.model_info()
    }

    /// Queues a request. Blocking consumers only: iterate the result from a thread that may wait.
    pub fn generate(&self, request: Request) -> Result<Generation, Error> {
        let (replies, received) = unbounded();
        let abandoned = CancelFlag::default();
        let job = Job { request, asked_at: Instant::now(), abandoned: abandoned.clone(), replies };
        self.commands.send(Command::Generate(job)).map_err(|_| Error::Stopped)?;
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
