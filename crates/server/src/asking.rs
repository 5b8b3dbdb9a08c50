//! Asks the assistant, away from the main loop: at once what it remembers, and the model when the user has paused.

use std::sync::Arc;
use std::time::Duration;

use assist::{CancelFlag, Completion, Reason, Several, Trigger};
use workspace::{DocumentId, Snapshot};

use crate::event::Event;
use crate::models::SessionModel;
use crate::running::Answered;
use crate::session::Session;
use crate::workers::Lanes;

#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) model: SessionModel,
    pub(crate) snapshot: Snapshot,
    pub(crate) document: DocumentId,
    pub(crate) caret: usize,
    pub(crate) trigger: Trigger,
    /// Whoever asks can choose among several.
    pub(crate) several: bool,
    pub(crate) cancel: CancelFlag,
}

/// Sends [`Event::Finished`] under `number`; the model is not asked before `delay` has passed.
pub(crate) fn ask(session: &Session, number: u64, question: Question, delay: Duration) {
    let question = Arc::new(question);
    let Lanes { slow, quick, .. } = session.lanes.clone();
    let events = session.ways.events.clone();
    session.ways.runtime.spawn(async move {
        if !delay.is_zero() {
            let asked = Arc::clone(&question);
            match quick.run(move || asked.at_once()).await {
                Some(None) => tokio::time::sleep(delay).await,
                Some(Some(completion)) => {
                    let answered = Answered {
                        several: one(completion),
                        waited: Duration::ZERO,
                        cancel_to_idle: None,
                    };
                    return events.send(Event::Finished(number, Some(Box::new(answered))));
                }
                None => return events.send(Event::Finished(number, None)),
            }
        }
        let answered = slow.run(move || question.answer(delay)).await;
        events.send(Event::Finished(number, answered.map(Box::new)));
    });
}

fn one(completion: Completion) -> Several {
    Several { first: completion, others: Vec::new() }
}

impl Question {
    fn at_once(&self) -> Option<Completion> {
        let assistant = self.model.at_hand()?;
        assistant.complete_at_once(&self.snapshot, &self.document, self.caret, self.trigger)
    }

    fn answer(&self, waited: Duration) -> Answered {
        let several = self.several();
        let was_asked = several.first.outcome.is_some();
        let cancelled_at = self.cancel.raised_at().filter(|_| was_asked);
        let cancel_to_idle = cancelled_at.map(|at| at.elapsed());
        Answered { several, waited, cancel_to_idle }
    }

    fn several(&self) -> Several {
        // Whoever typed on meanwhile has another request here by now.
        if self.cancel.is_raised() {
            return one(Completion::refused(Reason::Cancelled));
        }
        match self.model.for_request(self.trigger) {
            Ok(assistant) if self.several => {
                assistant.complete_several(&self.snapshot, &self.document, self.caret, &self.cancel)
            }
            Ok(assistant) => one(assistant.complete(
                &self.snapshot,
                &self.document,
                self.caret,
                self.trigger,
                &self.cancel,
            )),
            Err(reason) => one(Completion::refused(reason)),
        }
    }
}
