//! From a request for an action to its answer.

use std::ops::Range;
use std::sync::Arc;

use context::{Layout, with_line_feeds};
use tokenizer::ChatTemplate;
use workspace::{Document, Snapshot};

use crate::action::change::{ActionAnswer, Change, Effect, Target};
use crate::action::infill::{Filled, Infill};
use crate::action::instruct::Instruct;
use crate::action::minimal;
use crate::action::offer::{Abilities, Offer, offers};
use crate::action::parses;
use crate::action::refusal::Refusal;
use crate::action::request::{Action, ActionRequest, Diagnostic};
use crate::completion::Config;
use crate::next_edit::NextEdit;
use crate::reason::Reason;
use crate::writer::{Watch, Writer};

/// Does actions with one model.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    writer: Arc<Writer>,
    config: Config,
    layout: Layout,
    /// `None` for a model that does not follow instructions.
    chat: Option<Arc<ChatTemplate>>,
}

impl Actor {
    pub(crate) fn new(writer: Arc<Writer>, config: Config) -> Self {
        let layout = config.layout.unwrap_or_else(|| Layout::of(&writer.tokenizer));
        Self { writer, config, layout, chat: None }
    }

    pub(crate) fn with_chat(&self, chat: ChatTemplate) -> Self {
        Self { chat: Some(Arc::new(chat)), ..self.clone() }
    }

    /// The same under other limits.
    pub(crate) fn with_config(&self, config: Config) -> Self {
        let layout = config.layout.unwrap_or_else(|| Layout::of(&self.writer.tokenizer));
        Self { config, layout, ..self.clone() }
    }

    pub(crate) fn abilities(&self) -> Abilities {
        Abilities { infilling: self.layout.shows_suffix(), instructions: self.chat.is_some() }
    }

    pub(crate) fn offers(
        &self,
        document: &Document,
        selection: &Range<usize>,
        diagnostics: &[Diagnostic],
        asked: bool,
    ) -> Vec<Offer> {
        offers(document, selection, diagnostics, self.abilities(), asked)
    }

    pub(crate) fn act(
        &self,
        snapshot: &Snapshot,
        request: &ActionRequest,
        watch: Watch<'_>,
    ) -> ActionAnswer {
        let Some(document) = snapshot.document(&request.document) else {
            return ActionAnswer::from(Reason::NotOpen);
        };
        if document.is_large() {
            return ActionAnswer::from(Reason::TooLarge);
        }
        let infill = Infill {
            writer: &self.writer,
            config: self.config,
            layout: self.layout,
            snapshot,
            document,
            watch,
        };
        let answer = match request.action {
            Action::Complete => answer(document, infill.complete(request.selection.end)),
            Action::Rewrite => answer(document, infill.rewrite(&request.selection)),
            Action::Document => answer(document, infill.document(&request.selection)),
            // Needs no prompt of its own; the assistant does it.
            Action::NextEdit => ActionAnswer::from(Reason::NothingToRepeat),
            Action::Fix | Action::Edit | Action::Tests | Action::Explain => match &self.chat {
                Some(chat) => {
                    let instruct = Instruct {
                        writer: &self.writer,
                        chat,
                        config: self.config,
                        snapshot,
                        document,
                        watch,
                    };
                    instructed(&instruct, document, request)
                }
                None => ActionAnswer::from(Refusal::NoInstructions),
            },
        };
        tracing::debug!(action = %request.action, changes = answer.effect.is_ok(), "action");
        answer
    }
}

fn instructed(
    instruct: &Instruct<'_>,
    document: &Document,
    request: &ActionRequest,
) -> ActionAnswer {
    match request.action {
        Action::Fix => match &request.diagnostic {
            Some(diagnostic) => answer(document, instruct.fix(diagnostic)),
            None => ActionAnswer::from(Refusal::NoDiagnostic),
        },
        Action::Tests => instruct.tests(&request.selection),
        Action::Explain => instruct.explain(&request.selection),
        _ => answer(document, instruct.edit(&request.selection, request.instruction.as_deref())),
    }
}

/// The answer that repeats an edit.
pub(crate) fn repeated(next: &NextEdit) -> ActionAnswer {
    let edits = minimal::edits(&next.document.buffer, &next.range, &with_line_feeds(&next.text));
    let edits = if edits.is_empty() { Err(Refusal::Unchanged) } else { Ok(edits) };
    let mut answer =
        answer(&next.document, Filled { edits, raw: next.text.clone(), outcome: None });
    if let (Ok(Effect::Edit(change)), true, Some(path)) =
        (&mut answer.effect, next.is_closed, &next.document.path)
    {
        change.target = Target::File { path: path.clone(), exists: true };
    }
    answer
}

fn answer(document: &Document, filled: Filled) -> ActionAnswer {
    let effect = filled.edits.map(|edits| {
        let concern = parses::concern(document.tree(), &document.buffer, &edits);
        let target = Target::Open { document: document.id.clone(), version: document.version };
        Effect::Edit(Change { target, before: document.buffer.clone(), edits, concern })
    });
    ActionAnswer { effect, raw: filled.raw, outcome: filled.outcome }
}
