//! From a request for an action to its answer.

use std::ops::Range;
use std::sync::Arc;

use context::Layout;
use tokenizer::Tokenizer;
use workspace::{Document, Snapshot};

use crate::action::change::{ActionAnswer, Change, Effect, Target};
use crate::action::infill::{Filled, Infill};
use crate::action::offer::{Abilities, Offer, offers};
use crate::action::parses;
use crate::action::request::{Action, ActionRequest, Diagnostic};
use crate::action::writer::{Watch, Writer};
use crate::completion::Config;
use crate::reason::Reason;
use crate::source::Generate;

/// Does actions with one model.
#[derive(Debug, Clone)]
pub(crate) struct Actor {
    writer: Arc<Writer>,
    tokenizer: Arc<Tokenizer>,
    control_tokens: Vec<String>,
    config: Config,
    layout: Layout,
}

impl Actor {
    pub(crate) fn new(
        source: Box<dyn Generate>,
        tokenizer: Arc<Tokenizer>,
        eos: &[u32],
        config: Config,
    ) -> Self {
        let control_tokens = tokenizer.special_names().map(str::to_owned).collect();
        let layout = config.layout.unwrap_or_else(|| Layout::of(&tokenizer));
        let writer = Arc::new(Writer::new(source, Arc::clone(&tokenizer), eos));
        Self { writer, tokenizer, control_tokens, config, layout }
    }

    /// The same under other limits.
    pub(crate) fn with_config(&self, config: Config) -> Self {
        let layout = config.layout.unwrap_or_else(|| Layout::of(&self.tokenizer));
        Self { config, layout, ..self.clone() }
    }

    pub(crate) fn abilities(&self) -> Abilities {
        Abilities { infilling: self.layout.shows_suffix(), instructions: false }
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
            control_tokens: &self.control_tokens,
            snapshot,
            document,
            watch,
        };
        let filled = match request.action {
            Action::Complete => infill.complete(request.selection.end),
            Action::Rewrite => infill.rewrite(&request.selection),
            Action::Document => infill.document(&request.selection),
        };
        tracing::debug!(action = %request.action, changes = filled.edits.is_ok(), "action");
        answer(document, filled)
    }
}

fn answer(document: &Document, filled: Filled) -> ActionAnswer {
    let effect = filled.edits.map(|edits| {
        let concern = parses::concern(document.tree(), &document.buffer, &edits);
        let target = Target::Open { document: document.id.clone(), version: document.version };
        Effect::Edit(Change { target, before: document.buffer.clone(), edits, concern })
    });
    ActionAnswer { effect, raw: filled.raw, outcome: filled.outcome }
}
