//! Lets the model write until something ends it.

use std::fmt::Debug;
use std::sync::Arc;

use engine::{CancelFlag, Error, Finish, Outcome, Priority, Request, Sampling, Status};
use tokenizer::Tokenizer;

use crate::action::refusal::Refusal;
use crate::completer::without_held_back;
use crate::reason::Reason;
use crate::source::Generate;

/// Who waits for an action: how it is called off, and who is told how far it is.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    pub cancel: &'a CancelFlag,
    /// Gets the number of tokens written so far.
    pub report: &'a (dyn Fn(usize) + Sync),
}

impl Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("cancel", self.cancel).finish_non_exhaustive()
    }
}

/// A prompt and how it is to be continued.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) tokens: Vec<u32>,
    pub(crate) max_tokens: usize,
    pub(crate) sampling: Sampling,
    /// What the text may be like.
    pub(crate) drafts: Vec<u32>,
    /// As in [`context::Prompt`].
    pub(crate) held_back: String,
    /// Special tokens for thoughts and tools neither end the text nor are left out of it.
    pub(crate) keeps_markup: bool,
}

#[derive(Debug)]
pub(crate) struct Written {
    /// With line feeds for line ends.
    pub(crate) text: String,
    /// Where the text was ended, in bytes; `None` when the model ended it.
    pub(crate) stop: Option<usize>,
    pub(crate) outcome: Outcome,
}

impl Written {
    /// Up to where it was ended.
    pub(crate) fn kept(&self) -> &str {
        self.text.get(..self.stop.unwrap_or(self.text.len())).unwrap_or_default()
    }

    /// The model would have gone on, but for the limit.
    pub(crate) fn is_cut(&self) -> bool {
        self.stop.is_none() && self.outcome.finish == Finish::Length
    }
}

#[derive(Debug)]
pub(crate) struct Writer {
    source: Box<dyn Generate>,
    pub(crate) tokenizer: Arc<Tokenizer>,
    /// Ids that end a text, those of special tokens included.
    stop_tokens: Vec<u32>,
}

impl Writer {
    pub(crate) fn new(source: Box<dyn Generate>, tokenizer: Arc<Tokenizer>, eos: &[u32]) -> Self {
        let specials = tokenizer.special_names().filter_map(|name| tokenizer.special(name));
        let mut stop_tokens: Vec<u32> = eos.iter().copied().chain(specials).collect();
        stop_tokens.sort_unstable();
        stop_tokens.dedup();
        Self { source, tokenizer, stop_tokens }
    }

    /// Writes what `order` gives for a context of so many tokens, `assumed` until the model is loaded. `stop` sees the
    /// text as it grows, and in the end with `true`.
    pub(crate) fn write(
        &self,
        assumed: usize,
        order: impl Fn(usize) -> Result<Order, Refusal>,
        watch: Watch<'_>,
        mut stop: impl FnMut(&str, bool) -> Option<usize>,
    ) -> Result<Written, Refusal> {
        if let Status::Failed(why) = self.source.status() {
            return Err(Reason::ModelFailed(why).into());
        }
        let first = order(self.source.n_context().unwrap_or(assumed))?;
        let written = match self.run(first, watch, &mut stop) {
            // A model that was loaded only just now may hold less than was assumed.
            Err(Error::TooLong { n_context, .. }) => self.run(order(n_context)?, watch, &mut stop),
            other => other,
        };
        let written = written.map_err(|error| match error {
            Error::Load(why) => Reason::ModelFailed(why),
            other => Reason::EngineError(other.to_string()),
        })?;
        if watch.cancel.is_raised() {
            return Err(Reason::Cancelled.into());
        }
        Ok(written)
    }

    fn stop_tokens(&self, keeps_markup: bool) -> Vec<u32> {
        let is_markup = |id: &u32| {
            let name = String::from_utf8_lossy(self.tokenizer.bytes(*id));
            self.tokenizer.is_special(*id) && (name.contains("think") || name.contains("tool"))
        };
        self.stop_tokens.iter().copied().filter(|id| !keeps_markup || !is_markup(id)).collect()
    }

    fn run(
        &self,
        order: Order,
        watch: Watch<'_>,
        stop: &mut impl FnMut(&str, bool) -> Option<usize>,
    ) -> Result<Written, Error> {
        let mut stream = self.tokenizer.decode_stream_after(&order.tokens);
        let mut tokens = self.source.generate(Request {
            tokens: order.tokens,
            max_tokens: order.max_tokens,
            sampling: order.sampling,
            stop_tokens: self.stop_tokens(order.keeps_markup),
            n_usable_tokens: self.tokenizer.vocab_size(),
            priority: Priority::Action,
            drafts: order.drafts,
            cancel: watch.cancel.clone(),
        })?;
        let mut held_back = order.held_back.as_str();
        let (mut text, mut n_written, mut stopped) = (String::new(), 0, None);
        while stopped.is_none()
            && !watch.cancel.is_raised()
            && let Some(choice) = tokens.next_choice()
        {
            n_written += 1;
            (watch.report)(n_written);
            let piece = match order.keeps_markup && self.tokenizer.is_special(choice.token) {
                true => String::from_utf8_lossy(self.tokenizer.bytes(choice.token)).into_owned(),
                false => stream.push(choice.token).replace('\r', ""),
            };
            if !piece.is_empty() {
                text.push_str(without_held_back(&piece, &mut held_back));
                stopped = stop(&text, false);
            }
        }
        let outcome = tokens.finish()?;
        if stopped.is_none() {
            stopped = stop(&text, true);
        }
        Ok(Written { text, stop: stopped, outcome })
    }
}
