//! Models by name, each opened once and used by every session that wants it.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assist::{Assistant, Reason, Status, Trigger};

/// Knows where models are.
pub trait Models: Debug + Send + Sync {
    /// Reads what stands beside the weights (configuration, tokenizer); may take as long as that takes.
    ///
    /// # Errors
    /// In words, with the way out.
    fn open(&self, name: &str) -> Result<Assistant, String>;

    /// `Some` if there is nothing to wait for.
    fn at_hand(&self, name: &str) -> Option<Assistant> {
        let _ = name;
        None
    }
}

/// One model, whatever the name.
impl Models for Assistant {
    fn open(&self, _: &str) -> Result<Assistant, String> {
        Ok(self.clone())
    }

    fn at_hand(&self, _: &str) -> Option<Assistant> {
        Some(self.clone())
    }
}

/// Every model that was opened.
#[derive(Debug)]
pub(crate) struct Pool {
    models: Box<dyn Models>,
    open: Mutex<HashMap<String, Arc<Mutex<Option<Assistant>>>>>,
}

impl Pool {
    pub(crate) fn new(models: Box<dyn Models>) -> Self {
        Self { models, open: Mutex::default() }
    }

    /// Waits until the model is open; who comes second waits for the first.
    fn open(&self, name: &str) -> Result<Assistant, String> {
        let slot = Arc::clone(lock(&self.open).entry(name.to_owned()).or_default());
        let mut slot = lock(&slot);
        if let Some(assistant) = &*slot {
            return Ok(assistant.clone());
        }
        let assistant = self.models.open(name)?;
        Ok(slot.insert(assistant).clone())
    }

    fn at_hand(&self, name: &str) -> Option<Assistant> {
        let slot = lock(&self.open).get(name).cloned();
        // A slot that is locked is being filled.
        let open = slot.and_then(|slot| slot.try_lock().ok().and_then(|slot| slot.clone()));
        open.or_else(|| self.models.at_hand(name))
    }

    /// Names and states of what is open.
    pub(crate) fn states(&self) -> Vec<(String, Status)> {
        let slots: Vec<_> =
            lock(&self.open).iter().map(|(name, slot)| (name.clone(), Arc::clone(slot))).collect();
        let mut states: Vec<_> = slots
            .into_iter()
            .map(|(name, slot)| {
                let open = slot.try_lock().ok().and_then(|slot| slot.clone());
                (name, open.map_or(Status::Loading, |assistant| assistant.engine().status()))
            })
            .collect();
        states.sort_by(|a, b| a.0.cmp(&b.0));
        states
    }
}

/// The model of one session: opened when it is first needed, with limits and a memory of its own.
#[derive(Debug, Clone)]
pub(crate) struct SessionModel(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: Arc<Pool>,
    name: String,
    limits: Limits,
    state: Mutex<State>,
}

/// As in [`assist::Config`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) max_tokens: usize,
    pub(crate) n_prompt: usize,
    pub(crate) min_confidence: f32,
}

#[derive(Debug)]
enum State {
    Closed,
    Opening,
    Open(Assistant),
    Failed(String),
}

impl SessionModel {
    pub(crate) fn new(pool: Arc<Pool>, name: String, limits: Limits) -> Self {
        Self(Arc::new(Inner { pool, name, limits, state: Mutex::new(State::Closed) }))
    }

    pub(crate) fn is(&self, name: &str, limits: Limits) -> bool {
        self.0.name == name && self.0.limits == limits
    }

    /// The assistant if it takes no waiting to get it.
    pub(crate) fn at_hand(&self) -> Option<Assistant> {
        let mut state = lock(&self.0.state);
        if let State::Open(assistant) = &*state {
            return Some(assistant.clone());
        }
        let assistant = self.0.limited(&self.0.pool.at_hand(&self.0.name)?);
        *state = State::Open(assistant.clone());
        Some(assistant)
    }

    /// The assistant; opens it if that has not happened yet, and tries again what has failed.
    pub(crate) fn open(&self) -> Result<Assistant, String> {
        if let Some(assistant) = self.at_hand() {
            return Ok(assistant);
        }
        *lock(&self.0.state) = State::Opening;
        let opened = self.0.pool.open(&self.0.name);
        let mut state = lock(&self.0.state);
        if let State::Open(assistant) = &*state {
            return Ok(assistant.clone());
        }
        match opened {
            Ok(assistant) => {
                let assistant = self.0.limited(&assistant);
                *state = State::Open(assistant.clone());
                Ok(assistant)
            }
            Err(why) => {
                tracing::warn!(model = self.0.name, why, "no model");
                *state = State::Failed(why.clone());
                Err(why)
            }
        }
    }

    /// The assistant for a request; only who asks by hand waits for it. Call it where waiting is allowed.
    pub(crate) fn for_request(&self, trigger: Trigger) -> Result<Assistant, Reason> {
        if trigger == Trigger::Automatic
            && let State::Failed(why) = &*lock(&self.0.state)
        {
            return Err(Reason::ModelFailed(why.clone()));
        }
        self.open().map_err(Reason::ModelFailed)
    }

    /// Has the weights read if it takes no waiting to ask for them; `false` where [`Self::preload`] has to follow.
    pub(crate) fn preload_at_hand(&self) -> bool {
        if let Some(assistant) = self.at_hand() {
            assistant.engine().preload();
            return true;
        }
        let mut state = lock(&self.0.state);
        let is_closed = matches!(&*state, State::Closed);
        if is_closed {
            *state = State::Opening;
        }
        !is_closed
    }

    /// Opens the model and has its weights read; call it where waiting is allowed.
    pub(crate) fn preload(&self) {
        if let Ok(assistant) = self.open() {
            assistant.engine().preload();
        }
    }

    pub(crate) fn status(&self) -> Status {
        match &*lock(&self.0.state) {
            State::Closed => Status::Unloaded,
            State::Opening => Status::Loading,
            State::Open(assistant) => assistant.engine().status(),
            State::Failed(why) => Status::Failed(why.clone()),
        }
    }
}

impl Inner {
    fn limited(&self, assistant: &Assistant) -> Assistant {
        let config = assist::Config {
            max_tokens: self.limits.max_tokens,
            n_prompt: self.limits.n_prompt,
            min_confidence: self.limits.min_confidence,
            ..*assistant.config()
        };
        assistant.with_config(config)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
