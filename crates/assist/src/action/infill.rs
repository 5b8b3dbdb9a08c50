//! Actions that any model for infilling can do: complete, rewrite, document.

use std::ops::Range;

use context::{Budget, Layout, Settings, caret_offset, prompt, with_line_feeds};
use engine::{Outcome, Priority, Sampling};
use syntax::Item;
use text::{Buffer, Edit};
use workspace::{Document, Snapshot};

use crate::action::comment::Style;
use crate::action::hole::{Hole, Opened, indent_of, indent_unit, without_margins};
use crate::action::minimal;
use crate::action::refusal::Refusal;
use crate::completer::reason_of;
use crate::completion::{Config, Trigger};
use crate::reason::Reason;
use crate::site::Site;
use crate::trim::{self, Ended};
use crate::writer::{Order, Watch, Writer, Written};

/// A body or a selection is longer than what one completes while typing, in tokens.
const MAX_TOKENS: usize = 384;

/// Longest comment, in tokens.
const MAX_COMMENT_TOKENS: usize = 160;

/// Where the model writes what stands there already, it is asked again with chance in its choice.
const N_ATTEMPTS: u64 = 3;

/// What a body says that waits to be written.
const PLACEHOLDERS: [&str; 8] = [
    "pass",
    "...",
    "todo!(",
    "unimplemented!(",
    "raise NotImplementedError",
    "throw new Error(\"",
    "panic(\"not implemented",
    "panic(\"todo",
];

/// What an infilling action came to.
pub(crate) struct Filled {
    pub(crate) edits: Result<Vec<Edit>, Refusal>,
    pub(crate) raw: String,
    pub(crate) outcome: Option<Outcome>,
}

impl<R: Into<Refusal>> From<R> for Filled {
    fn from(refusal: R) -> Self {
        Self { edits: Err(refusal.into()), raw: String::new(), outcome: None }
    }
}

/// An action that was called off changes nothing, whatever was written until then.
pub(crate) fn not_cancelled(written: Written, watch: Watch<'_>) -> Result<Written, Refusal> {
    if watch.cancel.is_raised() { Err(Reason::Cancelled.into()) } else { Ok(written) }
}

pub(crate) struct Infill<'a> {
    pub(crate) writer: &'a Writer,
    pub(crate) config: Config,
    pub(crate) layout: Layout,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) document: &'a Document,
    pub(crate) watch: Watch<'a>,
}

impl Infill<'_> {
    /// Fills the body that waits to be written, or goes on at the caret.
    pub(crate) fn complete(&self, caret: usize) -> Filled {
        self.fill(&complete_hole(self.document, caret))
    }

    /// Writes a selection anew.
    pub(crate) fn rewrite(&self, selection: &Range<usize>) -> Filled {
        let range = without_margins(&self.document.buffer, selection);
        if range.is_empty() {
            return Refusal::NoSelection.into();
        }
        if !self.layout.shows_suffix() {
            return Reason::NoInfilling.into();
        }
        self.fill(&Hole { range, before: String::new(), after: String::new() })
    }

    fn fill(&self, hole: &Hole) -> Filled {
        let buffer = &self.document.buffer;
        let opened = hole.open(self.snapshot, self.document);
        let site = Site::new(&opened.document, opened.caret, Trigger::Invoked);
        // What stands there already is often near to what comes.
        let old = with_line_feeds(&buffer.slice(hole.range.clone())).into_owned();
        let mut filled = Filled::from(Refusal::Unchanged);
        for attempt in 0..N_ATTEMPTS {
            let mut n_seen = 0;
            let written = self.write(&opened, attempt, &old, MAX_TOKENS, |text, is_complete| {
                let stop =
                    trim::stop(&site, &self.writer.control_tokens, text, n_seen, is_complete);
                n_seen = text.len();
                stop.map(|stop| stop.at)
            });
            let written = match written {
                Ok(written) => written,
                Err(refusal) => return refusal.into(),
            };
            let ended = match written.stop {
                Some(_) => Ended::ByRule,
                None => Ended::ByModel(written.outcome.finish),
            };
            let edits = trim::finish(&site, written.kept(), ended)
                .map_err(Refusal::from)
                .map(|text| minimal::edits(buffer, &hole.range, &hole.filled(&text)));
            let changes = edits.as_ref().is_ok_and(|edits| !edits.is_empty());
            let edits =
                edits.and_then(
                    |edits| if edits.is_empty() { Err(Refusal::Unchanged) } else { Ok(edits) },
                );
            filled = Filled { edits, raw: written.text, outcome: Some(written.outcome) };
            if changes || hole.range.is_empty() {
                break;
            }
        }
        filled
    }

    /// Writes a comment above the innermost item, or the doc string in it.
    pub(crate) fn document(&self, selection: &Range<usize>) -> Filled {
        let document = self.document;
        let item = match documentable(document, selection) {
            Ok(item) => item,
            Err(refusal) => return refusal.into(),
        };
        let Some(language) = document.language else {
            return Refusal::NoGrammar.into();
        };
        if !self.layout.shows_suffix() {
            return Reason::NoInfilling.into();
        }
        let style = Style::of(language);
        let Some(at) = comment_place(&document.buffer, style, &item) else {
            return Refusal::NoItem.into();
        };
        let indent = indent_of(&document.buffer, at);
        let hole = Hole { range: at..at, before: style.opening(&indent), after: "\n".to_owned() };
        let opened = hole.open(self.snapshot, document);
        let mut n_seen = 0;
        let written = self.write(&opened, 0, "", MAX_COMMENT_TOKENS, |text, _| {
            let ends = [style.end(&indent, text), trim::repetition(text, n_seen)];
            n_seen = text.len();
            ends.into_iter().flatten().min()
        });
        let written = match written {
            Ok(written) => written,
            Err(refusal) => return refusal.into(),
        };
        let edits = style
            .finish(&indent, written.kept(), written.is_cut())
            .map(|comment| minimal::edits(&document.buffer, &hole.range, &comment))
            .ok_or(Refusal::Reason(Reason::Empty));
        Filled { edits, raw: written.text, outcome: Some(written.outcome) }
    }

    fn write(
        &self,
        opened: &Opened,
        attempt: u64,
        old: &str,
        max_tokens: usize,
        stop: impl FnMut(&str, bool) -> Option<usize>,
    ) -> Result<Written, Refusal> {
        let offset = caret_offset(&opened.document.buffer, opened.caret);
        let assumed = self.config.n_prompt + self.config.max_tokens;
        let order = |n_context: Option<usize>| -> Result<Order, Refusal> {
            let n_context = n_context.unwrap_or(assumed);
            let max_tokens = max_tokens.min(n_context / 2);
            let settings = Settings {
                budget: Budget::share(self.config.n_prompt.min(n_context - max_tokens))
                    .within(self.config.beside),
                layout: self.layout,
                sources: self.config.sources,
                previous: &[],
                memo: None,
            };
            let tokenizer = &self.writer.tokenizer;
            let prompt = prompt(&opened.snapshot, &opened.document, offset, tokenizer, &settings);
            let prompt = prompt.map_err(reason_of)?;
            Ok(Order {
                tokens: prompt.tokens,
                max_tokens,
                sampling: self.sampling(attempt),
                priority: Priority::Action,
                drafts: self.writer.tokenizer.encode(old),
                ngrams: None,
                held_back: prompt.held_back,
                keeps_markup: false,
            })
        };
        not_cancelled(self.writer.write(order, self.watch, stop)?, self.watch)
    }

    fn sampling(&self, attempt: u64) -> Sampling {
        match attempt {
            0 => self.config.sampling,
            seed => Sampling { temperature: 0.8, top_p: 0.95, top_k: 0, seed },
        }
    }
}

/// The innermost item at a place, if it has no comment yet.
pub(crate) fn documentable(document: &Document, selection: &Range<usize>) -> Result<Item, Refusal> {
    let tree = document.tree().ok_or(Refusal::NoGrammar)?;
    let item = tree.items(selection.start).into_iter().next().ok_or(Refusal::NoItem)?;
    if item.comment.is_some() { Err(Refusal::Documented) } else { Ok(item) }
}

/// Whether the innermost item at a place has a body that waits to be written.
pub(crate) fn awaits_body(document: &Document, caret: usize) -> bool {
    let items = document.tree().map(|tree| tree.items(caret)).unwrap_or_default();
    items.first().is_some_and(|item| unwritten_body(&document.buffer, item).is_some())
}

fn complete_hole(document: &Document, caret: usize) -> Hole {
    let buffer = &document.buffer;
    let caret = caret_offset(buffer, caret);
    let items = document.tree().map(|tree| tree.items(caret)).unwrap_or_default();
    let unwritten = items.first().and_then(|item| Some((item, unwritten_body(buffer, item)?)));
    match unwritten {
        Some((item, range)) if buffer.slice(range.clone()).starts_with('{') => {
            let indent = indent_of(buffer, item.range.start);
            let unit = indent_unit(buffer);
            let range = range.start + 1..range.end.saturating_sub(1).max(range.start + 1);
            let (before, after) = (format!("\n{indent}{unit}"), format!("\n{indent}"));
            Hole { range, before, after }
        }
        Some((_, range)) => Hole { range, before: String::new(), after: String::new() },
        None => Hole { range: caret..caret, before: String::new(), after: String::new() },
    }
}

/// The body of `item` if there is nothing in it, or nothing but a word that says so.
fn unwritten_body(buffer: &Buffer, item: &Item) -> Option<Range<usize>> {
    let body = item.body.clone()?;
    let text = buffer.slice(body.clone());
    let inner = match text.strip_prefix('{') {
        Some(rest) => rest.strip_suffix('}')?.trim(),
        None => text.trim(),
    };
    let is_placeholder = !inner.contains(['\n', '\r'])
        && PLACEHOLDERS.iter().any(|placeholder| {
            inner.to_ascii_lowercase().starts_with(&placeholder.to_ascii_lowercase())
        });
    (inner.is_empty() || is_placeholder).then_some(body)
}

/// Where the comment's first line begins; `None` where a body stands on its header's line.
fn comment_place(buffer: &Buffer, style: Style, item: &Item) -> Option<usize> {
    let anchor = match style {
        Style::Lines(_) | Style::Block => item.range.start,
        Style::DocString => {
            let body = item.body.clone()?;
            (buffer.line_of(item.range.start) < buffer.line_of(body.start)).then_some(body.start)?
        }
    };
    Some(buffer.line_range(buffer.line_of(anchor)).start)
}
