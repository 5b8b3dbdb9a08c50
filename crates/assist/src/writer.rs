//! Lets the model write until something ends it.

use std::fmt::Debug;
use std::sync::Arc;

use engine::{CancelFlag, Error, Finish, Ngrams, Outcome, Priority, Request, Sampling};
use tokenizer::Tokenizer;

use crate::confidence::Likelihoods;
use crate::reason::Reason;
use crate::source::Generate;

/// Who waits: how it is called off, and who is told how far it is.
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
    pub(crate) priority: Priority,
    /// What the text may be like.
    pub(crate) drafts: Vec<u32>,
    /// What counts beside the model.
    pub(crate) ngrams: Option<Arc<Ngrams>>,
    /// As in [`context::Prompt`].
    pub(crate) held_back: String,
    /// Special tokens for thoughts and tools neither end the text nor are left out of it.
    pub(crate) keeps_markup: bool,
}

#[derive(Debug)]
pub(crate) struct Written {
    /// With line feeds for line ends.
    pub(crate) text: String,
    pub(crate) likelihoods: Likelihoods,
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
    pub(crate) source: Box<dyn Generate>,
    pub(crate) tokenizer: Arc<Tokenizer>,
    /// Names of the special tokens.
    pub(crate) control_tokens: Vec<String>,
    /// Ids that end a text, those of special tokens included.
    stop_tokens: Vec<u32>,
}

impl Writer {
    pub(crate) fn new(source: Box<dyn Generate>, tokenizer: Arc<Tokenizer>, eos: &[u32]) -> Self {
        let control_tokens: Vec<String> = tokenizer.special_names().map(str::to_owned).collect();
        let specials = control_tokens.iter().filter_map(|name| tokenizer.special(name));
        let mut stop_tokens: Vec<u32> = eos.iter().copied().chain(specials).collect();
        stop_tokens.sort_unstable();
        stop_tokens.dedup();
        Self { source, tokenizer, control_tokens, stop_tokens }
    }

    /// Writes what `order` gives for a context of so many tokens, which is not known before the model is loaded. `stop` sees
    /// the text as it grows, and in the end with `true`. A text that was called off is what there is of it.
    pub(crate) fn write<E: From<Reason>>(
        &self,
        mut order: impl FnMut(Option<usize>) -> Result<Order, E>,
        watch: Watch<'_>,
        mut stop: impl FnMut(&str, bool) -> Option<usize>,
    ) -> Result<Written, E> {
        let first = order(self.source.n_context())?;
        let written = match self.run(first, watch, &mut stop) {
            // A model that was loaded only just now may hold less than was assumed.
            Err(Error::TooLong { n_context, .. }) => {
                self.run(order(Some(n_context))?, watch, &mut stop)
            }
            other => other,
        };
        written.map_err(|error| {
            E::from(match error {
                Error::Load(why) => Reason::ModelFailed(why),
                other => Reason::EngineError(other.to_string()),
            })
        })
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
            priority: order.priority,
            drafts: order.drafts,
            ngrams: order.ngrams,
            cancel: watch.cancel.clone(),
        })?;
        let mut held_back = order.held_back.as_str();
        let (mut text, mut n_written, mut stopped) = (String::new(), 0, None);
        let mut likelihoods = Likelihoods::default();
        while stopped.is_none()
            && !watch.cancel.is_raised()
            && let Some(choice) = tokens.next_choice()
        {
            n_written += 1;
            (watch.report)(n_written);
            likelihoods.push(&text, choice.log_probability);
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
        Ok(Written { text, likelihoods, stop: stopped, outcome })
    }
}

/// `piece` without the beginning of the answer that stands before the caret already. `held_back` is what of that is still to
/// come; an answer that begins otherwise is left as it is.
fn without_held_back<'a>(piece: &'a str, held_back: &mut &str) -> &'a str {
    let n_common = piece.bytes().zip(held_back.bytes()).take_while(|(one, other)| one == other);
    let n_common = piece.floor_char_boundary(n_common.count());
    if n_common < piece.len() {
        *held_back = "";
    } else {
        *held_back = held_back.get(n_common..).unwrap_or_default();
    }
    piece.get(n_common..).unwrap_or_default()
}
