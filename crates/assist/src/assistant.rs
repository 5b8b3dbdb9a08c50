//! A model with its tokenizer, ready to answer.

use std::ops::Range;
use std::sync::Arc;

use engine::{CancelFlag, Handle};
use tokenizer::{ChatTemplate, Tokenizer};
use workspace::{Document, DocumentId, Snapshot};

use crate::action::{Action, ActionAnswer, ActionRequest, Actor, Diagnostic, Offer, repeated};
use crate::completer::Completer;
use crate::completion::{Completion, Config, Several, Suggestion, Trigger};
use crate::next_edit::{NextEdit, next_edit};
use crate::reason::Reason;
use crate::writer::{Watch, Writer};

/// A loaded (or loading) model with its tokenizer; a clone shares both, and the memory of recent suggestions.
#[derive(Debug, Clone)]
pub struct Assistant {
    engine: Handle,
    writer: Arc<Writer>,
    completer: Arc<Completer>,
    actor: Arc<Actor>,
}

impl Assistant {
    /// `eos` are the ids that end a text, besides all special tokens of the vocabulary.
    pub fn new(engine: Handle, tokenizer: Arc<Tokenizer>, eos: Vec<u32>, config: Config) -> Self {
        let writer = Arc::new(Writer::new(Box::new(engine.clone()), tokenizer, &eos));
        let actor = Arc::new(Actor::new(Arc::clone(&writer), config));
        let completer = Arc::new(Completer::new(Arc::clone(&writer), config));
        Self { engine, writer, completer, actor }
    }

    /// The same for a model that follows instructions, put to it in this template.
    #[must_use]
    pub fn with_chat(self, chat: ChatTemplate) -> Self {
        Self { actor: Arc::new(self.actor.with_chat(chat)), ..self }
    }

    /// The same engine and tokenizer under other limits, and without memory of earlier suggestions.
    #[must_use]
    pub fn with_config(&self, config: Config) -> Self {
        Self {
            completer: Arc::new(Completer::new(Arc::clone(&self.writer), config)),
            actor: Arc::new(self.actor.with_config(config)),
            ..self.clone()
        }
    }

    pub fn config(&self) -> &Config {
        self.completer.config()
    }

    pub fn engine(&self) -> &Handle {
        &self.engine
    }

    /// What can be said without the model: why there is no suggestion, or one that is remembered.
    pub fn complete_at_once(
        &self,
        snapshot: &Snapshot,
        document: &DocumentId,
        offset: usize,
        trigger: Trigger,
    ) -> Option<Completion> {
        self.completer.complete_at_once(snapshot, document, offset, trigger)
    }

    /// Completes at byte `offset`; waits for the engine, so call it where waiting is allowed.
    ///
    /// While the weights are being read an automatic request is answered at once with [`crate::Reason::Loading`], and one
    /// that the user asked for waits.
    pub fn complete(
        &self,
        snapshot: &Snapshot,
        document: &DocumentId,
        offset: usize,
        trigger: Trigger,
        cancel: &CancelFlag,
    ) -> Completion {
        self.completer.complete(snapshot, document, offset, trigger, cancel)
    }

    /// Has the model read what a request at `offset` would have it read, while nobody waits for it, so that the request
    /// finds it there. Waits for that; does nothing while the weights are not there.
    pub fn warm_up(
        &self,
        snapshot: &Snapshot,
        document: &DocumentId,
        offset: usize,
        cancel: &CancelFlag,
    ) {
        self.completer.warm_up(snapshot, document, offset, cancel);
    }

    /// Completes where the caret will be if `suggestion` for `document` is taken, while nobody waits for it, so that who takes it
    /// is answered at once. Waits for that; does nothing while the weights are not there.
    pub fn look_ahead(
        &self,
        snapshot: &Snapshot,
        document: &DocumentId,
        suggestion: &Suggestion,
        cancel: &CancelFlag,
    ) {
        self.completer.look_ahead(snapshot, document, suggestion, cancel);
    }

    /// Completes at byte `offset` for whoever asks by hand and wants to choose: the likeliest suggestion and up to two
    /// others. Waits for the engine like [`Assistant::complete`], for up to five answers instead of one.
    pub fn complete_several(
        &self,
        snapshot: &Snapshot,
        document: &DocumentId,
        offset: usize,
        cancel: &CancelFlag,
    ) -> Several {
        self.completer.complete_several(snapshot, document, offset, cancel)
    }

    /// The next place behind byte `offset` of `document` at which the last change is to be made again, and what is to stand there. A name
    /// that was replaced is replaced, without the model; where the parameters of a function changed, the model writes the arguments of a
    /// call anew.
    ///
    /// # Errors
    /// [`Reason::NothingToRepeat`] when no recent edit is one that can be repeated, and all that can be in the way of a completion.
    pub fn next_edit(
        &self,
        snapshot: &Snapshot,
        document: &DocumentId,
        offset: usize,
        cancel: &CancelFlag,
    ) -> Result<NextEdit, Reason> {
        next_edit(&self.completer, snapshot, document, offset, cancel)
    }

    /// Does an action; waits for the engine, and for the weights, so call it where waiting is allowed.
    pub fn act(
        &self,
        snapshot: &Snapshot,
        request: &ActionRequest,
        watch: Watch<'_>,
    ) -> ActionAnswer {
        if request.action != Action::NextEdit {
            return self.actor.act(snapshot, request, watch);
        }
        let caret = request.selection.end;
        match self.next_edit(snapshot, &request.document, caret, watch.cancel) {
            Ok(next) => repeated(&next),
            Err(reason) => ActionAnswer::from(reason),
        }
    }

    /// Actions for a menu; answers at once. Unless the user `asked`, only those for which there is a particular cause.
    pub fn offers(
        &self,
        snapshot: &Snapshot,
        document: &Document,
        selection: &Range<usize>,
        diagnostics: &[Diagnostic],
        asked: bool,
    ) -> Vec<Offer> {
        let mut offers = self.actor.offers(document, selection, diagnostics, asked);
        if context::next_edit(snapshot, &document.id, selection.end).is_some() {
            let action = Action::NextEdit;
            let title = action.title().to_owned();
            offers.insert(0, Offer { action, title, diagnostic: None, disabled: None });
        }
        offers
    }
}
