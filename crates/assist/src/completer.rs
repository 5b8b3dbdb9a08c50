//! From a caret to a suggestion: refuse, remember, ask the model, trim.

mod parses;
mod repeat;
mod several;

use std::sync::Arc;

use context::{
    Budget, Layout, NoPrompt, Prompt, Settings, Surroundings, caret_offset, prompt, surroundings,
};
use engine::{CancelFlag, Finish, Priority, Request, Sampling, Status};
use text::{Edit, LineEnding};
use workspace::{Document, DocumentId, Snapshot};

use crate::completion::{Completion, Config, Ngrams, Suggestion, Trigger};
use crate::memo::Memo;
use crate::previous::Previous;
use crate::reason::Reason;
use crate::refuse::refusal;
use crate::site::Site;
use crate::trim::{self, Ended};
use crate::writer::{Order, Watch, Writer, Written};

#[derive(Debug)]
pub(crate) struct Completer {
    writer: Arc<Writer>,
    config: Config,
    layout: Layout,
    memo: Memo,
    previous: Previous,
    found: context::Memo,
}

/// What the model wrote at a caret, and the rule that ended it.
struct Answer {
    written: Written,
    rule: Option<trim::Rule>,
}

impl Completer {
    pub(crate) fn new(writer: Arc<Writer>, config: Config) -> Self {
        Self {
            layout: config.layout.unwrap_or_else(|| Layout::of(&writer.tokenizer)),
            writer,
            config,
            memo: Memo::default(),
            previous: Previous::default(),
            found: context::Memo::default(),
        }
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn complete(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        offset: usize,
        trigger: Trigger,
        cancel: &CancelFlag,
    ) -> Completion {
        repeat::at(snapshot, id, offset)
            .unwrap_or_else(|| self.complete_here(snapshot, id, offset, trigger, cancel))
    }

    /// Without regard to edits that could be repeated.
    fn complete_here(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        offset: usize,
        trigger: Trigger,
        cancel: &CancelFlag,
    ) -> Completion {
        let (document, offset, site) = match self.without_model(snapshot, id, offset, trigger) {
            Ok(open) => open,
            Err(completion) => return *completion,
        };
        match self.readiness(trigger) {
            Some(reason) => Completion::refused(reason),
            None => self.ask(snapshot, document, offset, &site, Priority::Interactive, cancel),
        }
    }

    pub(crate) fn complete_at_once(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        offset: usize,
        trigger: Trigger,
    ) -> Option<Completion> {
        repeat::at(snapshot, id, offset).or_else(|| {
            self.without_model(snapshot, id, offset, trigger).err().map(|completion| *completion)
        })
    }

    pub(crate) fn warm_up(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        offset: usize,
        cancel: &CancelFlag,
    ) {
        if self.writer.source.status() != Status::Ready {
            return;
        }
        let open = self.without_model(snapshot, id, offset, Trigger::Automatic);
        let Ok((document, offset, _)) = open else { return };
        let prompt = self.prompt(snapshot, document, offset, self.writer.source.n_context());
        let Ok(prompt) = prompt else { return };
        let generation = self.writer.source.generate(Request {
            tokens: prompt.tokens,
            n_usable_tokens: self.writer.tokenizer.vocab_size(),
            priority: Priority::WarmUp,
            cancel: cancel.clone(),
            ..Request::default()
        });
        if let Ok(mut tokens) = generation {
            while tokens.next_choice().is_some() {}
        }
    }

    /// What the model is to be asked about, or the answer where it need not be.
    fn without_model<'a>(
        &self,
        snapshot: &'a Snapshot,
        id: &DocumentId,
        offset: usize,
        trigger: Trigger,
    ) -> Result<(&'a Document, usize, Site), Box<Completion>> {
        let refused = |reason| Err(Box::new(Completion::refused(reason)));
        let Some(document) = snapshot.document(id) else {
            return refused(Reason::NotOpen);
        };
        if document.is_large() {
            return refused(Reason::TooLarge);
        }
        let offset = caret_offset(&document.buffer, offset);
        let site = Site::new(document, offset, trigger);
        if let Some(reason) = refusal(&site, trigger) {
            return refused(reason);
        }
        match self.memo.recall(id, trigger, &site) {
            Some((text, pieces)) => Err(Box::new(Completion {
                suggestion: Ok(suggestion(document, offset, &site, &text)),
                raw: text,
                pieces,
                outcome: None,
                confidence: None,
                stopped_by: "memo",
            })),
            None => Ok((document, offset, site)),
        }
    }

    /// Why the model cannot be asked now.
    fn readiness(&self, trigger: Trigger) -> Option<Reason> {
        match (self.writer.source.status(), trigger) {
            (Status::Failed(why), Trigger::Automatic) => Some(Reason::ModelFailed(why)),
            (Status::Unloaded, Trigger::Automatic) => {
                self.writer.source.preload();
                Some(Reason::Loading)
            }
            (Status::Loading, Trigger::Automatic) => Some(Reason::Loading),
            // Who asks by hand has it tried again.
            (_, Trigger::Invoked) | (Status::Ready, _) => None,
        }
    }

    /// Lets the model go on where the caret would be if `suggestion` were taken, so that the answer is there by then. Waits
    /// for the engine like [`Completer::complete`], behind everyone else.
    pub(crate) fn look_ahead(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        suggestion: &Suggestion,
        cancel: &CancelFlag,
    ) {
        let document = snapshot.document(id).filter(|it| it.version == suggestion.version);
        let Some(document) = document.filter(|_| self.writer.source.status() == Status::Ready)
        else {
            return;
        };
        let Suggestion { range, text, .. } = suggestion;
        let taken = document.edited(&Edit { range: range.clone(), text: text.clone() });
        let caret = range.start + text.len();
        let (trigger, priority) = (Trigger::Automatic, Priority::LookAhead);
        let site = Site::new(&taken, caret, trigger);
        let is_known = self.memo.recall(id, trigger, &site).is_some();
        if !is_known && refusal(&site, trigger).is_none() {
            self.ask(snapshot, &taken, caret, &site, priority, cancel);
        }
    }

    pub(crate) fn ask(
        &self,
        snapshot: &Snapshot,
        document: &Document,
        offset: usize,
        site: &Site,
        priority: Priority,
        cancel: &CancelFlag,
    ) -> Completion {
        let mut pieces = Vec::new();
        let prompt = |n_context| {
            let prompt = self.prompt(snapshot, document, offset, n_context)?;
            pieces.clone_from(&prompt.pieces);
            let ngrams = self.ngrams(snapshot, document, offset, &prompt);
            Ok(self.order(prompt, ngrams, self.config.sampling, priority))
        };
        let answer = self.write(prompt, site, cancel);
        if priority == Priority::Interactive && !pieces.is_empty() {
            self.previous.remember(&document.id, &pieces);
        }
        let answer = match answer {
            Ok(answer) => answer,
            Err(reason) => return Completion { pieces, ..Completion::refused(reason) },
        };
        let (text, stopped_by) = suggested(document, offset, site, &answer);
        let Written { likelihoods, outcome, text: raw, .. } = answer.written;
        let confidence = text.as_ref().ok().and_then(|text| likelihoods.confidence(text));
        let text = text.and_then(|text| match (site.trigger, confidence) {
            (Trigger::Automatic, Some(sure)) if sure < self.config.min_confidence => {
                Err(Reason::Unlikely)
            }
            _ => Ok(text),
        });
        if let Ok(text) = &text {
            self.memo.remember(&document.id, site.trigger, site, text, &pieces);
        }
        let suggestion = text.map(|text| suggestion(document, offset, site, &text));
        tracing::debug!(stopped_by, suggested = suggestion.is_ok(), "completion");
        Completion { suggestion, raw, pieces, outcome: Some(outcome), confidence, stopped_by }
    }

    fn prompt(
        &self,
        snapshot: &Snapshot,
        document: &Document,
        offset: usize,
        n_context: Option<usize>,
    ) -> Result<Prompt, Reason> {
        let settings = Settings {
            budget: Budget::share(self.n_prompt(n_context)).within(self.config.beside),
            layout: self.layout,
            sources: self.config.sources,
            previous: &self.previous.of(&document.id),
            memo: Some(&self.found),
        };
        prompt(snapshot, document, offset, &self.writer.tokenizer, &settings).map_err(reason_of)
    }

    /// What counts beside the model behind `prompt`.
    fn ngrams(
        &self,
        snapshot: &Snapshot,
        document: &Document,
        offset: usize,
        prompt: &Prompt,
    ) -> Option<Arc<engine::Ngrams>> {
        let Ngrams { model_weight, sources } = self.config.ngrams?;
        let offset = offset - prompt.held_back.len();
        let tokenizer = &self.writer.tokenizer;
        let memo = Some(&self.found);
        let Surroundings { before, after, elsewhere } =
            surroundings(snapshot, document, offset, tokenizer, sources, memo);
        Some(Arc::new(engine::Ngrams { before, after, elsewhere, model_weight }))
    }

    /// Tokens that a prompt may take so that the answer still fits.
    fn n_prompt(&self, n_context: Option<usize>) -> usize {
        let room = n_context.map(|n_context| n_context.saturating_sub(self.config.max_tokens));
        self.config.n_prompt.min(room.unwrap_or(usize::MAX))
    }

    fn order(
        &self,
        prompt: Prompt,
        ngrams: Option<Arc<engine::Ngrams>>,
        sampling: Sampling,
        priority: Priority,
    ) -> Order {
        Order {
            tokens: prompt.tokens,
            max_tokens: self.config.max_tokens,
            sampling,
            priority,
            drafts: Vec::new(),
            ngrams,
            held_back: prompt.held_back,
            keeps_markup: false,
        }
    }

    /// Lets the model write until it ends, a rule ends the text, or the flag is raised.
    fn write(
        &self,
        order: impl FnMut(Option<usize>) -> Result<Order, Reason>,
        site: &Site,
        cancel: &CancelFlag,
    ) -> Result<Answer, Reason> {
        let (mut n_seen, mut rule) = (0, None);
        let watch = Watch { cancel, report: &|_| {} };
        let written = self.writer.write(order, watch, |text, complete| {
            let stop = trim::stop(site, &self.writer.control_tokens, text, n_seen, complete);
            n_seen = text.len();
            rule = stop.map(|stop| stop.rule);
            stop.map(|stop| stop.at)
        })?;
        Ok(Answer { written, rule })
    }
}

/// What is left of an answer after the rules for its end, and what ended it.
fn suggested(
    document: &Document,
    offset: usize,
    site: &Site,
    answer: &Answer,
) -> (Result<String, Reason>, &'static str) {
    let (ended, stopped_by, is_whole) = match (answer.rule, answer.written.outcome.finish) {
        (Some(rule), _) => (Ended::ByRule, rule.name(), rule.ends_all()),
        (None, Finish::Cancelled) => return (Err(Reason::Cancelled), "cancelled"),
        (None, finish @ Finish::Stop) => (Ended::ByModel(finish), "end-of-text", true),
        (None, finish @ Finish::Length) => (Ended::ByModel(finish), "length", false),
    };
    let text = trim::finish(site, answer.written.kept(), ended).and_then(|text| {
        match (parses::fit(document, offset, &text, is_whole), site.trigger) {
            (Some(fitting), _) => Ok(fitting.to_owned()),
            (None, Trigger::Automatic) => Err(Reason::DoesNotParse),
            (None, Trigger::Invoked) => Ok(text),
        }
    });
    (text, stopped_by)
}

/// `text` with the document's own line ends, at the caret.
fn suggestion(document: &Document, offset: usize, site: &Site, text: &str) -> Suggestion {
    let text = match site.line_ending {
        LineEnding::Lf => text.to_owned(),
        other @ (LineEnding::CrLf | LineEnding::Cr) => text.replace('\n', other.as_str()),
    };
    Suggestion { range: offset..offset, text, version: document.version }
}

pub(crate) fn reason_of(why: NoPrompt) -> Reason {
    match why {
        NoPrompt::NoFimTokens => Reason::NoInfilling,
        NoPrompt::SecretFile => Reason::SecretFile,
        NoPrompt::BudgetTooSmall => Reason::EngineError(
            "its context is too short for a prompt and an answer; allow fewer tokens".to_owned(),
        ),
    }
}
