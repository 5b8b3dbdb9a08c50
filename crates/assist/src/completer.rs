//! From a caret to a suggestion: refuse, remember, ask the model, trim.

mod several;

use std::sync::Arc;

use context::{Budget, Layout, NoPrompt, Prompt, Settings, caret_offset, prompt};
use engine::{CancelFlag, Error, Finish, Outcome, Priority, Request, Sampling, Status};
use text::LineEnding;
use tokenizer::Tokenizer;
use workspace::{Document, DocumentId, Snapshot};

use crate::completion::{Completion, Config, Suggestion, Trigger};
use crate::confidence::Likelihoods;
use crate::memo::Memo;
use crate::previous::Previous;
use crate::reason::Reason;
use crate::refuse::refusal;
use crate::site::Site;
use crate::source::Generate;
use crate::trim::{self, Ended, Stop};

#[derive(Debug)]
pub(crate) struct Completer {
    source: Box<dyn Generate>,
    tokenizer: Arc<Tokenizer>,
    stop_tokens: Vec<u32>,
    control_tokens: Vec<String>,
    config: Config,
    layout: Layout,
    memo: Memo,
    previous: Previous,
}

/// What the model wrote and how that ended.
struct Written {
    text: String,
    likelihoods: Likelihoods,
    stop: Option<Stop>,
    outcome: Outcome,
}

impl Completer {
    pub(crate) fn new(
        source: Box<dyn Generate>,
        tokenizer: Arc<Tokenizer>,
        eos: Vec<u32>,
        config: Config,
    ) -> Self {
        let control_tokens: Vec<String> = tokenizer.special_names().map(str::to_owned).collect();
        let mut stop_tokens = eos;
        stop_tokens.extend(control_tokens.iter().filter_map(|name| tokenizer.special(name)));
        stop_tokens.sort_unstable();
        stop_tokens.dedup();
        let layout = config.layout.unwrap_or_else(|| Layout::of(&tokenizer));
        Self {
            source,
            tokenizer,
            stop_tokens,
            control_tokens,
            config,
            layout,
            memo: Memo::default(),
            previous: Previous::default(),
        }
    }

    pub(crate) fn with_config(&self, source: Box<dyn Generate>, config: Config) -> Self {
        Self {
            source,
            tokenizer: Arc::clone(&self.tokenizer),
            stop_tokens: self.stop_tokens.clone(),
            control_tokens: self.control_tokens.clone(),
            layout: config.layout.unwrap_or_else(|| Layout::of(&self.tokenizer)),
            config,
            memo: Memo::default(),
            previous: Previous::default(),
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
        let (document, offset, site) = match self.without_model(snapshot, id, offset, trigger) {
            Ok(open) => open,
            Err(completion) => return *completion,
        };
        match self.readiness(trigger) {
            Some(reason) => Completion::refused(reason),
            None => self.ask(snapshot, document, offset, trigger, &site, cancel),
        }
    }

    pub(crate) fn complete_at_once(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        offset: usize,
        trigger: Trigger,
    ) -> Option<Completion> {
        self.without_model(snapshot, id, offset, trigger).err().map(|completion| *completion)
    }

    pub(crate) fn warm_up(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        offset: usize,
        cancel: &CancelFlag,
    ) {
        if self.source.status() != Status::Ready {
            return;
        }
        let open = self.without_model(snapshot, id, offset, Trigger::Automatic);
        let Ok((document, offset, _)) = open else { return };
        let prompt = self.prompt(snapshot, document, offset, self.source.n_context());
        let Ok(prompt) = prompt else { return };
        let generation = self.source.generate(Request {
            tokens: prompt.tokens,
            n_usable_tokens: self.tokenizer.vocab_size(),
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
        match (self.source.status(), trigger) {
            (Status::Failed(why), _) => Some(Reason::ModelFailed(why)),
            (Status::Unloaded, Trigger::Automatic) => {
                self.source.preload();
                Some(Reason::Loading)
            }
            (Status::Loading, Trigger::Automatic) => Some(Reason::Loading),
            (Status::Unloaded | Status::Loading, Trigger::Invoked) | (Status::Ready, _) => None,
        }
    }

    pub(crate) fn ask(
        &self,
        snapshot: &Snapshot,
        document: &Document,
        offset: usize,
        trigger: Trigger,
        site: &Site,
        cancel: &CancelFlag,
    ) -> Completion {
        let prompt_within = |n_context| self.prompt(snapshot, document, offset, n_context);
        let mut prompt = match prompt_within(self.source.n_context()) {
            Ok(prompt) => prompt,
            Err(reason) => return Completion::refused(reason),
        };
        let mut written = self.write(&prompt, site, self.config.sampling, cancel);
        // A model that was loaded only just now may hold less than was assumed.
        if let Err(Error::TooLong { n_context, .. }) = written
            && let Ok(shorter) = prompt_within(Some(n_context))
        {
            prompt = shorter;
            written = self.write(&prompt, site, self.config.sampling, cancel);
        }
        self.previous.remember(&document.id, &prompt.pieces);
        let written = match written {
            Ok(written) => written,
            Err(error) => {
                let reason = match error {
                    Error::Load(why) => Reason::ModelFailed(why),
                    other => Reason::EngineError(other.to_string()),
                };
                return Completion { pieces: prompt.pieces, ..Completion::refused(reason) };
            }
        };
        let (text, stopped_by) = suggested(site, &written);
        let confidence = text.as_ref().ok().and_then(|text| written.likelihoods.confidence(text));
        let text = text.and_then(|text| match (trigger, confidence) {
            (Trigger::Automatic, Some(sure)) if sure < self.config.min_confidence => {
                Err(Reason::Unlikely)
            }
            _ => Ok(text),
        });
        if let Ok(text) = &text {
            self.memo.remember(&document.id, trigger, site, text, &prompt.pieces);
        }
        let suggestion = text.map(|text| suggestion(document, offset, site, &text));
        tracing::debug!(stopped_by, suggested = suggestion.is_ok(), "completion");
        Completion {
            suggestion,
            raw: written.text,
            pieces: prompt.pieces,
            outcome: Some(written.outcome),
            confidence,
            stopped_by,
        }
    }

    fn prompt(
        &self,
        snapshot: &Snapshot,
        document: &Document,
        offset: usize,
        n_context: Option<usize>,
    ) -> Result<Prompt, Reason> {
        let settings = Settings {
            budget: Budget::share(self.n_prompt(n_context)),
            layout: self.layout,
            sources: self.config.sources,
            previous: &self.previous.of(&document.id),
        };
        prompt(snapshot, document, offset, &self.tokenizer, &settings).map_err(reason_of)
    }

    /// Tokens that a prompt may take so that the answer still fits.
    fn n_prompt(&self, n_context: Option<usize>) -> usize {
        let room = n_context.map(|n_context| n_context.saturating_sub(self.config.max_tokens));
        self.config.n_prompt.min(room.unwrap_or(usize::MAX))
    }

    /// Lets the model write until it ends, a rule ends the text, or the flag is raised.
    fn write(
        &self,
        prompt: &Prompt,
        site: &Site,
        sampling: Sampling,
        cancel: &CancelFlag,
    ) -> Result<Written, Error> {
        let mut tokens = self.source.generate(Request {
            tokens: prompt.tokens.clone(),
            max_tokens: self.config.max_tokens,
            sampling,
            stop_tokens: self.stop_tokens.clone(),
            n_usable_tokens: self.tokenizer.vocab_size(),
            cancel: cancel.clone(),
            ..Request::default()
        })?;
        let mut stream = self.tokenizer.decode_stream_after(&prompt.tokens);
        let mut held_back = prompt.held_back.as_str();
        let mut text = String::new();
        let mut likelihoods = Likelihoods::default();
        let mut stop = None;
        while stop.is_none()
            && !cancel.is_raised()
            && let Some(choice) = tokens.next_choice()
        {
            let n_seen = text.len();
            likelihoods.push(&text, choice.log_probability);
            let piece = stream.push(choice.token).replace('\r', "");
            text.push_str(without_held_back(&piece, &mut held_back));
            if n_seen < text.len() {
                stop = trim::stop(site, &self.control_tokens, &text, n_seen, false);
            }
        }
        let outcome = tokens.finish()?;
        if stop.is_none() {
            stop = trim::stop(site, &self.control_tokens, &text, text.len(), true);
        }
        Ok(Written { text, likelihoods, stop, outcome })
    }
}

/// What is left of an answer after the rules for its end, and what ended it.
fn suggested(site: &Site, written: &Written) -> (Result<String, Reason>, &'static str) {
    let (text, ended, stopped_by) = match (&written.stop, written.outcome.finish) {
        (Some(stop), _) => {
            (written.text.get(..stop.at).unwrap_or_default(), Ended::ByRule, stop.rule)
        }
        (None, Finish::Cancelled) => return (Err(Reason::Cancelled), "cancelled"),
        (None, finish @ Finish::Stop) => {
            (written.text.as_str(), Ended::ByModel(finish), "end-of-text")
        }
        (None, finish @ Finish::Length) => {
            (written.text.as_str(), Ended::ByModel(finish), "length")
        }
    };
    (trim::finish(site, text, ended), stopped_by)
}

/// `piece` without the beginning of the answer that stands before the caret already. `held_back` is what of that is still to
/// come; an answer that begins otherwise is left as it is.
pub(crate) fn without_held_back<'a>(piece: &'a str, held_back: &mut &str) -> &'a str {
    let n_common = piece.bytes().zip(held_back.bytes()).take_while(|(one, other)| one == other);
    let n_common = piece.floor_char_boundary(n_common.count());
    if n_common < piece.len() {
        *held_back = "";
    } else {
        *held_back = held_back.get(n_common..).unwrap_or_default();
    }
    piece.get(n_common..).unwrap_or_default()
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
