//! Where tokens come from, as a trait, so that tests can script what the model says.

use std::fmt::Debug;

use engine::{Choice, Error, Generation, Handle, Outcome, Request, Status};

pub(crate) trait Generate: Debug + Send + Sync {
    fn status(&self) -> Status;
    fn preload(&self);
    /// Tokens of prompt and answer that the model holds; `None` until it is loaded.
    fn n_context(&self) -> Option<usize>;
    fn generate(&self, request: Request) -> Result<Box<dyn Tokens>, Error>;
}

/// The tokens of one answer.
pub(crate) trait Tokens {
    /// Waits for the next token; `None` at the end.
    fn next_choice(&mut self) -> Option<Choice>;
    /// Stops the generation if it still runs.
    fn finish(self: Box<Self>) -> Result<Outcome, Error>;
}

impl Generate for Handle {
    fn status(&self) -> Status {
        Handle::status(self)
    }

    fn preload(&self) {
        Handle::preload(self);
    }

    fn n_context(&self) -> Option<usize> {
        self.model_info().map(|info| info.n_context)
    }

    fn generate(&self, request: Request) -> Result<Box<dyn Tokens>, Error> {
        Ok(Box::new(Handle::generate(self, request)?))
    }
}

impl Tokens for Generation {
    fn next_choice(&mut self) -> Option<Choice> {
        Generation::next_choice(self)
    }

    fn finish(self: Box<Self>) -> Result<Outcome, Error> {
        Generation::finish(*self)
    }
}
