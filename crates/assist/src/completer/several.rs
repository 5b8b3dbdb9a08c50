//! More than one suggestion for a place, for whoever asks by hand and wants to choose.

use engine::{CancelFlag, Priority, Sampling};
use workspace::{DocumentId, Snapshot};

use super::{Completer, repeat, suggested, suggestion};
use crate::completion::{Completion, Several, Suggestion, Trigger};
use crate::site::Site;

/// Suggestions for the caret at most, the first one among them.
const MAX_ITEMS: usize = 3;

/// Further answers that are drawn at most; some say what is there already.
const MAX_DRAWS: u64 = 4;

/// Warm enough to differ from the likeliest answer, and not so warm as to be nonsense.
const WARM: Sampling = Sampling { temperature: 0.7, top_p: 0.95, top_k: 0, seed: 0 };

impl Completer {
    /// The likeliest answer, as [`Completer::complete`] gives it, and up to two that are drawn and differ from it by more
    /// than white space; and the last edit once more, first where the caret is at its next place, and last where that is on
    /// the same line. The prompt is computed once, and each draw may take as many tokens as the first answer may.
    pub(crate) fn complete_several(
        &self,
        snapshot: &Snapshot,
        id: &DocumentId,
        offset: usize,
        cancel: &CancelFlag,
    ) -> Several {
        let first = self.complete_here(snapshot, id, offset, Trigger::Invoked, cancel);
        let mut others = self.others(&first, snapshot, id, cancel).unwrap_or_default();
        if let Some(repeated) = repeat::at(snapshot, id, offset) {
            if let Ok(suggestion) = first.suggestion {
                others.insert(0, suggestion);
            }
            others.truncate(MAX_ITEMS - 1);
            return Several { first: repeated, others };
        }
        others.extend(repeat::on_line(snapshot, id, offset));
        Several { first, others }
    }

    fn others(
        &self,
        first: &Completion,
        snapshot: &Snapshot,
        id: &DocumentId,
        cancel: &CancelFlag,
    ) -> Option<Vec<Suggestion>> {
        let shown = first.suggestion.as_ref().ok()?;
        let document = snapshot.document(id)?;
        let offset = shown.range.start;
        let site = Site::new(document, offset, Trigger::Invoked);
        let mut known = vec![squeezed(&shown.text)];
        let mut texts = self.memo.recall_all(id, Trigger::Invoked, &site);
        texts.retain(|text| is_new(text, &mut known));
        texts.truncate(MAX_ITEMS - 1);
        if texts.len() < MAX_ITEMS - 1 {
            let n_context = self.writer.source.n_context();
            let prompt = self.prompt(snapshot, document, offset, n_context).ok()?;
            let ngrams = self.ngrams(snapshot, document, offset, &prompt);
            for seed in 0..MAX_DRAWS {
                if texts.len() == MAX_ITEMS - 1 || cancel.is_raised() {
                    break;
                }
                let sampling = Sampling { seed, ..WARM };
                let order = |_| {
                    let ngrams = ngrams.clone();
                    Ok(self.order(prompt.clone(), ngrams, sampling, Priority::Interactive))
                };
                let Ok(answer) = self.write(order, &site, cancel) else { break };
                let Ok(text) = suggested(document, offset, &site, &answer).0 else { continue };
                if is_new(&text, &mut known) {
                    self.memo.remember_behind(id, Trigger::Invoked, &site, &text, &prompt.pieces);
                    texts.push(text);
                }
            }
        }
        Some(texts.iter().map(|text| suggestion(document, offset, &site, text)).collect())
    }
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect()
}

fn is_new(text: &str, known: &mut Vec<String>) -> bool {
    let text = squeezed(text);
    let is_new = !known.contains(&text);
    if is_new {
        known.push(text);
    }
    is_new
}
